//! What of a repository is fetched: a reference as it is now, or a commit.

use std::fmt;

use contract::{CommitId, RefName};

/// What to fetch of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The current commit of a branch or a tag.
    Reference {
        /// Its name.
        name: RefName,
        /// The expected commit, if known.
        expected: Option<CommitId>,
    },
    /// A commit that no reference needs to point to, such as a submodule's. If the host refuses
    /// that, all branches and tags are fetched.
    Commit(CommitId),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference { name, .. } => name.fmt(f),
            Self::Commit(id) => id.fmt(f),
        }
    }
}
