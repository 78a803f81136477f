//! Why a download failed, whether a retry can help, and what a person can do about it.

use std::time::Duration;

use contract::{CommitId, HostName, PermitError, RefName, Repository, Retry, error_chain};
use events::EventError;
use host_credentials::TokenError;
use https::HttpsError;
use jobs::JobError;
use provider_zip::ProviderError;
use store::StoreError;

/// Why there is no zip.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ZipDlError {
    #[error("cannot read the function's configuration: {0}")]
    Configuration(String),
    #[error(transparent)]
    Permit(PermitError),
    #[error("AllowedGitHosts has no kind for {0}")]
    NoKind(HostName),
    #[error("could not read the credentials: {0}")]
    ReadCredentials(String),
    #[error(transparent)]
    Https(#[from] HttpsError),
    #[error("{repository} has no {reference} any more")]
    NoSuchReference { repository: Repository, reference: RefName },
    /// Either the delivery is old, or the host's API lags behind.
    #[error("the host says that {reference} names {commit}, which is stored already, but the sender said {told}")]
    Behind { reference: RefName, told: CommitId, commit: CommitId },
    /// Either the reference was created again, or the host's API lags behind.
    #[error("the sender said that {reference} was deleted, but the host says that it names {commit}")]
    NotDeleted { reference: RefName, commit: CommitId },
    #[error("could not convert the archive of {host} to a zip")]
    Archive { host: String, source: ProviderError },
    #[error("could not store the zip")]
    Store(#[source] StoreError),
    #[error("the zip is stored, but nobody was told")]
    Tell(#[source] EventError),
    #[error("the reference was deleted, but nobody was told")]
    TellDeletion(#[source] EventError),
    #[error("the function ran out of time")]
    Deadline,
    #[error("copying was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl From<TokenError> for ZipDlError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Read(cause) => Self::ReadCredentials(cause),
            TokenError::Https(error) => Self::Https(error),
        }
    }
}

impl ZipDlError {
    /// The pause before another try within the same run: what the host requests, or `patience`.
    /// `None` if a retry can't help.
    pub(crate) fn wait(&self, patience: Duration) -> Option<Duration> {
        match self {
            Self::Https(error) => error.wait(patience),
            // A host's API may lag behind a push.
            Self::Behind { .. }
            | Self::NotDeleted { .. }
            | Self::NoSuchReference { .. }
            | Self::Archive { source: ProviderError::Read(_) | ProviderError::CutOff { .. }, .. } => Some(patience),
            _ => None,
        }
    }
}

/// Why a job was given up, for a status that everybody sees who may read the repository: without
/// the words of AWS, which name the account and what is in it.
pub(crate) fn public_reason(error: &ZipDlError) -> String {
    match error {
        ZipDlError::Configuration(_) => "cannot read the function's configuration".to_owned(),
        ZipDlError::ReadCredentials(_) => "could not read the credentials".to_owned(),
        ZipDlError::Permit(_)
        | ZipDlError::NoKind(_)
        | ZipDlError::Https(_)
        | ZipDlError::NoSuchReference { .. }
        | ZipDlError::Behind { .. }
        | ZipDlError::NotDeleted { .. }
        | ZipDlError::Archive { .. } => error_chain(error),
        ZipDlError::Store(_)
        | ZipDlError::Tell(_)
        | ZipDlError::TellDeletion(_)
        | ZipDlError::Deadline
        | ZipDlError::Interrupted(_) => error.to_string(),
    }
}

impl JobError for ZipDlError {
    fn retry(&self) -> Retry {
        match self {
            Self::Https(error) => error.retry(),
            Self::Store(error) => error.retry(),
            Self::Tell(error) | Self::TellDeletion(error) => error.retry(),
            Self::Archive { source, .. } => source.retry(),
            Self::NoSuchReference { .. } => Retry::Obsolete,
            Self::Permit(PermitError::Scope { .. } | PermitError::Globs(_)) => Retry::Never,
            _ => Retry::Again,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Store(error) => return error.hint(),
            Self::Tell(error) | Self::TellDeletion(error) => return error.hint(),
            Self::Permit(PermitError::Host(_)) => "add it to the parameter AllowedGitHosts, or remove the webhook",
            Self::NoKind(_) => {
                "add kind=github, gitlab, bitbucket, bitbucket-dc, gitea or azure to its entry in AllowedGitHosts"
            }
            Self::Https(HttpsError::Unauthorized { .. }) => {
                "check GitToken (for Bitbucket Cloud OAuthKey and OAuthSecret): is it for this host, is it expired or revoked?"
            }
            Self::Https(HttpsError::Forbidden { .. }) => {
                "check that the token may read the repository's contents, and that no IP allow list blocks AWS"
            }
            Self::Https(HttpsError::NotFound { .. }) => {
                "check that the repository exists; without a token, a private repository looks absent"
            }
            Self::Https(error) => return error.hint(),
            Self::Archive { source: ProviderError::TooLong { .. } | ProviderError::Bomb { .. }, .. } => {
                "raise MaxArchiveBytes, or exclude large files from archives with export-ignore"
            }
            Self::Archive { source: ProviderError::Malformed { .. }, .. } => {
                "the response isn't a zip: a host that shows a login page requires a token"
            }
            _ => return None,
        })
    }
}
