//! Why a reference could not be fetched, whether a retry can help, and what a person can do.

use std::{io, path::PathBuf, time::Duration};

use contract::{RefName, Repository, Retry};
use https::HttpsError;

use crate::wanted::Wanted;

/// Why a reference could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The TCP connection failed.
    #[error("could not connect to {host}")]
    Connect {
        /// Host and port.
        host: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The connection was made, but the SSH session failed.
    #[error("could not open an SSH session with {host}")]
    Session {
        /// The host, as `known_hosts` names it.
        host: String,
        /// The cause.
        source: russh::Error,
    },
    /// Client and server have no algorithm in common.
    #[error("{host} offers no supported {kind}, only {offered}")]
    NoCommonAlgorithm {
        /// The host, as `known_hosts` names it.
        host: String,
        /// The purpose, with the name of OpenSSH's setting.
        kind: &'static str,
        /// What the host offers.
        offered: String,
    },
    /// Connection, host key and authentication together took too long.
    #[error("{host} opened no SSH session within {after:?}")]
    Slow {
        /// The time limit.
        host: String,
        /// How long it was given.
        after: Duration,
    },
    /// No line of the known hosts names the host.
    #[error("the host key of {host} is unknown: it offered {kind} {fingerprint}")]
    HostKeyUnknown {
        /// The host, as `known_hosts` names it.
        host: String,
        /// The key's type.
        kind: String,
        /// The key's fingerprint, `SHA256:...`.
        fingerprint: String,
    },
    /// The known hosts have other keys of the host: somebody may be impersonating it.
    #[error("the host key of {host} is wrong: it offered {kind} {fingerprint}, which isn't one of its known keys")]
    HostKeyWrong {
        /// The host, as `known_hosts` names it.
        host: String,
        /// The key's type.
        kind: String,
        /// The key's fingerprint, `SHA256:...`.
        fingerprint: String,
    },
    /// The known hosts revoke this key.
    #[error("the host key of {host} is revoked: it offered {kind} {fingerprint}")]
    HostKeyRevoked {
        /// The host, as `known_hosts` names it.
        host: String,
        /// The key's type.
        kind: String,
        /// The key's fingerprint, `SHA256:...`.
        fingerprint: String,
    },
    /// The host refuses our key.
    #[error("{host} refused the SSH key {fingerprint} of user {user}")]
    KeyRefused {
        /// The host, as `known_hosts` names it.
        host: String,
        /// The login user.
        user: String,
        /// Our key's fingerprint, `SHA256:...`.
        fingerprint: String,
    },
    /// The host accepts our key, but doesn't serve the repository to it. Hosts don't distinguish a
    /// missing repository from one that the key may not read, so an operator may be about to fix
    /// it.
    #[error("the host does not serve {repository} to this key: {said:?}")]
    Refused {
        /// The repository.
        repository: Repository,
        /// The host's message, shortened.
        said: String,
    },
    /// The host gives no access to large files: it has no Git LFS, or not over SSH, or not for this
    /// key.
    #[error("the host gives no access to the large files (Git LFS) of {repository}: {said:?}")]
    Lfs {
        /// The repository.
        repository: Repository,
        /// The host's message, shortened.
        said: String,
    },
    /// The host requires a token, and there is none for it.
    #[error("{host} serves {repository} only with a token, and there is none for it")]
    NoToken {
        /// The host.
        host: String,
        /// The repository.
        repository: Repository,
    },
    /// The host doesn't serve a request over HTTPS.
    #[error("could not fetch {repository} over HTTPS")]
    Https {
        /// The repository.
        repository: Repository,
        /// The cause.
        source: HttpsError,
    },
    /// The connection broke during the transfer.
    #[error("lost the connection while fetching {repository}")]
    Lost {
        /// The repository.
        repository: Repository,
    },
    /// The server stopped sending during the transfer.
    #[error("the host sent nothing for {after:?} while fetching {repository}")]
    Silent {
        /// The repository.
        repository: Repository,
        /// The time limit.
        after: Duration,
    },
    /// The host sent too many references, or too many shallow boundaries.
    #[error("the host sent more than {limit} for {repository} before the pack")]
    Talkative {
        /// The repository.
        repository: Repository,
        /// The limit.
        limit: &'static str,
    },
    /// The deadline passed.
    #[error("time ran out before {repository} was fetched")]
    Deadline {
        /// The repository.
        repository: Repository,
    },
    /// The host didn't follow Git's protocol.
    #[error("the exchange with the host about {repository} failed")]
    Conversation {
        /// The repository.
        repository: Repository,
        /// The cause.
        source: gix::Error,
    },
    /// The reference was deleted meanwhile. Its stored zip remains.
    #[error("{repository} has no {reference}")]
    NoSuchReference {
        /// The repository.
        repository: Repository,
        /// The reference.
        reference: RefName,
    },
    /// There is no commit yet.
    #[error("{repository} is empty")]
    Empty {
        /// The repository.
        repository: Repository,
    },
    /// A tag names a tree or a blob.
    #[error("{wanted} of {repository} names a {kind}, expected a commit")]
    NotACommit {
        /// The repository.
        repository: Repository,
        /// What points to it.
        wanted: Wanted,
        /// The type of the object.
        kind: String,
    },
    /// Even Git doesn't accept it as a commit. The clone has it as it was pushed.
    #[error("{id} of {repository} is not a commit that Git can read")]
    Malformed {
        /// The repository.
        repository: Repository,
        /// The ID of the invalid commit.
        id: String,
        /// The cause.
        source: pack::NoCommit,
    },
    /// Its objects are named by SHA-256.
    #[error("{repository} has the object format {format}, only sha1 is supported")]
    ObjectFormat {
        /// The repository.
        repository: Repository,
        /// The host's object format.
        format: String,
    },
    /// The pack could not be received or written.
    #[error("could not receive the pack of {repository}")]
    Receive {
        /// The repository.
        repository: Repository,
        /// The cause.
        source: gix::Error,
    },
    /// An object in the pack needs too much memory: a bomb, or something that doesn't belong in a
    /// repository.
    #[error("the pack of {repository} exceeds a limit")]
    TooLarge {
        /// The repository.
        repository: Repository,
        /// What is too large.
        source: gix::Error,
    },
    /// An object of the commit is missing from the clone or unreadable, even after a new fetch.
    #[error("the clone of {repository} is incomplete")]
    NotWhole {
        /// The repository.
        repository: Repository,
        /// The cause.
        source: gix::Error,
    },
    /// The clone's directory can't be opened as a repository, even a newly created one.
    #[error("could not open the clone in {path}")]
    OpenClone {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: gix::Error,
    },
    /// The clone's directory can't be created or removed.
    #[error("could not prepare the clone in {path}")]
    PrepareClone {
        /// The directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The disk is full, and nothing else can be removed.
    #[error("not enough disk space for {repository}: {megabytes} MiB were free")]
    NoRoom {
        /// The repository.
        repository: Repository,
        /// What was free after everything else was removed.
        megabytes: u64,
        /// How many other clones were kept because they are in use.
        in_use: usize,
        /// What failed for lack of space.
        source: Box<FetchError>,
    },
    /// Another fetch uses the same directory.
    #[error("the clone in {path} is in use")]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// The thread panicked.
    #[error("the fetch of {repository} stopped")]
    Stopped {
        /// The repository.
        repository: Repository,
        /// How it stopped.
        source: tokio::task::JoinError,
    },
}

impl FetchError {
    /// Whether the same fetch may succeed later.
    pub fn retry(&self) -> Retry {
        match self {
            _ if self.is_gone() => Retry::Obsolete,
            Self::NotACommit { .. }
            | Self::Malformed { .. }
            | Self::Talkative { .. }
            | Self::ObjectFormat { .. }
            | Self::TooLarge { .. }
            | Self::NoRoom { in_use: 0, .. } => Retry::Never,
            Self::Https { source, .. } => source.retry(),
            _ => Retry::Again,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Connect { .. } | Self::Slow { .. } => {
                Some("check host and port in AllowedGitHosts; a host in a private network needs VPCId and SubnetIds")
            }
            Self::NoCommonAlgorithm { .. } => {
                Some("let the SSH server offer one of OpenSSH's defaults too; docs/runbook.md lists what is taken")
            }
            Self::HostKeyUnknown { .. } => Some(
                "ask the host's operator for the fingerprint; if it is this one, add the host's line (ssh-keyscan) to the KnownHosts parameter",
            ),
            Self::HostKeyWrong { .. } => Some(
                "do not go on before the host's operator has confirmed this fingerprint; then add the new line to the KnownHosts parameter",
            ),
            Self::HostKeyRevoked { .. } => Some("somebody may pretend to be the host: ask its operator"),
            Self::KeyRefused { .. } => Some(
                "connect the repository with `infra connect`, or add the stack's PublicSSHKey output to an account that may read it",
            ),
            Self::Refused { .. } => Some(
                "check that the repository wasn't renamed or deleted, and that its key (or the stack's PublicSSHKey) may read it",
            ),
            Self::NoToken { .. } => Some("add a token for the host to the GitToken parameter: host=token"),
            Self::Https { source, .. } => match source {
                HttpsError::Unauthorized { .. } => {
                    Some("the token in GitToken expired or was revoked, or isn't of this host: replace it")
                }
                HttpsError::Forbidden { .. } => Some(
                    "give the token in GitToken the right to read the repository's code, and check the host's list of allowed addresses",
                ),
                HttpsError::NotFound { .. } => Some(
                    "check that the repository wasn't renamed or deleted and that the token in GitToken may read it; hosts hide a private repository from others",
                ),
                HttpsError::Answer { .. } => {
                    Some("check web= of the host's entry in AllowedGitHosts: no Git server answered there")
                }
                other => other.hint(),
            },
            Self::Lfs { .. } => Some(
                "check that the host serves Git LFS over SSH (git-lfs-authenticate) and that the stack's PublicSSHKey may read the repository; Azure DevOps has no LFS over SSH: set Lfs to off there",
            ),
            Self::TooLarge { .. } => Some("use the zipdl endpoint, or make the object smaller and push again"),
            Self::NoRoom { in_use: 0, .. } => Some(
                "the repository, with the submodules that are fetched along, is larger than gitpull's disk (GITPULL_STORAGE of the template): use the zipdl endpoint, which needs none",
            ),
            Self::NoSuchReference { .. } => {
                Some("it was deleted or renamed before it was fetched; the zip of an earlier push stays in the bucket")
            }
            Self::Empty { .. } => Some("push a commit; the zip of an earlier push stays in the bucket"),
            _ => None,
        }
    }

    /// Whether the host says that the reference doesn't exist.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::NoSuchReference { .. } | Self::Empty { .. })
    }

    /// Whether the host doesn't know or show a repository by this name.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Https { source: HttpsError::NotFound { .. }, .. })
    }

    /// Whether what was said between us and the host is the cause.
    pub(crate) fn is_of_the_exchange(&self) -> bool {
        matches!(self, Self::Conversation { .. } | Self::Refused { .. } | Self::Receive { .. })
    }

    /// Whether the clone may be the cause, so that a new one may help.
    pub(crate) fn spoils_clone(&self) -> bool {
        matches!(self, Self::Receive { .. } | Self::NotWhole { .. } | Self::OpenClone { .. })
    }
}
