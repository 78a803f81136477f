//! The packs of a clone, in Git's [pack format](https://git-scm.com/docs/gitformat-pack), stored so
//! that creating a zip is cheap.
//!
//! [`receive()`] reads a pack once, as a stream: it inflates each object once to compute its ID and
//! CRC-32 and to verify it. Deltas are resolved once and stored as whole objects, so that no later
//! push resolves or compresses them again. The result is a normal pack and index, with a file of
//! [checksums](Checksums) that allows copying objects from the pack into a zip without inflating
//! them.
//!
//! [`Packs`] reads packs in pieces, without memory mapping: memory doesn't grow with the
//! repository.
//!
//! A [`Commit`] is parsed as leniently as Git does.
//!
//! gix can read the same packs. This crate exists because gix inflates a received pack twice to
//! index it, maps all of it into memory, and keeps deltas as they are.

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
