//! Connects gix, which blocks a thread, with russh, which is asynchronous. It limits every wait,
//! counts received bytes, and keeps the host's standard error, which contains its refusals.

use std::{
    future::Future,
    io::{self, Read, Write},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use contract::Repository;
use gix::protocol::transport::{
    Protocol,
    client::git::{ConnectMode, blocking_io::Connection},
};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client::Msg};
use tokio::runtime::Handle;

use crate::{FetchError, Limits, limits::Late};

/// The packet with which a client ends the exchange.
const FLUSH: Bytes = Bytes::from_static(b"0000");

/// How long the host may take to end the exchange after us.
const GOODBYE: Duration = Duration::from_secs(1);

/// The most that the host may send about its references, in bytes. It is held in memory. A hundred
/// thousand references take about eight million.
const REFERENCES: (u64, &str) = (64 << 20, "64 MiB");

/// The most that it may send after that and before the pack: one line for each common shallow
/// boundary, of which there are about a hundred.
const ANSWER: (u64, &str) = (256 << 10, "256 KiB");

/// The most that is kept of the host's error message, in bytes.
const SAID_LIMIT: usize = 500;

/// gix's transport.
pub(crate) type Transport = Connection<Incoming, Outgoing>;

/// Connects gix to a channel that runs `git-upload-pack`.
pub(crate) fn over(channel: Channel<Msg>, limits: Limits, repository: &Repository) -> (Transport, Arc<Wire>) {
    let (reader, writer) = channel.split();
    let wire = Arc::new(Wire {
        limits,
        runtime: Handle::current(),
        received: AtomicU64::new(0),
        most: AtomicU64::new(REFERENCES.0),
        broken: OnceLock::new(),
        said: Mutex::new(Vec::new()),
    });
    let incoming = Incoming { channel: reader, pending: Bytes::new(), wire: Arc::clone(&wire) };
    let outgoing = Outgoing { channel: writer, wire: Arc::clone(&wire) };
    let path = repository.path.as_str();
    let host: Option<(String, Option<u16>)> = None;
    (Connection::new(incoming, outgoing, Protocol::V2, path, host, ConnectMode::Process, false), wire)
}

/// An exchange that we have ended.
pub(crate) struct Ended {
    channel: ChannelReadHalf,
    wire: Arc<Wire>,
    /// Dropping this closes it.
    _outgoing: Outgoing,
}

/// Ends the exchange as Git does.
pub(crate) fn end(transport: Transport) -> Ended {
    let (Incoming { channel, wire, .. }, outgoing) = transport.into_inner();
    let farewell = async {
        // It may have ended already.
        outgoing.channel.data_bytes(FLUSH).await.ok();
        outgoing.channel.eof().await.ok();
    };
    wire.runtime.block_on(wire.limits.keep(GOODBYE, farewell)).ok();
    Ended { channel, wire, _outgoing: outgoing }
}

/// Waits until the host has sent all its messages.
pub(crate) fn hear_out(Ended { mut channel, wire, _outgoing }: Ended) {
    let farewell = async {
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::ExtendedData { data, .. } => wire.hear(&data),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
    };
    if wire.runtime.block_on(wire.limits.keep(GOODBYE, farewell)).is_err() {
        tracing::debug!("could not end the exchange with the host");
    }
}

/// The state of the connection, during its life and after.
#[derive(Debug)]
pub(crate) struct Wire {
    limits: Limits,
    runtime: Handle,
    received: AtomicU64,
    /// The limit for received bytes.
    most: AtomicU64,
    broken: OnceLock<Broken>,
    said: Mutex<Vec<u8>>,
}

#[derive(Debug, Clone, Copy)]
enum Broken {
    Lost,
    Late(Late),
    Talkative,
}

impl Wire {
    /// All references are received.
    pub(crate) fn expect_answer(&self) {
        self.most.store(self.received().saturating_add(ANSWER.0), Ordering::Relaxed);
    }

