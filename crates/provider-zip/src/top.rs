//! The folder that a provider puts around everything, and that is dropped.

use bstr::{BStr, BString, ByteSlice};

use crate::error::ProviderError;

/// Which folder a provider puts around everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopFolder {
    /// One of some name: GitHub, GitLab, Bitbucket Cloud.
    Always,
    /// None: Bitbucket Data Center, Azure DevOps.
    Never,
    /// One of this name, in capitals or not, or none, as an administrator decided: Gitea, Forgejo.
    /// The first entry tells which; where a later one contradicts it, there is none, and
    /// [`ProviderError::TopFolderNotShared`] says so: what was copied until then has lost a folder
    /// of the repository's own, and the archive has to come once more.
    Named(String),
}

/// Whether a folder has this name in capitals or not: Gitea and Forgejo name it as their disk does,
/// in lower case.
fn is_spelled_as(name: &str, folder: &BStr) -> bool {
    folder.to_str().is_ok_and(|folder| folder.to_lowercase() == name.to_lowercase())
}

/// What is dropped of every name; decided by the first one.
pub(crate) enum Top {
    Undecided(TopFolder),
    /// This folder.
    Dropped(BString),
    /// Nothing.
    Kept,
}

impl Top {
    /// Refuses a name, its slash at the end included, that isn't in the folder to be dropped.
    pub(crate) fn check(&mut self, name: &BStr) -> Result<(), ProviderError> {
        if let Self::Undecided(rule) = self {
            let first = name.split_once_str("/").map(|(first, _)| first.as_bstr());
            *self = match (rule, first) {
                (TopFolder::Always, first) => Self::Dropped(first.unwrap_or_default().to_owned()),
                (TopFolder::Named(folder), Some(first)) if is_spelled_as(folder, first) => {
                    Self::Dropped(first.to_owned())
                }
                (TopFolder::Named(_) | TopFolder::Never, _) => Self::Kept,
            };
        }
        match self {
            Self::Dropped(folder)
                if !name.strip_prefix(folder.as_slice()).is_some_and(|rest| rest.starts_with(b"/")) =>
            {
                Err(ProviderError::TopFolderNotShared { path: name.to_owned(), folder: folder.clone() })
            }
            _ => Ok(()),
        }
    }

    /// What is left of a path in the archive: nothing of the folder itself.
    pub(crate) fn drop_from<'p>(&self, path: &'p [u8]) -> Option<&'p BStr> {
        let dropped = if let Self::Dropped(folder) = self { folder.len() + 1 } else { 0 };
        path.get(dropped..).filter(|left| !left.is_empty()).map(ByteSlice::as_bstr)
    }
}
