//! A commit's tree as a zip, written as a stream: entry for entry what `git archive --format=zip` gives, attributes
//! applied, but without compressing again what Git has compressed already.
//!
//! In the pack of a shallow fetch nine blobs of ten aren't deltas. Such a blob lies there as a zlib stream, which is a
//! deflate stream between two bytes in front and four behind; a zip entry wants just that deflate stream. So it is
//! inflated once, for the CRC-32 that a zip demands, and copied.
//!
//! The crate knows no network and no AWS, runs no program, and reads no configuration but that of the repository it
//! is given; a filter that a repository's `.gitattributes` names has no command here and changes nothing.

mod attributes;
mod entry;
mod packs;
mod tree;
mod zip;

use std::io::Write;

use gix::{ObjectId, bstr::BString};

/// What was written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// All entries of the zip, folders included.
    pub entries: u64,
    /// Files whose deflate stream was copied from the pack.
    pub copied: u64,
    /// Files that were compressed here: deltas, loose objects, and what an attribute converts.
    pub compressed: u64,
    /// The zip's length in bytes.
    pub bytes: u64,
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
    /// The zip can't be written on.
    #[error("cannot write the zip")]
    Write(#[from] std::io::Error),
}

/// Writes the tree of `commit` to `out` as a zip, whose comment is the commit's id, as `git archive` does.
///
/// Memory doesn't grow with the repository, but for one line a file in the zip's directory, and for each blob that isn't
/// copied, which is held while it is compressed.
///
/// # Errors
/// See [`ArchiveError`].
pub fn write_zip<W: Write>(repository: &gix::Repository, commit: ObjectId, out: W) -> Result<Summary, ArchiveError> {
    let object = |source| ArchiveError::Object { id: commit, source };
    let found = repository.find_commit(commit).map_err(|error| object(error.into()))?;
    let tree = found.tree_id().map_err(|error| object(error.into()))?.detach();
    let time = found.time().map_err(|error| object(error.into()))?.seconds;

    let mut blobs = entry::Blobs::new(repository, tree)?;
    let mut zip = zip::Writer::new(out, time);
    tree::walk(repository, tree, &mut |entry| blobs.add(&mut zip, entry))?;
    let mut summary = blobs.summary();
    (summary.entries, summary.bytes) = zip.finish(commit.to_string().as_bytes())?;
    Ok(summary)
}
