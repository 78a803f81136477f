//! What of a repository is fetched: a reference as it is now, or a commit.

use std::fmt;

use contract::{CommitId, RefName};

/// What of a repository is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// What a branch or a tag names now.
    Reference {
        /// Its name.
        name: RefName,
        /// What it is expected to name, if anything is.
        expected: Option<CommitId>,
    },
    /// A commit that no reference needs to name, such as the one that a submodule is at. Of a host
    /// that refuses that, all branches and tags are fetched.
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
