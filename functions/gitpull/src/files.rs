//! Which files a zip holds, as the stack's parameters say it.

use archive::Paths;
use https::Client;

/// Which files go into a zip.
#[derive(Debug)]
pub(crate) struct Files {
    /// Those at these paths.
    pub(crate) paths: Paths,
    /// Whether there is a `.git` folder.
    pub(crate) history: History,
    /// Whether the files of submodules go along.
    pub(crate) submodules: Submodules,
    /// What downloads the files that Git LFS keeps; nothing where what stands for them goes into
    /// the zip: the `Lfs` parameter.
    pub(crate) lfs: Option<Client>,
}

/// What of Git a zip holds: the `ExcludeGit` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    /// The files alone.
    Excluded,
    /// A `.git` folder beside them.
    Included,
}

/// What becomes of submodules: the `Submodules` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Submodules {
    /// They are empty folders, as in `git archive`.
    Excluded,
    /// Their files are in them.
    Included,
}
