//! A commit's tree as a zip, written as a stream: entry for entry what `git archive --format=zip`
//! gives, attributes applied, but without compressing again what Git has compressed already.
//!
//! In the pack of a shallow fetch nine blobs of ten aren't deltas. Such a blob lies there as a zlib
//! stream, which is a deflate stream between two bytes in front and four behind; a zip entry wants
//! just that deflate stream. So it is inflated once, for the CRC-32 that a zip demands, and copied.
//!
//! The crate knows no network and no AWS, runs no program, and lets nothing decide but the commit:
//! neither configuration nor the machine. A filter that a `.gitattributes` names changes nothing,
//! as where it isn't configured; but for Git LFS, whose files whoever calls may bring.

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

/// What was written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// All entries of the zip, folders included.
    pub entries: u64,
    /// Files whose deflate stream was copied from the pack.
    pub copied: u64,
    /// Files that were compressed here: deltas, loose objects, and what an attribute converts.
    pub compressed: u64,
    /// Files that Git LFS keeps, compressed here as well.
    pub large: u64,
    /// Files that nothing makes shorter, among them empty ones, and symbolic links.
    pub stored: u64,
    /// The zip's length in bytes.
    pub bytes: u64,
}

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

/// The branch or the tag that a zip is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its full name.
    pub reference: RefName,
    /// The object that it names: the commit, or an annotated tag.
    pub target: ObjectId,
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

/// Why a tree can't become a zip. What was written until then is no zip.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The commit, one of its trees or one of its blobs isn't there or isn't what its name says.
    #[error("cannot read the object {id}")]
    Object {
        /// The object's id.
        id: ObjectId,
        /// What Git's object database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is called a commit, and even Git takes it for none. The clone has it as it was pushed.
    #[error("the object {id} is not a commit that Git can read")]
    Malformed {
        /// The object's id.
        id: ObjectId,
        /// What is wrong with it.
        source: pack::NoCommit,
    },
    /// A pack can't be opened.
    #[error("cannot open the pack {}", path.display())]
    Pack {
        /// The pack's index.
        path: std::path::PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The blob's compressed data is damaged.
    #[error("the compressed data of the object {id} ({path}) is damaged: {reason}")]
    Damaged {
        /// The object's id.
        id: ObjectId,
        /// Its path in the tree.
        path: BString,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A name in the tree that would lead out of the folder that the zip is unpacked into, or into
    /// a `.git`.
    #[error("the tree has an entry with an unsafe path: {path:?}")]
    Path {
        /// The path.
        path: BString,
    },
    /// The tree has more entries than memory for their names, as one does in which trees are
    /// repeated in trees.
    #[error("the tree {tree} has too many entries for a zip")]
    TooMany {
        /// The tree's id.
        tree: ObjectId,
    },
    /// A file that attributes convert, which isn't done to one so large.
    #[error("{path} has {size} bytes, too many to be converted by attributes")]
    TooLarge {
        /// Its path in the zip.
        path: BString,
        /// Its length in bytes.
        size: u64,
    },
    /// A file that would be larger after it was converted than is held in memory.
    #[error("{path} would exceed {most} bytes after its attributes have converted it")]
    Grows {
        /// Its path in the tree.
        path: BString,
        /// The most that is made.
        most: u64,
    },
    /// A symbolic link whose target is longer than any system takes.
    #[error("the symbolic link {path} has a target of {size} bytes, more than {most}")]
    LongLink {
        /// Its path in the zip.
        path: BString,
        /// Its target's length in bytes.
        size: u64,
        /// The longest target that is taken.
        most: u64,
    },
    /// A commit that is too long to be put into files by `export-subst`.
    #[error("the commit {id} has {size} bytes, more than the {most} that export-subst supports")]
    LongCommit {
        /// The commit's id.
        id: ObjectId,
        /// Its length in bytes.
        size: u64,
        /// The longest of which something is taken.
        most: u64,
    },
    /// A `.gitattributes` or a `.mailmap` that is larger than such a file is read.
    #[error("{path} has {size} bytes, more than {most}")]
    ControlFile {
        /// Its path in the tree.
        path: BString,
        /// Its length in bytes.
        size: u64,
        /// The largest that is read.
        most: u64,
    },
    /// The `.gitattributes` in the folders on the way to this one are larger than is held in
    /// memory.
    #[error("the .gitattributes from the root to {path} have {size} bytes, more than {most}")]
    ControlFiles {
        /// The innermost one's path in the tree.
        path: BString,
        /// Their length in bytes.
        size: u64,
        /// The most that is held.
        most: u64,
    },
    /// Matching all patterns with all paths takes longer than a tree may take.
    #[error("the patterns of {path} take too long to match against the tree")]
    Costly {
        /// The path of the file that has the patterns.
        path: BString,
    },
    /// Writing what `export-subst` makes of files in the encoding of their commit takes longer than
    /// a tree may take.
    #[error("{path} has too many formats after too much text to convert to its commit's encoding")]
    Reencoded {
        /// The path of the file.
        path: BString,
    },
    /// A file that Git LFS keeps can't be had, or isn't the one that was meant.
    #[error("cannot get the large file {path} (Git LFS object {oid})")]
    LargeFile {
        /// Its path in the zip.
        path: BString,
        /// Its SHA-256.
        oid: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A pointer of Git LFS with extensions, which only the programs that made it understand.
    #[error("the Git LFS pointer {path} has extensions")]
    PointerExtension {
        /// Its path in the zip.
        path: BString,
    },
    /// The `.git` folder can't be made.
    #[error("cannot make the .git folder: {what}")]
    DotGit {
        /// Which part of it.
        what: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Whoever wanted it has said that it's enough.
    #[error("it was interrupted")]
    Interrupted,
    /// The zip can't be written on.
    #[error("cannot write the zip")]
    Write(#[from] std::io::Error),
}

/// Writes the tree of `commit` to `out` as a zip, whose comment is the commit's id and whose
/// entries have the commit's time, as those of `git archive` do. Without `large`, what stands in
/// the tree for a file that Git LFS keeps goes into the zip, and not the file.
///
/// Memory doesn't grow with the repository, but for one line a file in the zip's directory, and for
/// each file that isn't copied, which is held while it is compressed. What is copied goes from the
/// mapped pack to `out` in one piece, and what Git LFS keeps passes through in small ones.
///
/// Setting `interrupt` ends it soon: what isn't interrupted is at most the inflating or compressing
/// of one file in memory.
///
/// # Errors
/// See [`ArchiveError`]. A name that can't be in a zip is refused before the first byte is written.
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
        // Being interrupted looks like a file that can't be read there.
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

/// Writes a pack of `commit`: its trees and blobs, and nothing else that the repository has.
/// Another clone can begin with it.
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
