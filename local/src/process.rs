//! Runs the servers of the local cloud, which are third-party programs with child processes. Each
//! gets a process group, so that nothing remains, however its owner ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

/// How long a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as its value: dropping it, or even killing this process, ends it.
    Tied,
    /// Until somebody ends it by its [`Recorded`] process, for `local up`.
    Detached,
}

/// A program of this workspace, from the target directory of the running program or test.
///
/// # Errors
/// It hasn't been built.
pub fn built(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("find this program")?;
    let folder = this.parent().context("find this program's folder")?;
    // Tests are one folder below the programs.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let program = folder.join(name);
    ensure!(program.is_file(), "{} isn't there: run `cargo build --workspace --bins` first", program.display());
    Ok(program)
}

/// A program that runs in its own process group.
#[derive(Debug)]
pub struct Service {
    child: Child,
    lifetime: Lifetime,
}

// When this process ends in any way, the kernel closes the pipe on file descriptor 0. The watcher
// then kills the group, including itself.
const TETHER: &str = r#"exec 3<&0; (cat <&3 >/dev/null 2>&1; kill -KILL 0) & exec 3<&-; exec "$@" </dev/null"#;

impl Service {
    /// Starts `program` with only this `environment`. Its output goes to `log`.
    ///
    /// # Errors
    /// The log can't be created or the program can't be started.
    pub fn start(
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        log: &Path,
        lifetime: Lifetime,
    ) -> Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let out = File::create(log).with_context(|| format!("create {}", log.display()))?;
        let mut command = match lifetime {
            Lifetime::Detached => {
                let mut command = Command::new(program);
                command.stdin(Stdio::null());
                command
            }
            Lifetime::Tied => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", TETHER, "tether"]).arg(program).stdin(Stdio::piped());
                command
            }
        };
        command.args(arguments).env_clear().envs(environment.iter().copied());
        command.stdout(out.try_clone()?).stderr(out).process_group(0);
        let child = command.spawn().with_context(|| format!("start {}", program.display()))?;
        Ok(Self { child, lifetime })
    }

    /// Whether the program still runs.
    ///
    /// # Errors
    /// The operating system doesn't say.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// The data for another process to find this one. `mark` is a part of its command line.
    pub fn record(&self, mark: &str) -> Recorded {
        Recorded { pid: self.child.id(), mark: mark.to_owned() }
    }

    /// Kills the whole group and waits until its first process has ended.
    pub fn stop(&mut self) {
        end_group(self.child.id());
        self.child.wait().ok();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Tied {
            self.stop();
        }
    }
}

/// The record of a detached service, for a later command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    pid: u32,
    /// A part of its command line, so that another process with a reused ID isn't killed.
    mark: String,
}

impl Recorded {
    /// Whether the recorded program still runs.
    pub fn is_running(&self) -> bool {
        let Ok(line) = std::fs::read(format!("/proc/{}/cmdline", self.pid)) else { return false };
        String::from_utf8_lossy(&line).replace('\0', " ").contains(&self.mark)
    }

    /// Kills its process group, if it is still the recorded one.
    pub async fn stop(&self) {
        let gone = !Path::new(&format!("/proc/{}", self.pid)).exists();
        if gone || self.is_running() {
            end_group(self.pid);
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.is_running() && Instant::now() < deadline {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn end_group(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The group may have ended already.
        kill_process_group(pid, Signal::KILL).ok();
    }
}

/// A loopback port that was free a moment ago.
///
/// # Errors
/// No port is free.
pub fn free_port() -> Result<u16> {
    let probe = std::net::TcpListener::bind(("127.0.0.1", 0)).context("look for a free port")?;
    Ok(probe.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    async fn until(what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !condition() {
            assert!(Instant::now() < deadline, "not within ten seconds: {what}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn dropped_tied_service_ends_children() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait", pid_file.display());
        let service = Service::start(
            Path::new("/bin/sh"),
            &["-c", &script],
            &[("PATH", "/usr/bin:/bin")],
            &dir.path().join("log"),
            Lifetime::Tied,
        )
        .unwrap();
        until("the child is there", || pid_file.exists()).await;
        let pid = std::fs::read_to_string(&pid_file).unwrap().trim().to_owned();
        assert!(alive(&pid));
        drop(service);
        until("the child is gone", || !alive(&pid)).await;
    }

    #[tokio::test]
    async fn only_matching_recorded_service_is_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let mut service =
            Service::start(Path::new("/bin/sleep"), &["600"], &[], &dir.path().join("log"), Lifetime::Detached)
                .unwrap();
        let other = service.record("something else");
        other.stop().await;
        assert!(service.is_running().unwrap());
        let recorded = service.record("sleep 600");
        // Its command line can be read only after the kernel has started it.
        until("it can be recognised", || recorded.is_running()).await;
        recorded.stop().await;
        assert!(!recorded.is_running());
        service.stop();
    }
}
