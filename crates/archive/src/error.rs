//! Why a tree can't become a zip.

use gix::{ObjectId, bstr::BString};

/// Why a tree can't be zipped. The output up to then isn't a zip.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The commit, one of its trees or one of its blobs is missing or damaged.
    #[error("cannot read the object {id}")]
    Object {
        /// The object's ID.
        id: ObjectId,
        /// The error of Git's object database.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is stored as a commit, but even Git doesn't accept it. The clone has it as it was pushed.
    #[error("the object {id} is not a commit that Git can read")]
    Malformed {
        /// The object's ID.
        id: ObjectId,
        /// The cause.
        source: pack::NoCommit,
    },
    /// A pack can't be opened.
    #[error("cannot open the pack {}", path.display())]
    Pack {
        /// The pack's index.
        path: std::path::PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The blob's compressed data is damaged.
    #[error("the compressed data of the object {id} ({path}) is damaged: {reason}")]
    Damaged {
        /// The object's ID.
        id: ObjectId,
        /// Its path in the tree.
        path: BString,
        /// The cause.
        reason: &'static str,
    },
    /// A name in the tree would escape the folder that the zip is unpacked into, or reach into a
    /// `.git`.
    #[error("the tree has an entry with an unsafe path: {path:?}")]
    Path {
        /// The path.
        path: BString,
    },
    /// The tree has too many entries for the memory, for example because trees are repeated in
    /// trees.
    #[error("the tree {tree} has too many entries for a zip")]
    TooMany {
        /// The tree's ID.
        tree: ObjectId,
    },
    /// A file is too large for its conversion by attributes.
    #[error("{path} has {size} bytes, too many to be converted by attributes")]
    TooLarge {
        /// Its path in the zip.
        path: BString,
        /// Its length in bytes.
        size: u64,
    },
    /// A converted file would be too large for the memory.
    #[error("{path} would exceed {most} bytes after its attributes have converted it")]
    Grows {
        /// Its path in the tree.
        path: BString,
        /// The limit.
        most: u64,
    },
    /// A symbolic link's target is longer than any system supports.
    #[error("the symbolic link {path} has a target of {size} bytes, more than {most}")]
    LongLink {
        /// Its path in the zip.
        path: BString,
        /// Its target's length in bytes.
        size: u64,
        /// The limit.
        most: u64,
    },
    /// A commit is too long for `export-subst`.
    #[error("the commit {id} has {size} bytes, more than the {most} that export-subst supports")]
    LongCommit {
        /// The commit's ID.
        id: ObjectId,
        /// Its length in bytes.
        size: u64,
        /// The limit.
        most: u64,
    },
    /// A `.gitattributes` or a `.mailmap` is too large.
    #[error("{path} has {size} bytes, more than {most}")]
    ControlFile {
        /// Its path in the tree.
        path: BString,
        /// Its length in bytes.
        size: u64,
        /// The limit.
        most: u64,
    },
    /// The `.gitattributes` of the enclosing folders are too large together.
    #[error("the .gitattributes from the root to {path} have {size} bytes, more than {most}")]
    ControlFiles {
        /// The path of the innermost one.
        path: BString,
        /// Their length in bytes.
        size: u64,
        /// The limit.
        most: u64,
    },
    /// Matching all patterns with all paths takes too long.
    #[error("the patterns of {path} take too long to match against the tree")]
    Costly {
        /// The path of the file with the patterns.
        path: BString,
    },
    /// Converting the results of `export-subst` to the commit's encoding takes too long.
    #[error("{path} has too many formats after too much text to convert to its commit's encoding")]
    Reencoded {
        /// The path of the file.
        path: BString,
    },
    /// A Git LFS file isn't available, or isn't the right one.
    #[error("cannot get the large file {path} (Git LFS object {oid})")]
    LargeFile {
        /// Its path in the zip.
        path: BString,
        /// Its SHA-256.
        oid: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A Git LFS pointer has extensions, which only the programs that created it understand.
    #[error("the Git LFS pointer {path} has extensions")]
    PointerExtension {
        /// Its path in the zip.
        path: BString,
    },
    /// The `.git` folder can't be created.
    #[error("cannot make the .git folder: {what}")]
    DotGit {
        /// Which part failed.
        what: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The caller interrupted it.
    #[error("it was interrupted")]
    Interrupted,
    /// The output can't be written.
    #[error("cannot write the zip")]
    Write(#[from] std::io::Error),
}
