//! Why a job failed, and whether it is worth another try.

use archive::ArchiveError;
use contract::{PermitError, Retry};
use fetch::{FetchError, PrivateKeyError};
use jobs::JobError;
use store::StoreError;

use crate::{lfs::LfsError, submodules::SubmoduleError};

/// Why there is no zip.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitPullError {
    #[error(transparent)]
    Permit(PermitError),
    #[error("could not read the encrypted SSH key s3://{bucket}/{object}")]
    ReadKey { bucket: String, object: String, source: Box<aws_sdk_s3::Error> },
    #[error("the transfer of s3://{bucket}/{object} broke off")]
    KeyBrokeOff { bucket: String, object: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("could not decrypt the SSH key with {kms_key}")]
    DecryptKey { kms_key: String, source: Box<aws_sdk_kms::Error> },
    #[error("what {kms_key} decrypted is no SSH key")]
    NoKey { kms_key: String },
    #[error("the SSH key can't be used")]
    Key(#[source] PrivateKeyError),
    #[error("could not fetch")]
    Fetch(#[source] FetchError),
    #[error("could not fetch the submodules")]
    Submodules(#[from] SubmoduleError),
    #[error("could not zip {commit}")]
    Archive { commit: String, source: ArchiveError },
    #[error("could not store the zip")]
    Store(#[source] StoreError),
    #[error("the commit {0} has an id that is none")]
    Commit(String, #[source] contract::git::CommitIdError),
    #[error("the time of the function ran out")]
    Deadline,
    #[error("zipping was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl JobError for GitPullError {
    fn retry(&self) -> Retry {
        match self {
            Self::Fetch(error) => error.retry(),
            Self::Store(error) => error.retry(),
            Self::Submodules(SubmoduleError::Tree { .. }) => Retry::Again,
            // A tree with such a name, or with such submodules, stays one.
            Self::Submodules(_)
            | Self::Archive {
                source:
                    ArchiveError::Path { .. }
                    | ArchiveError::TooMany { .. }
                    | ArchiveError::TooLarge { .. }
                    | ArchiveError::PointerExtension { .. },
                ..
            }
            | Self::Permit(PermitError::Scope { .. } | PermitError::Globs(_))
            | Self::Commit(..) => Retry::Never,
            _ => self.large_file().map_or(Retry::Again, LfsError::retry),
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Fetch(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Permit(PermitError::Host(_)) => {
                Some("add it to the parameter AllowedGitHosts, or remove the webhook")
            }
            Self::Permit(_) => Some(
                "add it to the parameter Repositories and to the globs of the push's secret, or set Submodules to off",
            ),
            Self::Archive { source: ArchiveError::PointerExtension { .. }, .. } => {
                Some("set Lfs to off: only the program that made the extension can undo it")
            }
            _ => self.large_file()?.hint(),
        }
    }
}

impl GitPullError {
    /// Why a large file can't be had, if that is what failed.
    fn large_file(&self) -> Option<&LfsError> {
        let Self::Archive { source: ArchiveError::LargeFile { source, .. }, .. } = self else { return None };
        source.downcast_ref()
    }
}
