//! A commit's tree as a zip, written as a stream: entry for entry what `git archive --format=zip` gives, attributes
//! applied, but without compressing again what Git has compressed already.
//!
//! In the pack of a shallow fetch nine blobs of ten aren't deltas. Such a blob lies there as a zlib stream, which is a
//! deflate stream between two bytes in front and four behind; a zip entry wants just that deflate stream. So it is
//! inflated once, for the CRC-32 that a zip demands, and copied.
//!
//! The crate knows no network and no AWS, runs no program, and lets nothing decide but the commit: neither configuration nor
//! the machine. A filter that a `.gitattributes` names changes nothing, as where it isn't configured.

#![warn(clippy::indexing_slicing)]

mod attributes;
mod convert;
mod describe;
mod dot_git;
mod encoding;
mod entry;
mod inflate;
mod objects;
mod packs;
mod path;
mod paths;
pub mod provider;
mod refs;
mod subst;
mod time;
mod tree;
mod zip;

use std::io::Write;

use gix::{
    ObjectId,
    bstr::{BString, ByteSlice},
    objs::tree::EntryKind,
};

pub use dot_git::DotGit;
pub use paths::Paths;

use crate::{
    attributes::{Purpose, Treatment},
    tree::Folders,
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
    /// The `.git` folder that makes a work tree of them; none by default. A work tree has all files: `export-ignore` and
    /// `export-subst` don't count.
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
    /// A name in the tree that would lead out of the folder that the zip is unpacked into, or into a `.git`.
    #[error("the tree has an entry that no zip may have: {path:?}")]
    Path {
        /// The path.
        path: BString,
    },
    /// The tree's attributes can't be read or applied.
    #[error("cannot apply the attributes of {path}")]
    Attributes {
        /// The path that they are for.
        path: BString,
        /// What is wrong with them.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The `.git` folder can't be made.
    #[error("cannot make the .git folder: {what}")]
    DotGit {
        /// Which part of it.
        what: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The zip can't be written on.
    #[error("cannot write the zip")]
    Write(#[from] std::io::Error),
}

/// Writes the tree of `commit` to `out` as a zip, whose comment is the commit's id and whose entries have the commit's time,
/// as those of `git archive` do.
///
/// Memory doesn't grow with the repository, but for one line a file in the zip's directory, and for each file that isn't
/// copied, which is held while it is compressed. What is copied goes from the mapped pack to `out` in one piece.
///
/// # Errors
/// See [`ArchiveError`]. A name that can't be in a zip is refused before the first byte is written.
pub fn write_zip<W: Write>(
    repository: &gix::Repository,
    commit: ObjectId,
    options: &Options,
    out: W,
) -> Result<Summary, ArchiveError> {
    let objects = objects::Objects::of(repository);
    let read = subst::Commit::read(&objects, commit)?;
    let mut zip = zip::Writer::new(out, time::Time::from_seconds(read.time()));
    let mut summary = Summary::default();
    let root = Root { objects: &objects, commit: &read, prefix: BString::default() };
    write_tree(&root, options, &mut zip, &mut summary)?;
    if let Some(dot_git) = &options.dot_git {
        dot_git.write(&objects, commit, read.tree(), &options.paths, &mut zip)?;
    }
    (summary.entries, summary.bytes) = zip.finish(commit.to_string().as_bytes())?;
    Ok(summary)
}

/// A tree that goes into the zip, under a prefix that is empty or ends in a slash.
struct Root<'a> {
    objects: &'a objects::Objects,
    commit: &'a subst::Commit<'a>,
    prefix: BString,
}

fn write_tree<W: Write>(
    root: &Root<'_>,
    options: &Options,
    zip: &mut zip::Writer<W>,
    summary: &mut Summary,
) -> Result<(), ArchiveError> {
    let Root { objects, commit, prefix } = root;
    let purpose = if options.dot_git.is_some() { Purpose::WorkTree } else { Purpose::Archive };
    let mut attributes = attributes::Attributes::of(objects, commit.tree(), purpose)?;
    let mut files = entry::Files::new(objects, commit)?;
    let mut folders = Folders::default();
    let mut walk = tree::Walk::new(objects, commit.tree())?;
    let at = |path: &BString| [prefix.as_slice(), path].concat().into();
    while let Some(entry) = walk.next() {
        let treatment = attributes.treatment(objects, &entry)?;
        if entry.kind == EntryKind::Tree {
            if treatment != Treatment::LeftOut {
                walk.enter(&entry)?;
                folders.enter(entry.path);
            }
            continue;
        }
        let path: BString = at(&entry.path);
        let mut submodules = options.submodules.iter().filter(|_| entry.kind == EntryKind::Commit);
        let submodule = submodules.find(|submodule| submodule.path == path);
        let included = options.paths.include(path.as_bstr());
        if submodule.is_none() && !included {
            continue;
        }
        for folder in folders.before(&entry.path) {
            let folder: BString = at(&folder);
            zip.folder(folder.as_bstr())?;
        }
        let Treatment::Kept(conversion) = treatment else { continue };
        if included {
            files.add(zip, path.as_bstr(), &entry, &conversion)?;
        }
        if let Some(Submodule { clone, commit, path }) = submodule {
            let prefix = [path.as_slice(), b"/"].concat().into();
            let objects = objects::Objects::of(clone);
            let commit = &subst::Commit::read(&objects, *commit)?;
            write_tree(&Root { objects: &objects, commit, prefix }, options, zip, summary)?;
        }
    }
    let written = files.summary();
    summary.copied += written.copied;
    summary.compressed += written.compressed;
    summary.stored += written.stored;
    Ok(())
}
