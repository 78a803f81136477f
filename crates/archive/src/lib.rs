//! Streams a commit's tree as a zip: the entries of `git archive --format=zip`, with attributes
//! applied, but without recompressing what Git has already compressed.
//!
//! In the pack of a shallow fetch, nine of ten blobs aren't deltas. Such a blob is stored as a zlib
//! stream: two bytes, a deflate stream, four bytes. A zip entry needs exactly that deflate stream.
//! So the blob is inflated once, for the CRC-32 of the zip, and copied.
//!
//! The crate uses no network and no AWS, runs no program, and depends only on the commit: not on
//! configuration or the machine. A filter in `.gitattributes` has no effect, as if it weren't
//! configured, except for Git LFS, whose files the caller may provide.

#![warn(clippy::indexing_slicing)]

mod attributes;
mod charset;
mod commit_pack;
mod convert;
mod copy;
mod date;
mod describe;
mod dot_git;
mod encoding;
mod entry;
mod inflate;
mod lfs;
mod listing;
mod objects;
mod output;
mod path;
mod paths;
mod placeholders;
pub mod provider;
mod refs;
mod selection;
mod stream;
mod subst;
mod time;
mod tree;
mod wildmatch;
mod workers;
mod zip;

use std::{io::Write, sync::atomic::AtomicBool, thread};

use contract::RefName;
use gix::{ObjectId, bstr::BString};
use pack::{PackError, Packs};

pub use dot_git::DotGit;
pub use lfs::{LargeFile, LargeFiles, Pointer};
pub use listing::{large_files, names_its_commit, pinned_submodules};
pub use paths::Paths;

use crate::{
    attributes::Steps,
    selection::{Root, Selected, Selection},
};

/// Statistics of a written zip.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// All entries, including folders.
    pub entries: u64,
    /// Files whose deflate stream was copied from the pack.
    pub copied: u64,
    /// Files that were compressed here: deltas, loose objects, and converted files.
    pub compressed: u64,
    /// Files from Git LFS, which are compressed here as well.
    pub large: u64,
    /// Files that don't compress, such as empty ones, and symbolic links.
    pub stored: u64,
    /// The zip's length in bytes.
    pub bytes: u64,
}

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

/// The branch or the tag of the zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its full name.
    pub reference: RefName,
    /// The object that it points to: the commit or an annotated tag.
    pub target: ObjectId,
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

