//! Why a pack can't be received or read.

use std::{io, path::PathBuf};

use gix::ObjectId;

/// Why a pack can't be received or read.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Whoever sends the pack can't be read from any more, or ended too early.
    #[error("the pack was cut off after {received} bytes")]
    Read {
        /// How much of it came.
        received: u64,
        /// What the reader said.
        source: io::Error,
    },
    /// It doesn't begin as a pack of version 2 or 3 does.
    #[error("the received data is not a pack")]
    Header(#[source] gix::Error),
    /// An entry is damaged.
    #[error("the entry at offset {offset} of the pack is damaged: {reason}")]
    Entry {
        /// Where it begins in the pack as it was sent.
        offset: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An entry, or what becomes of it, takes more memory than one may.
    #[error("the entry at offset {offset} of the pack takes too much memory: {reason}")]
    TooLarge {
        /// Where it begins in the pack as it was sent.
        offset: u64,
        /// Which limit it exceeds.
        reason: &'static str,
    },
    /// It has more objects than there is memory for.
    #[error("the pack has {count} objects, more than allowed")]
    TooMany {
        /// How many it says that it has.
        count: u32,
    },
    /// What came isn't what was sent.
    #[error("the pack's checksum doesn't match")]
    Checksum,
    /// An object is made to have the id of another one.
    #[error("an object of the pack is part of a SHA-1 collision")]
    Collision(#[source] gix::Error),
    /// A delta rests on an object that is neither in the pack nor in the clone.
    #[error("the pack has a delta of {id}, which is missing")]
    NoBase {
        /// The object's id.
        id: ObjectId,
    },
    /// A delta rests on nothing that comes before it.
    #[error("the pack has {count} deltas without a base")]
    Unresolved {
        /// How many.
        count: usize,
    },
    /// A base can't be read from the clone.
    #[error("cannot read {id}, the base of a delta in the pack")]
    Base {
        /// The base's id.
        id: ObjectId,
        /// What Git's object database said.
        source: gix::Error,
    },
    /// The work was stopped.
    #[error("receiving the pack was interrupted")]
    Interrupted,
    /// A file of the clone can't be made, written or read.
    #[error("cannot use {}", path.display())]
    File {
        /// The file, or the folder it lies in.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A pack's index can't be used.
    #[error("cannot use the index {}", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong with it.
        source: gix::Error,
    },
}

impl PackError {
    /// For what happens to the files in a folder.
    pub(crate) fn file(path: &std::path::Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| Self::File { path: path.to_owned(), source }
    }
}
