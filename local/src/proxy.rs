//! A TCP proxy that counts, delays, throttles and breaks connections: it measures how much a fetch
//! receives and how often it waits for the host, and simulates the network between a Git host and
//! AWS.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

use crate::peer::Connection;
use crate::trips::{End, Latency, Trip, Trips};

/// The burst that passes without saved-up capacity.
const BURST: u64 = 128 << 10;

/// The most pieces that are under way in one direction.
const MOST_PIECES: usize = 1024;

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

/// The network between a client and a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network {
    /// How many bytes a second pass from the server, over all connections.
    pub rate: Option<u64>,
    /// How long everything is under way.
    pub latency: Latency,
}

/// A TCP proxy for a server on this machine.
#[derive(Debug)]
pub struct Proxy {
    /// Its address.
    pub port: u16,
    received: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    breaks: Arc<Mutex<VecDeque<Break>>>,
    /// How all connections that exist break.
    all_break: watch::Sender<Option<Breakage>>,
    trips: Trips,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.trips.end();
    }
}

impl Proxy {
    /// A proxy for `port`.
    ///
    /// # Errors
    /// It can't listen on any port.
    pub async fn start(port: u16, network: Network) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen as a proxy")?;
        let own = listener.local_addr()?.port();
        let [received, connections] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
        let accepted = Arc::clone(&connections);
        let (all_break, breaking) = watch::channel(None);
        let breaks = Arc::<Mutex<VecDeque<Break>>>::default();
        let waiting = Arc::clone(&breaks);
        let trips = Trips::new(network.latency);
        let way = Way {
            to_break: None,
            received: Arc::clone(&received),
            bucket: network.rate.map(|rate| Arc::new(Mutex::new(TokenBucket::new(rate, Instant::now())))),
            trips: trips.clone(),
        };
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(connection) = Connection::of(&client) else { continue };
                let to_break = waiting.lock().await.pop_front().map(|to_break| (to_break, connection));
                accepted.fetch_add(1, Ordering::SeqCst);
                let mut breaking = breaking.clone();
                breaking.mark_unchanged();
                tokio::spawn(connect_until(breaking, client, port, Way { to_break, ..way.clone() }));
            }
        });
        Ok(Self { port: own, received, connections, breaks, all_break, trips, task })
    }

    /// Breaks the next connection that isn't to break yet.
    pub async fn break_next(&self, to_break: Break) {
        self.breaks.lock().await.push_back(to_break);
    }

    /// Closes all connections that exist.
    pub fn cut(&self) {
        self.all_break.send_replace(Some(Breakage::Close));
    }

    /// Sends nothing any more over the connections that exist, which stay open.
    pub fn silence(&self) {
        self.all_break.send_replace(Some(Breakage::Silence));
    }

    /// The number of connections so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// The bytes from the server so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// The round trips so far, as [`crate::trips`] defines them. Those of an exchange are the
    /// difference between two calls.
    pub fn round_trips(&self) -> u64 {
        self.trips.round_trips()
    }
}

/// The way of a connection's bytes.
#[derive(Clone, Debug)]
struct Way {
    received: Arc<AtomicU64>,
    to_break: Option<(Break, Connection)>,
    bucket: Option<Arc<Mutex<TokenBucket>>>,
    trips: Trips,
}

/// Bytes under way.
type Pieces = mpsc::Sender<(Trip, Vec<u8>)>;

/// Serves a connection until all break.
async fn connect_until(mut breaking: watch::Receiver<Option<Breakage>>, client: TcpStream, port: u16, way: Way) {
    let mut connection = pin!(connect(client, port, way));
    tokio::select! {
        () = &mut connection => {}
        Ok(()) = breaking.changed() => {
            if matches!(*breaking.borrow(), Some(Breakage::Silence)) {
                // Keeps its ends open without serving it.
                breaking.wait_for(|_| false).await.ok();
            }
        }
    }
}

async fn connect(client: TcpStream, port: u16, way: Way) {
    client.set_nodelay(true).ok();
    let (from_client, to_client) = client.into_split();
    // SYN and SYN-ACK. Before that, a client can't send anything.
    way.trips.make(End::Server).await;
    way.trips.make(End::Client).await;
    let (sent, asked) = mpsc::channel(MOST_PIECES);
    let server = async {
        way.trips.make(End::Server).await;
        let server = TcpStream::connect(("127.0.0.1", port)).await?;
        server.set_nodelay(true)?;
        let (from_server, to_server) = server.into_split();
        let (said, answered) = mpsc::channel(MOST_PIECES);
        tokio::try_join!(
            way.deliver(asked, to_server),
            way.take_from_server(from_server, said),
            way.deliver(answered, to_client),
        )
    };
    // An error means that one side disconnected. Then disconnect the other.
    tokio::try_join!(way.take(from_client, End::Server, sent), server).ok();
}

impl Way {
    /// Takes what one end sends.
    async fn take(&self, mut from: OwnedReadHalf, to: End, pieces: Pieces) -> std::io::Result<()> {
        while let Some(piece) = read(&mut from).await? {
            if pieces.send((self.trips.start(to), piece)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// The same, as slow and as broken as the network is.
    async fn take_from_server(&self, mut from: OwnedReadHalf, pieces: Pieces) -> std::io::Result<()> {
        let mut passed = 0;
        while let Some(piece) = read(&mut from).await? {
            let length = piece.len() as u64;
            self.received.fetch_add(length, Ordering::SeqCst);
            passed += length;
            if let Some((Break { after, by }, connection)) = self.to_break
                && passed > after
            {
                match by {
                    Breakage::Close => {}
                    Breakage::Silence => std::future::pending().await,
                    Breakage::Kill => connection.kill_client().map_err(std::io::Error::other)?,
                }
                // What was sent before still arrives.
                pieces.reserve_many(MOST_PIECES).await.ok();
                return Err(std::io::ErrorKind::ConnectionReset.into());
            }
            if let Some(bucket) = &self.bucket {
                let wait = bucket.lock().await.take(length, Instant::now());
                tokio::time::sleep(wait).await;
            }
            if pieces.send((self.trips.start(End::Client), piece)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Hands over what arrives, in its order.
    async fn deliver(
        &self,
        mut pieces: mpsc::Receiver<(Trip, Vec<u8>)>,
        mut to: OwnedWriteHalf,
    ) -> std::io::Result<()> {
        while let Some((trip, piece)) = pieces.recv().await {
            self.trips.finish(trip).await;
            to.write_all(&piece).await?;
        }
        to.shutdown().await
    }
}

async fn read(from: &mut OwnedReadHalf) -> std::io::Result<Option<Vec<u8>>> {
    let mut piece = vec![0; 64 << 10];
    let length = from.read(&mut piece).await?;
    piece.truncate(length);
    Ok((length > 0).then_some(piece))
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
        let proxy = Proxy::start(server.local_addr().unwrap().port(), Network::default()).await.unwrap();
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