    /// Lifts the limit: a pack is written to disk.
    pub(crate) fn expect_pack(&self) {
        self.most.store(u64::MAX, Ordering::Relaxed);
    }

    /// Received bytes of Git's protocol, without SSH's overhead.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// The connection's own error, if it caused the failure.
    pub(crate) fn blame(&self, repository: &Repository) -> Option<FetchError> {
        match self.broken.get()? {
            Broken::Lost => Some(FetchError::Lost { repository: repository.clone() }),
            Broken::Late(late) => Some(late.into_error(repository, self.limits.idle)),
            Broken::Talkative => {
                let (_, limit) = if self.most.load(Ordering::Relaxed) == REFERENCES.0 { REFERENCES } else { ANSWER };
                Some(FetchError::Talkative { repository: repository.clone(), limit })
            }
        }
    }

    /// The host's standard error in one line, if any.
    pub(crate) fn said(&self) -> Option<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        Some(in_one_line(&said)).filter(|said| !said.is_empty())
    }

    fn wait<T>(&self, work: impl Future<Output = Option<T>>) -> io::Result<T> {
        if let Some(broken) = self.broken.get() {
            return Err(error(*broken));
        }
        match self.runtime.block_on(self.limits.keep(self.limits.idle, work)) {
            Ok(Some(result)) => Ok(result),
            Ok(None) => Err(self.break_off(Broken::Lost)),
            Err(late) => Err(self.break_off(Broken::Late(late))),
        }
    }

    fn break_off(&self, broken: Broken) -> io::Error {
        error(*self.broken.get_or_init(|| broken))
    }

    fn hear(&self, bytes: &[u8]) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let room = SAID_LIMIT.saturating_sub(said.len()).min(bytes.len());
        said.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }
}

/// The message for a log, shortened.
pub(crate) fn in_one_line(said: &[u8]) -> String {
    let said = said.get(..SAID_LIMIT).unwrap_or(said);
    String::from_utf8_lossy(said).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn error(broken: Broken) -> io::Error {
    match broken {
        Broken::Lost => io::Error::new(io::ErrorKind::ConnectionAborted, "the SSH session ended"),
        Broken::Late(Late::Step) => io::Error::new(io::ErrorKind::TimedOut, "the host sent nothing"),
        Broken::Talkative => io::Error::new(io::ErrorKind::InvalidData, "the host sent too much"),
        Broken::Late(Late::Deadline) => io::Error::new(io::ErrorKind::TimedOut, "time ran out"),
    }
}

/// The host's standard output.
pub(crate) struct Incoming {
    channel: ChannelReadHalf,
    pending: Bytes,
    wire: Arc<Wire>,
}

impl Incoming {
    /// The next bytes. Empty when the program has ended.
    fn next(&mut self) -> io::Result<Bytes> {
        loop {
            match self.wire.wait(self.channel.wait())? {
                ChannelMsg::Data { data } => {
                    let before = self.wire.received.fetch_add(data.len() as u64, Ordering::Relaxed);
                    if before.saturating_add(data.len() as u64) > self.wire.most.load(Ordering::Relaxed) {
                        return Err(self.wire.break_off(Broken::Talkative));
                    }
                    return Ok(data);
                }
                ChannelMsg::ExtendedData { data, .. } => self.wire.hear(&data),
                // After the end of standard output, standard error may still follow, so this reads
                // until the channel closes.
                ChannelMsg::Close => return Ok(Bytes::new()),
                _ => {}
            }
        }
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.pending.is_empty() {
            self.pending = self.next()?;
        }
        let bytes = self.pending.split_to(self.pending.len().min(buffer.len()));
        let (filled, _) = buffer.split_at_mut(bytes.len());
        filled.copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

/// The host's standard input.
pub(crate) struct Outgoing {
    channel: ChannelWriteHalf<Msg>,
    wire: Arc<Wire>,
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let data = Bytes::copy_from_slice(bytes);
        self.wire.wait(async { self.channel.data_bytes(data).await.ok() })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
