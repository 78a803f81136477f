//! The state of a connection that gix reads from: it limits every wait, counts received bytes, and
//! keeps why it broke and what the host told its user.

use std::{
    future::Future,
    io,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use contract::Repository;
use tokio::runtime::Handle;

use crate::{FetchError, Limits, limits::Late};

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

/// The state of the connection, during its life and after.
#[derive(Debug)]
pub(crate) struct Wire {
    limits: Limits,
    runtime: Handle,
    received: AtomicU64,
    /// The limit for received bytes.
    most: AtomicU64,
    broken: OnceLock<Broken>,
    /// Why the host didn't serve a request.
    failed: Mutex<Option<FetchError>>,
    /// What was sent ahead and hasn't come up in the conversation yet.
    ahead: Mutex<Bytes>,
    said: Mutex<Vec<u8>>,
}

#[derive(Debug, Clone, Copy)]
enum Broken {
    Lost,
    Late(Late),
    Talkative,
    Failed,
}

impl Wire {
    /// Must be called within the runtime.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            runtime: Handle::current(),
            received: AtomicU64::new(0),
            most: AtomicU64::new(REFERENCES.0),
            broken: OnceLock::new(),
            failed: Mutex::default(),
            ahead: Mutex::default(),
            said: Mutex::default(),
        }
    }

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
            Broken::Failed => self.failed.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }

    /// The host's standard error in one line, if any.
    pub(crate) fn said(&self) -> Option<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        Some(in_one_line(&said)).filter(|said| !said.is_empty())
    }

    /// Waits for the host. `None` from `work` means that the connection is lost.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = Option<T>>) -> io::Result<T> {
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

    /// Waits briefly for the end of an exchange.
    pub(crate) fn part(&self, farewell: impl Future<Output = ()>) -> Result<(), Late> {
        self.runtime.block_on(self.limits.keep(GOODBYE, farewell))
    }

    /// Ends the exchange because the host doesn't serve a request.
    pub(crate) fn fail(&self, cause: FetchError) -> io::Error {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
        self.break_off(Broken::Failed)
    }

    /// Notes what was sent before its turn.
    pub(crate) fn note_ahead(&self, bytes: Bytes) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
    }

    /// How many of the next bytes to the host have been sent ahead.
    ///
    /// # Errors
    /// Others were sent.
    pub(crate) fn skip_sent(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = ahead.len().min(bytes.len());
        if ahead.get(..sent) != bytes.get(..sent) {
            return Err(io::Error::other("the host got another request ahead"));
        }
        ahead.advance(sent);
        Ok(sent)
    }

    /// Counts received bytes, unless they are too many.
    pub(crate) fn count(&self, bytes: usize) -> io::Result<()> {
        let before = self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        if before.saturating_add(bytes as u64) > self.most.load(Ordering::Relaxed) {
            return Err(self.break_off(Broken::Talkative));
        }
        Ok(())
    }

    /// Keeps what the host tells its user.
    pub(crate) fn hear(&self, bytes: &[u8]) {
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
        Broken::Lost => io::Error::new(io::ErrorKind::ConnectionAborted, "the connection ended"),
        Broken::Late(Late::Step) => io::Error::new(io::ErrorKind::TimedOut, "the host sent nothing"),
        Broken::Talkative => io::Error::new(io::ErrorKind::InvalidData, "the host sent too much"),
        Broken::Failed => io::Error::other("the host refused the request"),
        Broken::Late(Late::Deadline) => io::Error::new(io::ErrorKind::TimedOut, "time ran out"),
    }
}
