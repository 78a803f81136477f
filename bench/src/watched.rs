//! The kernel's data about a running process: its processor time, and its memory with and without
//! mapped files, which the kernel can reclaim at any time.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinHandle;

/// The ticks per second of processor time in `/proc`, the same in every Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// How often the memory is sampled for which the kernel keeps no peak.
const INTERVAL: Duration = Duration::from_millis(20);

/// A process that is watched until this is dropped.
#[derive(Debug)]
pub(crate) struct Watched {
    id: u32,
    own: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watched {
    /// Starts to watch a process.
    pub(crate) fn new(id: u32) -> Self {
        let own = Arc::new(AtomicU64::new(0));
        let most = Arc::clone(&own);
        let task = tokio::spawn(async move {
            while let Ok(now) = memory(id, "RssAnon:") {
                most.fetch_max(now, Ordering::SeqCst);
                tokio::time::sleep(INTERVAL).await;
            }
        });
        Self { id, own, task }
    }

    /// The processor time of all its threads so far, in seconds.
    pub(crate) fn processor(&self) -> Result<f64> {
        let stat = read(self.id, "stat")?;
        // The fields have fixed positions after the name, which is in parentheses and may contain
        // anything.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
        Ok(ticks.sum::<f64>() / TICKS_PER_SECOND)
    }

    /// The peak memory, in bytes, including mapped files.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        memory(self.id, "VmHWM:")
    }

    /// The peak of the sampled memory without mapped files, in bytes.
    pub(crate) fn own_memory(&self) -> u64 {
        self.own.load(Ordering::SeqCst)
    }
}

/// A line of the process's status.
fn memory(id: u32, field: &str) -> Result<u64> {
    let status = read(id, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("read the memory of a process")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}

fn read(id: u32, file: &str) -> Result<String> {
    fs::read_to_string(format!("/proc/{id}/{file}")).context("ask the kernel about a process")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn own_memory_never_exceeds_peak() {
        let watched = Watched::new(std::process::id());
        let begun = std::time::Instant::now();
        while watched.own_memory() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(10), "nothing was seen");
            tokio::task::yield_now().await;
        }
        assert!(watched.own_memory() <= watched.peak_memory().unwrap());
        assert!(watched.processor().unwrap() >= 0.0);
    }
}