/// Why a tree can't be zipped. The output up to then isn't a zip.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The commit, one of its trees or one of its blobs is missing or damaged.
    #[error("cannot read the object {id}")]
    Object {
        /// The object's ID.
        id: ObjectId,
        /// The error of Git's object database.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is stored as a commit, but even Git doesn't accept it. The clone has it as it was pushed.
    #[error("the object {id} is not a commit that Git can read")]
    Malformed {
        /// The object's ID.
        id: ObjectId,
        /// The cause.
        source: pack::NoCommit,
    },
    /// A pack can't be opened.
    #[error("cannot open the pack {}", path.display())]
    Pack {
        /// The pack's index.
        path: std::path::PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The blob's compressed data is damaged.
    #[error("the compressed data of the object {id} ({path}) is damaged: {reason}")]
    Damaged {
        /// The object's ID.
        id: ObjectId,
        /// Its path in the tree.
        path: BString,
        /// The cause.
        reason: &'static str,
    },
    /// A name in the tree would escape the folder that the zip is unpacked into, or reach into a
    /// `.git`.
    #[error("the tree has an entry with an unsafe path: {path:?}")]
    Path {
        /// The path.
        path: BString,
    },
    /// The tree has too many entries for the memory, for example because trees are repeated in
    /// trees.
    #[error("the tree {tree} has too many entries for a zip")]
    TooMany {
        /// The tree's ID.
        tree: ObjectId,
    },
    /// A file is too large for its conversion by attributes.
    #[error("{path} has {size} bytes, too many to be converted by attributes")]
    TooLarge {
        /// Its path in the zip.
        path: BString,
        /// Its length in bytes.
        size: u64,
    },
    /// A converted file would be too large for the memory.
    #[error("{path} would exceed {most} bytes after its attributes have converted it")]
    Grows {
        /// Its path in the tree.
        path: BString,
        /// The limit.
        most: u64,
    },
    /// A symbolic link's target is longer than any system supports.
    #[error("the symbolic link {path} has a target of {size} bytes, more than {most}")]
    LongLink {
        /// Its path in the zip.
        path: BString,
        /// Its target's length in bytes.
        size: u64,
        /// The limit.
        most: u64,
    },
    /// A commit is too long for `export-subst`.
    #[error("the commit {id} has {size} bytes, more than the {most} that export-subst supports")]
    LongCommit {
        /// The commit's ID.
        id: ObjectId,
        /// Its length in bytes.
        size: u64,
        /// The limit.
        most: u64,
    },
    /// A `.gitattributes` or a `.mailmap` is too large.
    #[error("{path} has {size} bytes, more than {most}")]
    ControlFile {
        /// Its path in the tree.
        path: BString,
        /// Its length in bytes.
        size: u64,
        /// The limit.
        most: u64,
    },
    /// The `.gitattributes` of the enclosing folders are too large together.
    #[error("the .gitattributes from the root to {path} have {size} bytes, more than {most}")]
    ControlFiles {
        /// The path of the innermost one.
        path: BString,
        /// Their length in bytes.
        size: u64,
        /// The limit.
        most: u64,
    },
    /// Matching all patterns with all paths takes too long.
    #[error("the patterns of {path} take too long to match against the tree")]
    Costly {
        /// The path of the file with the patterns.
        path: BString,
    },
    /// Converting the results of `export-subst` to the commit's encoding takes too long.
    #[error("{path} has too many formats after too much text to convert to its commit's encoding")]
    Reencoded {
        /// The path of the file.
        path: BString,
    },
    /// A Git LFS file isn't available, or isn't the right one.
    #[error("cannot get the large file {path} (Git LFS object {oid})")]
    LargeFile {
        /// Its path in the zip.
        path: BString,
        /// Its SHA-256.
        oid: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A Git LFS pointer has extensions, which only the programs that created it understand.
    #[error("the Git LFS pointer {path} has extensions")]
    PointerExtension {
        /// Its path in the zip.
        path: BString,
    },
    /// The `.git` folder can't be created.
    #[error("cannot make the .git folder: {what}")]
    DotGit {
        /// Which part failed.
        what: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The caller interrupted it.
    #[error("it was interrupted")]
    Interrupted,
    /// The output can't be written.
    #[error("cannot write the zip")]
    Write(#[from] std::io::Error),
}

/// Writes the tree of `commit` to `out` as a zip. Its comment is the commit's ID and its entries
/// have the commit's time, like those of `git archive`. Without `large`, the zip contains Git LFS
/// pointers instead of the files.
///
/// Memory doesn't grow with the repository, except for one line per file in the zip's directory,
/// and for the files being compressed. Copied data goes from the pack to `out` directly, and Git
/// LFS files are streamed in small pieces.
///
/// Setting `interrupt` ends it soon: at most after inflating or compressing one file in memory.
///
/// # Errors
/// See [`ArchiveError`]. Unsafe names are refused before the first byte is written.
pub fn write_zip<W: Write>(
    repository: &gix::Repository,
    commit: ObjectId,
    options: &Options,
    large: Option<&mut dyn LargeFiles>,
    interrupt: &AtomicBool,
    out: W,
) -> Result<Summary, ArchiveError> {
    let objects = objects::Objects::of(repository, interrupt);
    let read = subst::Commit::read(&objects, commit)?.named(options.pushed.clone());
    let zip = zip::Writer::new(out, time::Time::from_seconds(read.time()));
    let mut output = entry::Output { zip, large, summary: Summary::default() };
    let steps = Steps::default();
    let root = Root { objects: &objects, commit: &read, prefix: BString::default(), steps: &steps };
    write_tree(&root, options, &mut output)?;
    let entry::Output { mut zip, mut summary, .. } = output;
    if let Some(dot_git) = &options.dot_git {
        let written = dot_git.write(&objects, commit, read.tree(), &options.paths, &mut zip);
        // There, an interruption looks like a read error.
        objects.go_on()?;
        written?;
    }
    (summary.entries, summary.bytes) = zip.finish(commit.to_string().as_bytes())?;
    Ok(summary)
}

fn write_tree<W: Write>(
    root: &Root<'_>,
    options: &Options,
    output: &mut entry::Output<'_, W>,
) -> Result<(), ArchiveError> {
    let packs = packs_of(root.objects)?;
    let mut selection = Selection::of(root, options, output.large.is_some())?;
    thread::scope(|scope| {
        let mut files = entry::Files::new(root, &packs, scope);
        while let Some(Selected { folders, path, file, submodule }) = selection.next()? {
            for folder in folders {
                files.folder(output, folder)?;
            }
            if let Some(file) = file {
                files.add(output, path, &file)?;
            }
            if let Some(submodule) = submodule {
                files.write_all(output)?;
                submodule.enter(root, |root| write_tree(root, options, output))?;
            }
        }
        files.write_all(output)
    })
}

fn packs_of(objects: &objects::Objects<'_>) -> Result<Packs, ArchiveError> {
    Packs::open(objects.repository()).map_err(|error| match error {
        PackError::Index { path, source } => ArchiveError::Pack { path, source: source.into() },
        PackError::File { path, source } => ArchiveError::Pack { path, source: source.into() },
        error => ArchiveError::Pack { path: objects.repository().git_dir().to_owned(), source: error.into() },
    })
}

/// Writes a pack of `commit`: its trees and blobs, and nothing else in the repository. It can seed
/// another clone.
///
/// # Errors
/// Those of [`write_zip`].
pub fn write_pack(
    repository: &gix::Repository,
    commit: ObjectId,
    interrupt: &AtomicBool,
    out: impl Write,
) -> Result<(), ArchiveError> {
    commit_pack::write(&objects::Objects::of(repository, interrupt), commit, out)
}
