//! What goes into a zip beside the tree, or doesn't.

use gix::{ObjectId, bstr::BString};

use crate::{dot_git::DotGit, paths::Paths, pushed::Pushed};

/// How a zip differs from that of `git archive`.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The files to include.
    pub paths: Paths,
    /// The pushed reference: then `export-subst` knows no other name of the commit. Without it, all
    /// references of the repository are used.
    pub pushed: Option<Pushed>,
    /// The `.git` folder that turns the zip into a work tree. None by default. A work tree has all
    /// files: `export-ignore` and `export-subst` are ignored.
    pub dot_git: Option<DotGit>,
    /// The submodules whose files are included. Others are empty folders, as in `git archive`.
    pub submodules: Vec<Submodule>,
}

/// A submodule at its pinned commit.
#[derive(Debug, Clone)]
pub struct Submodule {
    /// Its path in the zip, including enclosing submodules.
    pub path: BString,
    /// A clone with the commit and its whole tree.
    pub clone: gix::Repository,
    /// The commit.
    pub commit: ObjectId,
}
