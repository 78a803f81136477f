//! Waits until a process and everything that it has started wait for something from outside. Then a
//! test knows that an answer is complete, without waiting for luck.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, getpid};
use rustix::thread::gettid;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// How often each thread has given up a processor, by its number.
type Threads = BTreeMap<i32, u64>;

/// Blocks this thread until all others of this process, and all of its children and theirs, have
/// slept from one look to the next.
///
/// A thread that ran in between has given up its processor once more. So nothing ran between the
/// end of the first look and the start of the second.
pub(crate) fn wait_until_idle() {
    let mut before = None;
    loop {
        let now = asleep();
        if now.is_some() && now == before {
            return;
        }
        before = now;
        std::thread::sleep(PAUSE);
    }
}

/// All threads but this one, if they sleep.
fn asleep() -> Option<Threads> {
    let mut threads = Threads::new();
    look(getpid(), gettid(), &mut threads)?;
    Some(threads)
}

/// Adds the threads of a process and of its children. `None` if one is awake.
fn look(process: Pid, except: Pid, threads: &mut Threads) -> Option<()> {
    // A process may end while it is looked at. Its parent is woken by that.
    let Ok(entries) = fs::read_dir(format!("/proc/{process}/task")) else { return Some(()) };
    for entry in entries.filter_map(Result::ok) {
        let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if thread != except.as_raw_nonzero().get() {
            threads.insert(thread, switches(&entry.path())?);
        }
        // https://docs.kernel.org/filesystems/proc.html, 3.7: exact if all of them sleep.
        let children = fs::read_to_string(entry.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|number| Pid::from_raw(number.parse().ok()?)) {
            look(child, except, threads)?;
        }
    }
    Some(())
}

/// How often a thread has given up a processor. `None` if it is awake.
fn switches(thread: &Path) -> Option<u64> {
    let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
    let mut switches = 0;
    for (name, value) in status.lines().filter_map(|line| line.split_once(':')) {
        match name {
            // Asleep until an event, or ended.
            "State" if !value.trim_start().starts_with(['S', 'Z', 'X', 'I']) => return None,
            "voluntary_ctxt_switches" | "nonvoluntary_ctxt_switches" => {
                switches += value.trim().parse::<u64>().unwrap_or_default();
            }
            _ => {}
        }
    }
    Some(switches)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn busy_child_is_waited_for() {
        let (done, idle) = mpsc::channel();
        let mut child = Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap();
        let waiting = std::thread::spawn(move || {
            wait_until_idle();
            done.send(()).unwrap();
        });
        // It has looked often by then.
        assert!(idle.recv_timeout(Duration::from_millis(200)).is_err());
        child.kill().unwrap();
        child.wait().unwrap();
        idle.recv().unwrap();
        waiting.join().unwrap();
    }
}
