//! The bridge between gix, which reads and writes on a thread that may block, and russh, which
//! works on the runtime. It limits every wait, counts what arrives, and keeps what the host says on
//! its standard error, which is where a refusal stands.

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

/// The packet by which a client says that it wants nothing more.
const FLUSH: Bytes = Bytes::from_static(b"0000");

/// How long the host may take to end the conversation once we have.
const GOODBYE: Duration = Duration::from_secs(1);

/// How much the host may say of its references, in bytes: it is held in memory. A hundred thousand
/// take some eight million.
const REFERENCES: (u64, &str) = (64 << 20, "64 MiB");

/// How much it may say then before the pack: a line for each commit that it and we end at, of which
/// there are some hundred.
const ANSWER: (u64, &str) = (256 << 10, "256 KiB");

/// How much of the host's complaint is kept, in bytes.
const SAID_LIMIT: usize = 500;

/// What gix talks to.
pub(crate) type Transport = Connection<Incoming, Outgoing>;

/// Connects gix to a channel on which `git-upload-pack` runs.
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

/// A conversation that the host has been told is over.
pub(crate) struct Ended {
    channel: ChannelReadHalf,
    wire: Arc<Wire>,
    /// It is closed when this is dropped.
    _outgoing: Outgoing,
}

/// Says as Git does that the conversation is over.
pub(crate) fn end(transport: Transport) -> Ended {
    let (Incoming { channel, wire, .. }, outgoing) = transport.into_inner();
    let farewell = async {
        // It may have gone already.
        outgoing.channel.data_bytes(FLUSH).await.ok();
        outgoing.channel.eof().await.ok();
    };
    wire.runtime.block_on(wire.limits.keep(GOODBYE, farewell)).ok();
    Ended { channel, wire, _outgoing: outgoing }
}

/// Waits until the host has said all that it has to say beside the conversation.
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
        tracing::debug!("the host took no goodbye");
    }
}

/// What is known of the connection, while it lives and after.
#[derive(Debug)]
pub(crate) struct Wire {
    limits: Limits,
    runtime: Handle,
    received: AtomicU64,
    /// What may be received.
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
    /// All that was asked of its references is known.
    pub(crate) fn expect_answer(&self) {
        self.most.store(self.received().saturating_add(ANSWER.0), Ordering::Relaxed);
    }

    /// From here on there is no end of what may be received: a pack is written to disk.
    pub(crate) fn expect_pack(&self) {
        self.most.store(u64::MAX, Ordering::Relaxed);
    }

    /// Bytes of Git's protocol received so far, without what SSH adds.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// What the connection itself has to say about a failure, if it is to blame.
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

    /// What the host said on its standard error, if anything, in one line.
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

/// What was said, as a log takes it: shortened.
pub(crate) fn in_one_line(said: &[u8]) -> String {
    let said = said.get(..SAID_LIMIT).unwrap_or(said);
    String::from_utf8_lossy(said).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn error(broken: Broken) -> io::Error {
    match broken {
        Broken::Lost => io::Error::new(io::ErrorKind::ConnectionAborted, "the SSH session ended"),
        Broken::Late(Late::Step) => io::Error::new(io::ErrorKind::TimedOut, "the host sent nothing"),
        Broken::Talkative => io::Error::new(io::ErrorKind::InvalidData, "the host says too much"),
        Broken::Late(Late::Deadline) => io::Error::new(io::ErrorKind::TimedOut, "the time is over"),
    }
}

/// The host's standard output.
pub(crate) struct Incoming {
    channel: ChannelReadHalf,
    pending: Bytes,
    wire: Arc<Wire>,
}

impl Incoming {
    /// The next bytes; none when the program has ended.
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
                // After the end of the output its standard error may still come, so this goes on to
                // the close.
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
