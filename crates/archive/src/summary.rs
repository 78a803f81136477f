//! What a zip has become, in numbers.

/// Statistics of a written zip.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// All entries, including folders.
    pub entries: u64,
    /// Files whose deflate stream was copied from the pack.
    pub copied: u64,
    /// Files that were compressed here: deltas, loose objects, and converted files.
    pub compressed: u64,
    /// Files from Git LFS, which are compressed here as well.
    pub large: u64,
    /// Files that don't compress, such as empty ones, and symbolic links.
    pub stored: u64,
    /// The zip's length in bytes.
    pub bytes: u64,
}
