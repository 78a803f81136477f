//! Why a job failed, and whether a retry can help.

use archive::ArchiveError;
use contract::{PermitError, Retry, error_chain};
use events::EventError;
use fetch::FetchError;
use host_access::{AccessError, ReachError};
use jobs::JobError;
use store::StoreError;

use crate::{lfs::LfsError, submodules::SubmoduleError};

/// Why there is no zip.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitPullError {
    #[error("cannot read the function's configuration: {0}")]
    Configuration(String),
    #[error(transparent)]
    Permit(PermitError),
    #[error(transparent)]
    Access(Box<AccessError>),
    #[error("could not fetch")]
    Fetch(#[source] Box<FetchError>),
    #[error("could not fetch the submodules")]
    Submodules(#[from] SubmoduleError),
    #[error("could not zip {commit}")]
    Archive { commit: String, source: ArchiveError },
    #[error("could not store the zip")]
    Store(#[source] StoreError),
    #[error("the zip is stored, but nobody was told")]
    Tell(#[source] EventError),
    #[error("the reference was deleted, but nobody was told")]
    TellDeletion(#[source] EventError),
    #[error("the commit {0} isn't a valid object ID")]
    Commit(String, #[source] contract::git::CommitIdError),
    #[error("the function ran out of time")]
    Deadline,
    #[error("zipping was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl From<ReachError> for GitPullError {
    fn from(error: ReachError) -> Self {
        match error {
            ReachError::Access(error) => Self::Access(error),
            ReachError::Fetch(error) => Self::Fetch(error),
        }
    }
}

impl JobError for GitPullError {
    fn retry(&self) -> Retry {
        match self {
            Self::Fetch(error) => error.retry(),
            Self::Access(error) => error.retry(),
            Self::Store(error) => error.retry(),
            Self::Tell(error) | Self::TellDeletion(error) => error.retry(),
            Self::Archive { source, .. } | Self::Submodules(SubmoduleError::Tree { source, .. }) => of_tree(source),
            Self::Submodules(SubmoduleError::Stopped(_)) => Retry::Again,
            Self::Submodules(SubmoduleError::Refused { source, .. }) if matches!(**source, PermitError::Host(_)) => {
                Retry::Again
            }
            // The tree keeps these submodules.
            Self::Submodules(_)
            | Self::Permit(PermitError::Scope { .. } | PermitError::Globs(_))
            | Self::Commit(..) => Retry::Never,
            _ => Retry::Again,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Fetch(error) => error.hint(),
            Self::Access(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Tell(error) | Self::TellDeletion(error) => error.hint(),
            Self::Permit(PermitError::Host(_)) => {
                Some("add it to the parameter AllowedGitHosts, or remove the webhook")
            }
            Self::Submodules(SubmoduleError::Refused { source, .. }) if matches!(**source, PermitError::Host(_)) => {
                Some("add the host to the parameter AllowedGitHosts, or set Submodules to off")
            }
            Self::Permit(_) | Self::Submodules(SubmoduleError::Refused { .. }) => Some(
                "add it to the parameter Repositories and to the globs of the push's secret, or set Submodules to off",
            ),
            Self::Archive { source, .. } | Self::Submodules(SubmoduleError::Tree { source, .. }) => {
                hint_of_tree(source)
            }
            Self::Submodules(SubmoduleError::Large { .. }) => {
                Some("make .gitmodules smaller, or set Submodules to off")
            }
            _ => None,
        }
    }
}

/// Why a job was given up, for a status that everybody sees who may read the repository: without
/// the words of AWS, which name the account and what is in it.
pub(crate) fn public_reason(error: &GitPullError) -> String {
    match error {
        GitPullError::Configuration(_) => "cannot read the function's configuration".to_owned(),
        GitPullError::Access(_) => "could not get the key or the token for the repository".to_owned(),
        GitPullError::Permit(_)
        | GitPullError::Fetch(_)
        | GitPullError::Submodules(_)
        | GitPullError::Archive { .. }
        | GitPullError::Commit(..) => error_chain(error),
        GitPullError::Store(_)
        | GitPullError::Tell(_)
        | GitPullError::TellDeletion(_)
        | GitPullError::Deadline
        | GitPullError::Interrupted(_) => error.to_string(),
    }
}

/// Whether a tree that can't be zipped may be zipped later: not if the tree itself is the cause.
fn of_tree(error: &ArchiveError) -> Retry {
    match error {
        ArchiveError::Path { .. }
        | ArchiveError::Malformed { .. }
        | ArchiveError::TooMany { .. }
        | ArchiveError::TooLarge { .. }
        | ArchiveError::Grows { .. }
        | ArchiveError::LongLink { .. }
        | ArchiveError::LongCommit { .. }
        | ArchiveError::ControlFile { .. }
        | ArchiveError::ControlFiles { .. }
        | ArchiveError::Costly { .. }
        | ArchiveError::Reencoded { .. }
        | ArchiveError::PointerExtension { .. } => Retry::Never,
        ArchiveError::LargeFile { source, .. } => source.downcast_ref().map_or(Retry::Again, LfsError::retry),
        _ => Retry::Again,
    }
}

/// What to do about a tree that can't be zipped, if known.
fn hint_of_tree(error: &ArchiveError) -> Option<&'static str> {
    match error {
        ArchiveError::PointerExtension { .. } => {
            Some("set Lfs to off: only the program that made the extension can undo it")
        }
        ArchiveError::Costly { .. } => Some("use fewer or simpler patterns: many stars in one line take long"),
        ArchiveError::ControlFile { .. } | ArchiveError::ControlFiles { .. } => Some("make that file smaller"),
        ArchiveError::TooLarge { .. } | ArchiveError::Grows { .. } => {
            Some("remove the attribute that converts the file from .gitattributes")
        }
        ArchiveError::LongLink { .. } => Some("remove the link: no system can follow it"),
        ArchiveError::Reencoded { .. } => {
            Some("remove export-subst from it, or push a commit without an encoding header")
        }
        ArchiveError::LongCommit { .. } => {
            Some("remove export-subst from .gitattributes, or shorten the commit's message")
        }
        ArchiveError::LargeFile { source, .. } => source.downcast_ref().and_then(LfsError::hint),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permanent_archive_errors_are_never_retried() {
        let path = || "a".into();
        let id = gix::ObjectId::null(gix::hash::Kind::Sha1);
        let never = [
            ArchiveError::Path { path: path() },
            ArchiveError::TooLarge { path: path(), size: 1 },
            ArchiveError::Grows { path: path(), most: 1 },
            ArchiveError::LongLink { path: path(), size: 1, most: 1 },
            ArchiveError::LongCommit { id, size: 1, most: 1 },
            ArchiveError::ControlFile { path: path(), size: 1, most: 1 },
            ArchiveError::ControlFiles { path: path(), size: 1, most: 1 },
            ArchiveError::Costly { path: path() },
            ArchiveError::Reencoded { path: path() },
        ];
        for source in never {
            let has_hint = !matches!(source, ArchiveError::Path { .. });
            let error = GitPullError::Archive { commit: String::new(), source };
            assert_eq!(error.retry(), Retry::Never, "{error:?}");
            assert_eq!(error.hint().is_some(), has_hint, "{error:?}");
        }
    }

    #[test]
    fn public_reason_names_no_account() {
        let account = || "arn:aws:iam::111122223333:role/x is not authorized".to_owned();
        let key = AccessError::ReadCredentials(account());
        let object = store::Object { bucket: "zips".parse().unwrap(), key: "k".to_owned() };
        let source = std::io::Error::other(account());
        for error in [
            GitPullError::Configuration(account()),
            GitPullError::Access(Box::new(key)),
            GitPullError::Store(StoreError::CutOff { object, source }),
        ] {
            assert!(error_chain(&error).contains("111122223333"), "{error:?}");
            let reason = public_reason(&error);
            assert!(!reason.contains("111122223333") && reason.len() > 20, "{reason}");
        }
        let id = gix::ObjectId::null(gix::hash::Kind::Sha1);
        let error =
            GitPullError::Archive { commit: "c".to_owned(), source: ArchiveError::LongCommit { id, size: 2, most: 1 } };
        assert_eq!(public_reason(&error), error_chain(&error));
    }

    #[test]
    fn a_refused_submodule_is_named() {
        let refused = |source| SubmoduleError::Refused {
            repository: "github.com/octo/hello".parse().unwrap(),
            path: "vendor/lib".into(),
            url: "https://git.example/lib.git".to_owned(),
            source: Box::new(source),
        };
        let error = GitPullError::Submodules(refused(PermitError::Host("git.example".parse().unwrap())));
        assert_eq!(
            error_chain(&error),
            "could not fetch the submodules: the submodule vendor/lib of github.com/octo/hello must not be fetched from \
             \"https://git.example/lib.git\": git.example is not in AllowedGitHosts"
        );
        assert_eq!(
            (error.retry(), error.hint().is_some_and(|hint| hint.contains("Submodules to off"))),
            (Retry::Again, true)
        );
        let [repository, own] = ["github.com/acme/lib", "github.com/octo/hello"].map(|name| name.parse().unwrap());
        let error = GitPullError::Submodules(refused(PermitError::Scope { repository, own }));
        assert_eq!((error.retry(), error.hint().is_some()), (Retry::Never, true));
    }

    #[test]
    fn interruption_or_damage_is_retried() {
        let id = gix::ObjectId::null(gix::hash::Kind::Sha1);
        for source in [ArchiveError::Interrupted, ArchiveError::Object { id, source: "gone".into() }] {
            let error = GitPullError::Archive { commit: String::new(), source };
            assert_eq!(error.retry(), Retry::Again, "{error:?}");
        }
        let repository = contract::Repository::new("github.com".parse().unwrap(), "octo/hello".parse().unwrap());
        for (source, expected) in
            [(ArchiveError::Interrupted, Retry::Again), (ArchiveError::Path { path: "..".into() }, Retry::Never)]
        {
            let error = GitPullError::Submodules(SubmoduleError::Tree { repository: repository.clone(), source });
            assert_eq!(error.retry(), expected, "{error:?}");
        }
    }
}
