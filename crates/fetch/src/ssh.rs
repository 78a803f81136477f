//! An authenticated SSH session with a Git host that runs one program.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use contract::AllowedHost;
use russh::{
    Channel, ChannelMsg, Disconnect,
    client::{Config, Handle, Handler, Msg, connect_stream},
    keys::PublicKeyOrCertificate,
};
use tokio::{net::TcpStream, task::JoinHandle};

use crate::{
    FetchError, Remote, SshAccess, algorithms,
    known_hosts::{self, KnownHosts, Verdict},
    limits::Late,
};

/// How long a connection waits for its key. Hosts disconnect clients that don't log in: OpenSSH
/// after two minutes by default.
const WAIT_FOR_KEY: Duration = Duration::from_secs(10);

/// A connection to a host that begins before the key for it is known, for the first [`SshAccess`]
/// to it: its three round trips pass while the key is read. The host's key is verified in it, and
/// nothing about us is sent.
#[derive(Clone)]
pub struct Connecting {
    host: Arc<AllowedHost>,
    begun: Instant,
    task: Arc<Mutex<Option<Task>>>,
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Ends when it is dropped.
struct Task(JoinHandle<Result<Handle<HostKeyCheck>, FetchError>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connecting {
    /// Connects to this host. Must be called within the runtime.
    pub(crate) fn start(host: &AllowedHost, known_hosts: &KnownHosts) -> Self {
        let (own, known_hosts) = (host.clone(), known_hosts.clone());
        let task = tokio::spawn(async move { connect(&own, &known_hosts).await });
        Self { host: Arc::new(host.clone()), begun: Instant::now(), task: Arc::new(Mutex::new(Some(Task(task)))) }
    }

    /// The connection to this host, unless another session has it or it has waited too long.
    async fn take(&self, host: &AllowedHost) -> Option<Result<Handle<HostKeyCheck>, FetchError>> {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut task = task.filter(|_| *self.host == *host && self.begun.elapsed() < WAIT_FOR_KEY)?;
        (&mut task.0).await.ok()
    }
}

/// An open session.
pub(crate) struct Session {
    handle: Handle<HostKeyCheck>,
    opened: Instant,
}

impl Session {
    /// Connects, checks the host key and logs in.
    pub(crate) async fn open(
        remote: &Remote,
        access: &SshAccess,
        known_hosts: &KnownHosts,
    ) -> Result<Self, FetchError> {
        let limit = remote.limits.connect;
        match remote.limits.keep(limit, Self::open_unlimited(remote, access, known_hosts)).await {
            Ok(result) => result,
            Err(Late::Step) => Err(FetchError::Slow { host: known_hosts::name(&remote.host), after: limit }),
            Err(Late::Deadline) => Err(FetchError::Deadline { repository: remote.repository.clone() }),
        }
    }

    async fn open_unlimited(remote: &Remote, access: &SshAccess, known_hosts: &KnownHosts) -> Result<Self, FetchError> {
        let begun = match &access.connecting {
            Some(connecting) => connecting.take(&remote.host).await,
            None => None,
        };
        let mut handle = match begun {
            Some(connected) => connected?,
            None => connect(&remote.host, known_hosts).await?,
        };
        authenticate(&mut handle, remote, access).await?;
        Ok(Self { handle, opened: Instant::now() })
    }

    /// When it logged in.
    pub(crate) fn opened(&self) -> Instant {
        self.opened
    }

    /// Whether the host hasn't closed it, as far as we know.
    pub(crate) fn is_open(&self) -> bool {
        !self.handle.is_closed()
    }

    /// Runs a program, and requests version 2 of Git's protocol if both sides support it.
    pub(crate) async fn run(&self, remote: &Remote, command: &str) -> Result<Channel<Msg>, FetchError> {
        let limit = remote.limits.connect;
        let channel = remote.limits.keep(limit, self.run_unlimited(remote, command)).await;
        channel.map_err(|late| late.into_error(&remote.repository, limit))?
    }

    async fn run_unlimited(&self, remote: &Remote, command: &str) -> Result<Channel<Msg>, FetchError> {
        let failed = session_error(&remote.host);
        let mut channel = self.handle.channel_open_session().await.map_err(&failed)?;
        // <https://git-scm.com/docs/protocol-v2>: servers without it respond with version 0.
        channel.set_env(false, "GIT_PROTOCOL", "version=2").await.map_err(&failed)?;
        channel.exec(true, command).await.map_err(&failed)?;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => return Ok(channel),
                Some(ChannelMsg::Failure) => return Err(failed(russh::Error::RequestDenied)),
                None | Some(ChannelMsg::Close) => return Err(failed(russh::Error::Disconnect)),
                Some(_) => {}
            }
        }
    }

