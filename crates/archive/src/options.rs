//! What goes into a zip beside the tree, or doesn't.

use gix::{ObjectId, bstr::BString};

use crate::{dot_git::DotGit, paths::Paths, pushed::Pushed};

/// What goes into a zip beside what `git archive` would put there, or less.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which files.
    pub paths: Paths,
    /// What was pushed: the only name that `export-subst` then knows of the commit. Without it, all
    /// references of the repository are.
    pub pushed: Option<Pushed>,
    /// The `.git` folder that makes a work tree of them; none by default. A work tree has all
    /// files: `export-ignore` and `export-subst` don't count.
    pub dot_git: Option<DotGit>,
    /// The submodules whose files go along; any other one is an empty folder, as in `git archive`.
    pub submodules: Vec<Submodule>,
}

/// A submodule, at the commit that the tree around it pins.
#[derive(Debug, Clone)]
pub struct Submodule {
    /// Its path in the zip, that of a submodule in a submodule included.
    pub path: BString,
    /// A clone that has the commit with its whole tree.
    pub clone: gix::Repository,
    /// The commit.
    pub commit: ObjectId,
}
