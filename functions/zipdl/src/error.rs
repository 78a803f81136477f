//! Why a download failed, whether it is worth another try, and what a person can do about it.

use std::time::Duration;

use archive::provider::ProviderError;
use contract::{CredentialsError, Host, Retry};
use jobs::JobError;
use store::StoreError;

use crate::address::NoPublicAddress;

/// Why there is no zip.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ZipDlError {
    #[error("{0} is not among the AllowedGitHosts any more")]
    HostNotAllowed(Host),
    #[error("AllowedGitHosts doesn't say what {0} runs")]
    NoKind(Host),
    #[error("could not read the credentials: {0}")]
    ReadCredentials(String),
    #[error("could not understand the credentials")]
    Credentials(#[source] CredentialsError),
    #[error("{from} sends to an address that is no URL")]
    Location { from: String },
    #[error("{host} would be asked without TLS")]
    Insecure { host: String },
    #[error("the download would lead to a private address")]
    Private(#[source] NoPublicAddress),
    #[error("{host} redirects in circles")]
    Redirects { host: String },
    #[error("could not ask {host}")]
    Ask { host: String, source: reqwest::Error },
    #[error("{host} demands another credential (status 401)")]
    Unauthorized { host: String },
    #[error("{host} forbids the download (status 403)")]
    Forbidden { host: String },
    #[error("{host} knows nothing there (status {status})")]
    NotFound { host: String, status: u16 },
    #[error("{host} is busy (status {status}) and wants {} seconds", after.as_secs())]
    Busy { host: String, status: u16, after: Duration },
    #[error("{host} failed (status {status})")]
    Server { host: String, status: u16 },
    #[error("{host} answered with the status {status}")]
    Status { host: String, status: u16 },
    #[error("{host} gives no OAuth token")]
    Token { host: String },
    #[error("{host} doesn't tell the default branch")]
    DefaultBranch { host: String },
    #[error("could not make the archive of {host} a zip")]
    Archive { host: String, source: ProviderError },
    #[error("could not store the zip")]
    Store(#[source] StoreError),
    #[error("the time of the function ran out")]
    Deadline,
    #[error("copying was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

/// The longest that a try waits for the next one; what takes longer is the queue's.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

impl ZipDlError {
    /// How long to wait before another try within the same run: as the host says, or else for `patience`; nothing where
    /// another try is no use.
    pub(crate) fn wait(&self, patience: Duration) -> Option<Duration> {
        match self {
            Self::Busy { after, .. } => (*after <= LONGEST_WAIT).then_some(*after),
            Self::Ask { .. }
            | Self::Token { .. }
            | Self::Server { .. }
            | Self::Archive { source: ProviderError::Read(_) | ProviderError::CutOff { .. }, .. } => Some(patience),
            _ => None,
        }
    }
}

impl JobError for ZipDlError {
    fn retry(&self) -> Retry {
        match self {
            Self::Busy { after, .. } => Retry::After(*after),
            Self::Store(error) => error.retry(),
            Self::Archive { source, .. } => source.retry(),
            Self::Location { .. } | Self::Insecure { .. } | Self::Redirects { .. } => Retry::Never,
            _ => Retry::Again,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::HostNotAllowed(_) => "add it to the parameter AllowedGitHosts, or remove the webhook",
            Self::NoKind(_) => {
                "add =github, =gitlab, =bitbucket, =bitbucket-dc, =gitea or =azure to its entry in AllowedGitHosts"
            }
            Self::Unauthorized { .. } => {
                "check GitToken (for Bitbucket Cloud OAuthKey and OAuthSecret): is it for this host, is it expired or revoked?"
            }
            Self::Forbidden { .. } => {
                "check that the token may read the repository's contents, and that no address rule keeps AWS out"
            }
            Self::NotFound { .. } => {
                "check that the repository and the commit exist; a private repository looks absent to who has no token for it"
            }
            Self::Private(_) => {
                "only a host whose entry in AllowedGitHosts ends in +private may have a private address"
            }
            Self::Ask { .. } => {
                "check the host, its port, and its certificate: a private authority belongs into CaBundle"
            }
            Self::Archive { source: ProviderError::TooLong { .. } | ProviderError::Bomb { .. }, .. } => {
                "raise MaxArchiveBytes, or leave large files out of archives by export-ignore"
            }
            Self::Archive { source: ProviderError::Malformed { .. }, .. } => {
                "the answer is no zip: a host that shows a login page wants a token"
            }
            _ => return None,
        })
    }
}
