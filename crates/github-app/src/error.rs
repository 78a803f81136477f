//! Why an App gives no access, and what a person can do.

use contract::{Repository, Retry};
use https::HttpsError;

use crate::SignError;

/// Why there is no token. No message contains one.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// KMS doesn't sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The App isn't installed for the repository's owner, or not for this repository.
    #[error("the GitHub App {id} is not installed on {repository}")]
    NotInstalled {
        /// The App.
        id: String,
        /// The repository.
        repository: Repository,
    },
    /// The installation is suspended.
    #[error("the installation of the GitHub App {id} on {repository} is suspended")]
    Suspended {
        /// The App.
        id: String,
        /// The repository.
        repository: Repository,
    },
    /// The installation doesn't permit to read the contents of repositories.
    #[error("the installation of the GitHub App {id} on {repository} may not read contents")]
    MayNotRead {
        /// The App.
        id: String,
        /// The repository.
        repository: Repository,
    },
    /// The installation doesn't permit to set the statuses of commits.
    #[error("the installation of the GitHub App {id} on {repository} may not set commit statuses")]
    MayNotSetStatuses {
        /// The App.
        id: String,
        /// The repository.
        repository: Repository,
    },
    /// Status 401: the signature isn't of the App, or not at that time.
    #[error("{host} does not accept the signature of the GitHub App {id} (status 401)")]
    Unauthorized {
        /// The host.
        host: String,
        /// The App.
        id: String,
        /// How far the host's clock is ahead of ours, in seconds, if that may be the cause.
        ahead: Option<i64>,
    },
    /// The repository has another name now.
    #[error("{repository} was renamed or moved (status {status})")]
    Moved {
        /// The repository.
        repository: Repository,
        /// The status.
        status: u16,
    },
    /// The host refused for another reason.
    #[error("{host} gave the GitHub App {id} no token for {repository} (status {status})")]
    Refused {
        /// The host.
        host: String,
        /// The App.
        id: String,
        /// The repository.
        repository: Repository,
        /// The status.
        status: u16,
    },
    /// The host doesn't let the App read its deliveries, or have one repeated.
    #[error("{host} did not let the GitHub App {id} read or repeat its deliveries (status {status})")]
    Journal {
        /// The host.
        host: String,
        /// The App.
        id: String,
        /// The status.
        status: u16,
    },
    /// The request failed.
    #[error(transparent)]
    Https(#[from] HttpsError),
}

impl AppError {
    /// Whether a later run may succeed.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Https(error) => error.retry(),
            Self::Moved { .. } => Retry::Never,
            _ => Retry::Again,
        }
    }

    /// Whether others may have access to the repository without the App.
    pub fn is_about_access(&self) -> bool {
        matches!(
            self,
            Self::NotInstalled { .. }
                | Self::Suspended { .. }
                | Self::MayNotRead { .. }
                | Self::MayNotSetStatuses { .. }
                | Self::Moved { .. }
        )
    }

    /// What a person can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Sign(error) => error.hint,
            Self::NotInstalled { .. } => Some(
                "install the App for the owner, or add the repository to the installation: `infra connect` prints the address",
            ),
            Self::Suspended { .. } => Some("unsuspend it: the owner's settings → GitHub Apps → Configure"),
            Self::MayNotRead { .. } => {
                Some("give the App the permission Contents: read, and accept it in the installation")
            }
            Self::MayNotSetStatuses { .. } => {
                Some("give the App the permission Commit statuses: write, and accept it in the installation")
            }
            Self::Unauthorized { ahead: Some(_), .. } => {
                Some("the clocks differ by more than the host accepts: set this one right")
            }
            Self::Unauthorized { .. } => Some(
                "GitHubAppId and GitHubAppKey belong to different Apps, or the key was deleted at the host: run `infra app import` with a new one",
            ),
            Self::Moved { .. } => Some("use the repository's new name"),
            Self::Refused { .. } | Self::Journal { .. } => None,
            Self::Https(error) => error.hint(),
        }
    }
}
