//! The packs of a clone, by Git's [pack format](https://git-scm.com/docs/gitformat-pack), kept so
//! that a zip is cheap to make of them.
//!
//! [`receive()`] reads a pack once, while it comes in: each object is inflated once, and that gives
//! its id, its CRC-32 and the proof that it is whole. What comes as a delta is resolved once and
//! stored whole, so that no later push resolves or compresses it again. What is kept is a pack and
//! an index as Git has them, and beside them the [checksums](Checksums) of what is in the pack,
//! with which a file goes from the pack into a zip without being inflated.
//!
//! [`Packs`] reads packs by pieces and maps none of them into memory: however large a repository
//! is, reading it takes no more memory than a small one.
//!
//! A [`Commit`] is read as Git reads it, however strange it is.
//!
//! gix reads the same packs by the same index; this crate is for what gix doesn't do: it inflates a
//! pack twice to index it, with the whole of it in mapped memory, and keeps deltas as they came.

#![warn(clippy::indexing_slicing)]

mod checksums;
mod commit;
mod deflate;
mod delta;
mod error;
mod index;
mod read;
mod receive;
mod resolve;
mod whole;
mod write;

pub use checksums::Checksums;
pub use commit::{Commit, NoCommit, Person, skip_blank_lines, subject};
pub use deflate::Compressor;
pub use error::PackError;
pub use read::{Packed, Packs};
pub use receive::receive;
pub use write::header_of;

/// The bytes of a SHA-1.
const SHA1_LENGTH: usize = 20;
