//! An object that is no delta, as deltas find it, and how large one may be.

use gix::objs::Kind;

use crate::write::Written;

/// The largest tree, commit or tag, in bytes: a tree of three million files. Readers need it whole,
/// and a few bytes of the pack can inflate to it.
pub(crate) const LARGEST_BUT_BLOBS: u64 = 128 << 20;
pub(crate) const TOO_LARGE_BUT_BLOBS: &str = "it is a tree, a commit or a tag of more than 128 MiB";

/// A whole object: its ID and its position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole {
    /// Its offset in the received pack.
    pub(crate) came: u64,
    /// Its number in the written pack.
    pub(crate) entry: usize,
    pub(crate) kind: Kind,
    /// The offset of its zlib stream in the written pack.
    pub(crate) zlib: u64,
    /// The length of its zlib stream.
    pub(crate) packed: u64,
    pub(crate) size: u64,
}

impl Written {
    /// As a base for deltas.
    pub(crate) fn found(self, came: u64, kind: Kind, size: u64) -> Whole {
        Whole { came, entry: self.entry, kind, zlib: self.zlib, packed: self.packed, size }
    }
}
