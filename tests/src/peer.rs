//! Which process of this machine is at the other end of a connection, or runs a function: what a test kills in the middle of a
//! request.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// Kills the process whose own end of a connection over loopback is `address`, as a machine that fails would.
///
/// # Errors
/// When there is none, or it isn't ours to kill.
pub fn kill(address: SocketAddr) -> Result<()> {
    kill_process(process(address)?, Signal::KILL).context("kill a process")
}

/// The process that has a socket at `address`.
///
/// # Errors
/// When there is none.
pub fn process(address: SocketAddr) -> Result<Pid> {
    let inode = inode(address)?;
    let socket = format!("socket:[{inode}]");
    let has_it = |pid: &i32| {
        let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        let mut links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        links.any(|link| link.to_str() == Some(&socket))
    };
    let found = numbers()?.filter(|pid| *pid != std::process::id().cast_signed()).find(has_it);
    found.and_then(Pid::from_raw).with_context(|| format!("no process has the socket {address}"))
}

/// The processes that run a function.
///
/// # Errors
/// When the processes can't be listed.
pub fn of_function(name: &str) -> Result<Vec<Pid>> {
    let variable = format!("AWS_LAMBDA_FUNCTION_NAME={name}");
    let has_it = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|each| each == variable.as_bytes())
    };
    Ok(numbers()?.filter(has_it).filter_map(Pid::from_raw).collect())
}

fn numbers() -> Result<impl Iterator<Item = i32>> {
    let entries = fs::read_dir("/proc").context("list the processes")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}

/// The kernel's number for the socket, out of [`/proc/net/tcp`](https://docs.kernel.org/networking/proc_net_tcp.html).
fn inode(address: SocketAddr) -> Result<u64> {
    let table = fs::read_to_string("/proc/net/tcp").context("list the connections")?;
    let port = format!(":{:04X}", address.port());
    let own = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = own.filter(|fields| fields.get(1).is_some_and(|local| local.ends_with(&port)));
    let mut numbers = found.filter_map(|fields| fields.get(9)?.parse().ok());
    numbers.find(|inode| *inode != 0).with_context(|| format!("no connection has the port {}", address.port()))
}
