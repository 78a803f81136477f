//! Why a large file can't be had, and whether another try can help.

use std::time::Duration;

use contract::{Repository, Retry};
use fetch::FetchError;
use https::HttpsError;

/// Why a large file isn't available.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LfsError {
    #[error("could not get access to the large files")]
    Access(#[source] Box<FetchError>),
    #[error(transparent)]
    Https(#[from] HttpsError),
    #[error("the store of {repository} doesn't have the file: {message:?} (code {code})")]
    Absent { repository: Repository, code: u16, message: String },
    #[error("the store of {repository} supports only the transfer {transfer:?}, not plain downloads")]
    Transfer { repository: Repository, transfer: String },
    #[error("the download was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
    #[error("the file wasn't requested before")]
    Unexpected,
}

impl LfsError {
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Access(error) => error.retry(),
            Self::Https(error) => error.retry(),
            Self::Transfer { .. } | Self::Unexpected => Retry::Never,
            Self::Absent { .. } | Self::Interrupted(_) => Retry::Again,
        }
    }

    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Access(error) => error.hint(),
            Self::Https(error) => error.hint(),
            Self::Absent { .. } => Some("push the large files as well: git lfs push --all origin"),
            Self::Transfer { .. } => Some("enable the transfer \"basic\" at the store, or set Lfs to off"),
            Self::Interrupted(_) | Self::Unexpected => None,
        }
    }

    /// The pause before another try within the same run.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Https(error) => error.wait(Duration::from_secs(1)),
            _ => None,
        }
    }
}
