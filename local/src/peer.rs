//! Finds the process at the other end of a connection, or of a function: tests kill it during a
//! request.

use std::{fs, io};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, getpid, kill_process};
use tokio::net::TcpStream;

/// The ports of a loopback connection that was accepted here. Only both together identify it,
/// because a client's port may be used for connections to other servers as well.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    client: u16,
    server: u16,
}

impl Connection {
    /// The connection of an accepted socket.
    ///
    /// # Errors
    /// Its addresses can't be read.
    pub fn of(accepted: &TcpStream) -> io::Result<Self> {
        Ok(Self { client: accepted.peer_addr()?.port(), server: accepted.local_addr()?.port() })
    }

    /// Kills the client, like a failing machine.
    ///
    /// # Errors
    /// There is no client, or we may not kill it.
    pub fn kill_client(self) -> Result<()> {
        let client = self.client()?;
        ensure!(client != getpid(), "the client of {self:?} is this test itself");
        kill_process(client, Signal::KILL).context("kill a process")
    }

    fn client(self) -> Result<Pid> {
        let socket = format!("socket:[{}]", self.inode()?);
        let has_it = |pid: &i32| {
            let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
            let mut links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
            links.any(|link| link.to_str() == Some(&socket))
        };
        let found = numbers()?.find(has_it);
        found.and_then(Pid::from_raw).with_context(|| format!("no process has the client's end of {self:?}"))
    }

    /// The inode of the client's socket, from
    /// [`/proc/net/tcp`](https://docs.kernel.org/networking/proc_net_tcp.html).
    fn inode(self) -> Result<u64> {
        let table = fs::read_to_string("/proc/net/tcp").context("list the connections")?;
        let [client, server] = [self.client, self.server].map(|port| format!(":{port:04X}"));
        let is_it = |fields: &Vec<&str>| match fields[..] {
            [_, local, remote, ..] => local.ends_with(&client) && remote.ends_with(&server),
            _ => false,
        };
        let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut numbers = rows.filter(is_it).filter_map(|fields| fields.get(9)?.parse().ok());
        numbers.find(|inode| *inode != 0).with_context(|| format!("nobody has the client's end of {self:?}"))
    }
}

/// The processes of a function whose account is at `endpoint`. The name isn't enough: the emulator
/// derives it only from names in the template, so concurrent tests have the same.
///
/// # Errors
/// The processes can't be listed.
pub fn of_function(name: &str, endpoint: &str) -> Result<Vec<Pid>> {
    let variables = [format!("AWS_LAMBDA_FUNCTION_NAME={name}"), format!("AWS_ENDPOINT_URL={endpoint}")];
    let has_them = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let environment: Vec<_> = environment.split(|byte| *byte == 0).collect();
        variables.iter().all(|variable| environment.contains(&variable.as_bytes()))
    };
    Ok(numbers()?.filter(has_them).filter_map(Pid::from_raw).collect())
}

fn numbers() -> Result<impl Iterator<Item = i32>> {
    let entries = fs::read_dir("/proc").context("list the processes")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::process::{Child, Command, Stdio};

    use tokio::net::TcpListener;

    use super::*;

    /// A running program, which has responded.
    fn start(endpoint: &str) -> Child {
        let mut command = Command::new("cat");
        command.env("AWS_LAMBDA_FUNCTION_NAME", "peer-test").env("AWS_ENDPOINT_URL", endpoint);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"?").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        child
    }

    #[test]
    fn same_named_functions_are_told_apart() {
        let all = ["http://127.0.0.1:1", "http://127.0.0.1:11"].map(|endpoint| (endpoint, start(endpoint)));
        let found = all.each_ref().map(|(endpoint, _)| of_function("peer-test", endpoint));
        for ((_, mut child), found) in all.into_iter().zip(found) {
            let expected = Pid::from_child(&child);
            drop(child.stdin.take());
            child.wait().unwrap();
            assert_eq!(found.unwrap(), [expected]);
        }
    }

    #[tokio::test]
    async fn client_is_found_despite_shared_port() {
        let listeners =
            [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
        let mut clients = Vec::new();
        let mut port = 0;
        for listener in &listeners {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(([127, 0, 0, 1], port).into()).unwrap();
            let client = socket.connect(listener.local_addr().unwrap()).await.unwrap();
            port = client.local_addr().unwrap().port();
            let (accepted, _) = listener.accept().await.unwrap();
            clients.push((client, Connection::of(&accepted).unwrap(), accepted));
        }
        let inodes: Vec<_> = clients.iter().map(|(_, connection, _)| connection.inode().unwrap()).collect();
        assert_ne!(inodes[0], inodes[1], "one port, two sockets: {clients:?}");
        let (_, connection, _) = &clients[0];
        assert_eq!(connection.client().unwrap(), getpid());
        assert!(connection.kill_client().unwrap_err().to_string().contains("this test itself"));
    }
}
