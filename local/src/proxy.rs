//! A TCP proxy that counts, throttles and breaks connections: it measures how much a fetch
//! receives, and simulates the network between a Git host and AWS.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::peer::Connection;

/// The burst that passes without saved-up capacity.
const BURST: u64 = 128 << 10;

/// What happens to a connection after this many bytes from the server.
#[derive(Clone, Copy, Debug)]
pub struct Break {
    /// How many bytes still pass.
    pub after: u64,
    /// What happens then.
    pub by: Breakage,
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug)]
pub enum Breakage {
    /// It is closed.
    Close,
    /// Nothing is sent any more, but it stays open.
    Silence,
    /// The client's process is killed.
    Kill,
}

/// A TCP proxy for a server on this machine.
#[derive(Debug)]
pub struct Proxy {
    /// Its address.
    pub port: u16,
    received: Arc<AtomicU64>,
    breaks: Arc<Mutex<VecDeque<Break>>>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// A proxy for `port`. The server's data passes at most at `rate` bytes a second, over all
    /// connections.
    pub async fn start(port: u16, rate: Option<u64>) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen as a proxy")?;
        let own = listener.local_addr()?.port();
        let received = Arc::new(AtomicU64::new(0));
        let breaks = Arc::<Mutex<VecDeque<Break>>>::default();
        let waiting = Arc::clone(&breaks);
        let way = Way {
            to_break: None,
            received: Arc::clone(&received),
            bucket: rate.map(|rate| Arc::new(Mutex::new(TokenBucket::new(rate, Instant::now())))),
        };
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(connection) = Connection::of(&client) else { continue };
                let to_break = waiting.lock().await.pop_front().map(|to_break| (to_break, connection));
                tokio::spawn(connect(client, port, Way { to_break, ..way.clone() }));
            }
        });
        Ok(Self { port: own, received, breaks, task })
    }

    /// Breaks the next connection that isn't to break yet.
    pub async fn break_next(&self, to_break: Break) {
        self.breaks.lock().await.push_back(to_break);
    }

    /// The bytes from the server so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }
}

/// From the server to the client.
#[derive(Debug, Clone)]
struct Way {
    received: Arc<AtomicU64>,
    to_break: Option<(Break, Connection)>,
    bucket: Option<Arc<Mutex<TokenBucket>>>,
}

async fn connect(client: TcpStream, port: u16, way: Way) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).ok();
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let asking = async {
        tokio::io::copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    // An error means that one side disconnected. Then disconnect the other.
    tokio::try_join!(asking, way.pass(from_server, to_client)).ok();
}

impl Way {
    async fn pass(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> std::io::Result<()> {
        let mut piece = vec![0; 64 << 10];
        let mut passed = 0;
        loop {
            let length = from.read(&mut piece).await?;
            if length == 0 {
                return to.shutdown().await;
            }
            self.received.fetch_add(length as u64, Ordering::SeqCst);
            passed += length as u64;
            if let Some((Break { after, by }, connection)) = self.to_break
                && passed > after
            {
                match by {
                    Breakage::Close => {}
                    Breakage::Silence => std::future::pending().await,
                    Breakage::Kill => connection.kill_client().map_err(std::io::Error::other)?,
                }
                return Err(std::io::ErrorKind::ConnectionReset.into());
            }
            if let Some(bucket) = &self.bucket {
                let wait = bucket.lock().await.take(length as u64, Instant::now());
                tokio::time::sleep(wait).await;
            }
            to.write_all(&piece[..length]).await?;
        }
    }
}

/// A token bucket: this many bytes a second, with a small burst.
#[derive(Debug)]
struct TokenBucket {
    rate: u64,
    /// When everything taken so far has been paid for.
    paid: Instant,
}

impl TokenBucket {
    fn new(rate: u64, now: Instant) -> Self {
        Self { rate, paid: now }
    }

    /// Takes this many bytes. Returns how long to wait before they may pass.
    fn take(&mut self, bytes: u64, now: Instant) -> Duration {
        let time = |bytes: u64| Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / self.rate);
        self.paid = self.paid.max(now) + time(bytes);
        self.paid.saturating_duration_since(now).saturating_sub(time(BURST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_beyond_burst_is_delayed() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(1 << 20, now);
        assert_eq!(bucket.take(BURST, now), Duration::ZERO);
        assert_eq!(bucket.take(1 << 20, now), Duration::from_secs(1));
        let later = now + Duration::from_mins(1);
        assert_eq!(bucket.take(BURST, later), Duration::ZERO);
    }

    #[tokio::test]
    async fn only_server_bytes_are_counted() {
        let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap().port(), None).await.unwrap();
        let answering = tokio::spawn(async move {
            let (mut connection, _) = server.accept().await.unwrap();
            let mut question = String::new();
            connection.read_to_string(&mut question).await.unwrap();
            connection.write_all(question.repeat(3).as_bytes()).await.unwrap();
        });
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        answering.await.unwrap();
        assert_eq!((answer.len(), proxy.received()), (24, 24));
    }
}
