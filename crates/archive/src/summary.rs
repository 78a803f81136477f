//! What a zip has become, in numbers.

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
