//! Why a pack can't be received or read.

use std::{io, path::PathBuf};

use gix::ObjectId;

/// Why a pack can't be received or read.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The source failed or ended too early.
    #[error("the pack was cut off after {received} bytes")]
    Read {
        /// How much of it was received.
        received: u64,
        /// The error of the reader.
        source: io::Error,
    },
    /// It doesn't start with the header of a pack of version 2 or 3.
    #[error("the received data is not a pack")]
    Header(#[source] gix::Error),
    /// An entry is damaged.
    #[error("the entry at offset {offset} of the pack is damaged: {reason}")]
    Entry {
        /// The entry's offset in the received pack.
        offset: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An entry or its result needs too much memory.
    #[error("the entry at offset {offset} of the pack takes too much memory: {reason}")]
    TooLarge {
        /// The entry's offset in the received pack.
        offset: u64,
        /// Which limit it exceeds.
        reason: &'static str,
    },
    /// It has too many objects for the memory.
    #[error("the pack has {count} objects, more than allowed")]
    TooMany {
        /// The declared number.
        count: u32,
    },
    /// The received data differs from what was sent.
    #[error("the pack's checksum doesn't match")]
    Checksum,
    /// An object was crafted to have the same ID as another one.
    #[error("an object of the pack is part of a SHA-1 collision")]
    Collision(#[source] gix::Error),
    /// The base of a delta is neither in the pack nor in the clone.
    #[error("the pack has a delta of {id}, which is missing")]
    NoBase {
        /// The base's ID.
        id: ObjectId,
    },
    /// The bases of some deltas don't exist.
    #[error("the pack has {count} deltas without a base")]
    Unresolved {
        /// How many.
        count: usize,
    },
    /// A base in the clone is unreadable.
    #[error("cannot read {id}, the base of a delta in the pack")]
    Base {
        /// The base's ID.
        id: ObjectId,
        /// The error of Git's object database.
        source: gix::Error,
    },
    /// The work was interrupted.
    #[error("receiving the pack was interrupted")]
    Interrupted,
    /// A file of the clone can't be created, written or read.
    #[error("cannot use {}", path.display())]
    File {
        /// The file, or its folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A pack's index is unusable.
    #[error("cannot use the index {}", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// The cause.
        source: gix::Error,
    },
}

impl PackError {
    /// Maps errors of files in a folder.
    pub(crate) fn file(path: &std::path::Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| Self::File { path: path.to_owned(), source }
    }
}
