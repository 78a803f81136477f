//! An object that is no delta, as deltas find it, and how large one may be.

use gix::objs::Kind;

use crate::write::Written;

/// The largest tree, commit or tag, in bytes: a tree of three million files. Whoever reads one
/// needs it whole, and zeros shrink to a thousandth.
pub(crate) const LARGEST_BUT_BLOBS: u64 = 128 << 20;
pub(crate) const TOO_LARGE_BUT_BLOBS: &str = "it is a tree, a commit or a tag of more than 128 MiB";

/// An object that came whole: what it is, and where a delta finds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole {
    /// Where it began in the pack that came.
    pub(crate) came: u64,
    /// Its number among what was written.
    pub(crate) entry: usize,
    pub(crate) kind: Kind,
    /// Where its zlib stream begins in the pack that was written.
    pub(crate) zlib: u64,
    /// The length of its zlib stream.
    pub(crate) packed: u64,
    pub(crate) size: u64,
}

impl Written {
    /// As a delta finds it.
    pub(crate) fn found(self, came: u64, kind: Kind, size: u64) -> Whole {
        Whole { came, entry: self.entry, kind, zlib: self.zlib, packed: self.packed, size }
    }
}
