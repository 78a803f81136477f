//! Sessions with hosts that stay open between fetches: at a distant host, the next fetch then waits
//! three times instead of nine. A session serves only the address and the key that it was opened
//! with, one fetch at a time, and no longer than a cached key is used.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use contract::AllowedHost;
use russh::{Channel, client::Msg};

use crate::{
    FetchError, Limits, Remote, SshAccess,
    known_hosts::KnownHosts,
    ssh::{Connecting, Session},
};

/// How long after its login a session is used. A key that was removed at the host, or a host key
/// that was replaced, is noticed after that.
const MAX_AGE: Duration = Duration::from_mins(5);

/// The most sessions that wait for a fetch. Hosts limit connections, and so do networks.
const MOST: usize = 4;

/// How long a kept session may take to answer. After that, a new one is opened: networks drop idle
/// connections without a word.
const ANSWER: Duration = Duration::from_secs(3);

/// The sessions of a process, and the host keys that they trust. Clones share them.
#[derive(Clone)]
pub struct Sessions {
    known_hosts: KnownHosts,
    kept: Arc<Mutex<Vec<Kept>>>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// A session that no fetch uses.
struct Kept {
    host: AllowedHost,
    fingerprint: String,
    session: Session,
}

impl Kept {
    fn is_usable(&self) -> bool {
        self.session.is_open() && self.session.opened().elapsed() < MAX_AGE
    }
}

impl Sessions {
    /// No sessions. New ones trust these keys of hosts.
    pub fn new(known_hosts: KnownHosts) -> Self {
        Self { known_hosts, kept: Arc::default() }
    }

    /// Connects to a host before its key is known, unless a session is open already. Must be called
    /// within the runtime.
    pub fn connect_early(&self, host: &AllowedHost) -> Option<Connecting> {
        let is_open = self.lock().iter().any(|kept| kept.host == *host && kept.is_usable());
        (!is_open).then(|| Connecting::start(host, &self.known_hosts))
    }

    /// Runs a program on the host, in a session that was kept or in a new one.
    pub(crate) async fn run(
        &self,
        remote: &Remote,
        access: &SshAccess,
        command: &str,
    ) -> Result<(Channel<Msg>, Session), FetchError> {
        if let Some(session) = self.take(&remote.host, &access.key.fingerprint()) {
            let limits = Limits { connect: ANSWER.min(remote.limits.connect), ..remote.limits };
            match session.run(&Remote { limits, ..remote.clone() }, command).await {
                Ok(channel) => return Ok((channel, session)),
                Err(error) => {
                    tracing::debug!(%error, "a kept session doesn't serve any more: opening another one");
                    session.close().await;
                }
            }
        }
        let session = Session::open(remote, access, &self.known_hosts).await?;
        match session.run(remote, command).await {
            Ok(channel) => Ok((channel, session)),
            Err(error) => {
                session.close().await;
                Err(error)
            }
        }
    }

    /// Takes a session back: keeps one that has served, for the next fetch with the same key, and
    /// closes any other.
    pub(crate) async fn take_back(&self, host: &AllowedHost, access: &SshAccess, session: Session, has_served: bool) {
        if !has_served {
            session.close().await;
            return;
        }
        let kept = Kept { host: host.clone(), fingerprint: access.key.fingerprint(), session };
        let mut all = self.lock();
        all.push(kept);
        let surplus = all.len().saturating_sub(MOST);
        let removed: Vec<_> = all.drain(..surplus).collect();
        drop(all);
        close(removed);
    }

    fn take(&self, host: &AllowedHost, fingerprint: &str) -> Option<Session> {
        let mut all = self.lock();
        let (usable, others): (Vec<_>, Vec<_>) = all.drain(..).partition(Kept::is_usable);
        *all = usable;
        let found = all.iter().rposition(|kept| kept.host == *host && kept.fingerprint == fingerprint);
        let taken = found.map(|index| all.remove(index).session);
        drop(all);
        close(others);
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes sessions without waiting for that.
fn close(sessions: Vec<Kept>) {
    for kept in sessions {
        tokio::spawn(kept.session.close());
    }
}