    /// Disconnects without waiting for a response.
    pub(crate) async fn close(self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "");
        if tokio::time::timeout(Duration::from_secs(1), goodbye).await.is_err() {
            tracing::debug!("could not close the SSH session");
        }
    }
}

/// Connects and checks the host key.
async fn connect(host: &AllowedHost, known_hosts: &KnownHosts) -> Result<Handle<HostKeyCheck>, FetchError> {
    let no_connection = |source| FetchError::Connect { host: format!("{}:{}", host.ssh.host, host.ssh.port), source };
    let stream = TcpStream::connect((host.ssh.host.as_str(), host.ssh.port)).await.map_err(no_connection)?;
    stream.set_nodelay(true).map_err(no_connection)?;
    let config = Config {
        preferred: algorithms::offered(known_hosts.algorithms(host)),
        keepalive_interval: Some(Duration::from_secs(15)),
        ..Config::default()
    };
    let check = HostKeyCheck { host: host.clone(), known_hosts: known_hosts.clone() };
    connect_stream(Arc::new(config), stream, check).await.map_err(|error| error.into_fetch_error(host))
}

fn session_error(host: &AllowedHost) -> impl Fn(russh::Error) -> FetchError {
    let host = known_hosts::name(host);
    move |source| match source {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            let (kind, offered) = (algorithms::name(&kind), theirs.join(", "));
            FetchError::NoCommonAlgorithm { host: host.clone(), kind, offered }
        }
        source => FetchError::Session { host: host.clone(), source },
    }
}

async fn authenticate(
    handle: &mut Handle<HostKeyCheck>,
    remote: &Remote,
    access: &SshAccess,
) -> Result<(), FetchError> {
    let failed = session_error(&remote.host);
    if access.key.log_in(handle, &remote.host.ssh.user).await.map_err(&failed)? {
        return Ok(());
    }
    Err(FetchError::KeyRefused {
        host: known_hosts::name(&remote.host),
        user: remote.host.ssh.user.clone(),
        fingerprint: access.key.fingerprint(),
    })
}

/// Verifies the host's key.
struct HostKeyCheck {
    host: AllowedHost,
    known_hosts: KnownHosts,
}

/// Why a connection got no session.
#[derive(Debug)]
enum NoSession {
    HostKey(Box<FetchError>),
    Ssh(russh::Error),
}

impl From<russh::Error> for NoSession {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl NoSession {
    fn into_fetch_error(self, host: &AllowedHost) -> FetchError {
        match self {
            Self::HostKey(error) => *error,
            Self::Ssh(source) => session_error(host)(source),
        }
    }
}

impl Handler for HostKeyCheck {
    type Error = NoSession;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, NoSession> {
        // Certificates aren't requested, so none should come. If one does, it is refused.
        let PublicKeyOrCertificate::PublicKey { key, .. } = offered else { return Ok(false) };
        let host = known_hosts::name(&self.host);
        let (kind, fingerprint) = (key.algorithm().to_string(), known_hosts::fingerprint(key));
        Err(NoSession::HostKey(Box::new(match self.known_hosts.check(&self.host, key) {
            Verdict::Known => return Ok(true),
            Verdict::Different => FetchError::HostKeyWrong { host, kind, fingerprint },
            Verdict::Unknown => FetchError::HostKeyUnknown { host, kind, fingerprint },
            Verdict::Revoked => FetchError::HostKeyRevoked { host, kind, fingerprint },
        })))
    }
}
