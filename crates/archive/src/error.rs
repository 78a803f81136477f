//! Why a tree can't become a zip.

use gix::{ObjectId, bstr::BString};

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
    /// It is called a commit, and even Git takes it for none. The clone has it as it was pushed.
    #[error("the object {id} is no commit that Git can read")]
    Malformed {
        /// The object's id.
        id: ObjectId,
        /// What is wrong with it.
        source: pack::NoCommit,
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
    /// A name in the tree that would lead out of the folder that the zip is unpacked into, or into
    /// a `.git`.
    #[error("the tree has an entry that no zip may have: {path:?}")]
    Path {
        /// The path.
        path: BString,
    },
    /// The tree has more entries than memory for their names, as one does in which trees are
    /// repeated in trees.
    #[error("the tree {tree} has more entries than a zip is made of here")]
    TooMany {
        /// The tree's id.
        tree: ObjectId,
    },
    /// A file that attributes convert, which isn't done to one so large.
    #[error("{path} has {size} bytes, too many for a file that attributes convert")]
    TooLarge {
        /// Its path in the zip.
        path: BString,
        /// Its length in bytes.
        size: u64,
    },
    /// A file that would be larger after it was converted than is held in memory.
    #[error("{path} would have more than {most} bytes once its attributes have converted it")]
    Grows {
        /// Its path in the tree.
        path: BString,
        /// The most that is made.
        most: u64,
    },
    /// A symbolic link whose target is longer than any system takes.
    #[error("the symbolic link {path} has a target of {size} bytes, more than {most}")]
    LongLink {
        /// Its path in the zip.
        path: BString,
        /// Its target's length in bytes.
        size: u64,
        /// The longest target that is taken.
        most: u64,
    },
    /// A commit that is too long to be put into files by `export-subst`.
    #[error("the commit {id} has {size} bytes, more than the {most} of which export-subst takes something")]
    LongCommit {
        /// The commit's id.
        id: ObjectId,
        /// Its length in bytes.
        size: u64,
        /// The longest of which something is taken.
        most: u64,
    },
    /// A `.gitattributes` or a `.mailmap` that is larger than such a file is read.
    #[error("{path} has {size} bytes, more than {most}")]
    ControlFile {
        /// Its path in the tree.
        path: BString,
        /// Its length in bytes.
        size: u64,
        /// The largest that is read.
        most: u64,
    },
    /// The `.gitattributes` in the folders on the way to this one are larger than is held in
    /// memory.
    #[error("the .gitattributes from the root to {path} have {size} bytes, more than {most}")]
    ControlFiles {
        /// The innermost one's path in the tree.
        path: BString,
        /// Their length in bytes.
        size: u64,
        /// The most that is held.
        most: u64,
    },
    /// Matching all patterns with all paths takes longer than a tree may take.
    #[error("the patterns of {path} take too long to be matched with the paths of the tree")]
    Costly {
        /// The path of the file that has the patterns.
        path: BString,
    },
    /// Writing what `export-subst` makes of files in the encoding of their commit takes longer than
    /// a tree may take.
    #[error("{path} has too many formats behind too long a text to be written in the encoding of its commit")]
    Reencoded {
        /// The path of the file.
        path: BString,
    },
    /// A file that Git LFS keeps can't be had, or isn't the one that was meant.
    #[error("cannot get the large file {path} (Git LFS object {oid})")]
    LargeFile {
        /// Its path in the zip.
        path: BString,
        /// Its SHA-256.
        oid: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A pointer of Git LFS with extensions, which only the programs that made it understand.
    #[error("the Git LFS pointer {path} has extensions")]
    PointerExtension {
        /// Its path in the zip.
        path: BString,
    },
    /// The `.git` folder can't be made.
    #[error("cannot make the .git folder: {what}")]
    DotGit {
        /// Which part of it.
        what: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Whoever wanted it has said that it's enough.
    #[error("it was interrupted before its end")]
    Interrupted,
    /// The zip can't be written on.
    #[error("cannot write the zip")]
    Write(#[from] std::io::Error),
}
