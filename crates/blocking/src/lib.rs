//! Blocking work on its own thread. A thread can't be killed from outside. Instead, it is told when
//! it is abandoned, and the caller can check whether any abandoned thread still runs.
//!
//! ```
//! use std::sync::atomic::Ordering;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tokio::task::JoinError> {
//! let sum = blocking::spawn(|interrupt| (1..=4).take_while(|_| !interrupt.load(Ordering::Relaxed)).sum::<u32>());
//! assert_eq!(sum.await?, 10);
//! # Ok(())
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, sleep},
};

/// The number of running threads.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// How often to check whether the threads have ended.
const PAUSE: Duration = Duration::from_millis(5);

/// Work on a thread. Dropping it sets the interrupt flag.
#[derive(Debug)]
pub struct Work<T> {
    thread: JoinHandle<T>,
    interrupt: Arc<AtomicBool>,
}

/// Starts blocking work. It gets a flag that is set when the work is abandoned, and must check it
/// in everything that may take long.
///
/// # Panics
/// Outside a Tokio runtime.
pub fn spawn<T: Send + 'static>(work: impl FnOnce(&AtomicBool) -> T + Send + 'static) -> Work<T> {
    let interrupt = Arc::<AtomicBool>::default();
    let flag = Arc::clone(&interrupt);
    let running = Running::begin();
    let thread = tokio::task::spawn_blocking(move || {
        let _running = running;
        work(&flag)
    });
    Work { thread, interrupt }
}

/// Whether all work has ended, now or within this time.
pub async fn ended(within: Duration) -> bool {
    let until = Instant::now() + within;
    while RUNNING.load(Ordering::Acquire) > 0 {
        if Instant::now() >= until {
            return false;
        }
        sleep(PAUSE).await;
    }
    true
}

impl<T> Future for Work<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.thread).poll(context)
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.interrupt.store(true, Ordering::Relaxed);
        // Work that hasn't started never starts.
        self.thread.abort();
    }
}

/// Counts a thread, however its work ends.
struct Running;

impl Running {
    fn begin() -> Self {
        RUNNING.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A single test, because all work of a process is counted together.
    #[tokio::test]
    async fn dropped_work_is_interrupted_and_counted() {
        assert!(ended(Duration::ZERO).await);
        assert_eq!(spawn(|_| 7).await.unwrap(), 7);
        assert!(ended(Duration::from_secs(10)).await);

        let obedient = spawn(|interrupt| while !interrupt.load(Ordering::Relaxed) {});
        assert!(!ended(Duration::ZERO).await);
        drop(obedient);
        assert!(ended(Duration::from_secs(10)).await);

        let (end, wait) = std::sync::mpsc::channel::<()>();
        drop(spawn(move |_| wait.recv()));
        // It may have been dropped before it started.
        let stubborn = !ended(Duration::from_millis(20)).await;
        drop(end);
        assert!(ended(Duration::from_secs(10)).await, "{stubborn}");

        assert!(spawn(|_| panic!("on purpose")).await.is_err());
        assert!(ended(Duration::from_secs(10)).await);
    }
}
