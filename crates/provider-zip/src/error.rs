//! Why a provider's archive can't become an artifact, and whether another download can help.

use bstr::BString;
use contract::{CommitId, Retry};

/// Why a provider's archive can't become a zip of ours. What was written until then is no zip.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The provider's bytes can't be read on.
    #[error("cannot read the archive")]
    Read(#[source] std::io::Error),
    /// The provider's bytes end before the zip does.
    #[error("the archive is cut off after {received} bytes")]
    CutOff {
        /// How many came.
        received: u64,
    },
    /// More bytes came than are allowed.
    #[error("the archive is longer than {max} bytes")]
    TooLong {
        /// How many are allowed.
        max: u64,
    },
    /// The files are longer than an archive of the allowed length can reasonably hold: a bomb.
    #[error("the archive's files are longer than {max} bytes together")]
    Bomb {
        /// How many are allowed.
        max: u64,
    },
    /// So many files and folders, or such long names, that remembering them takes too much memory.
    #[error("the archive has too many entries, or too long names")]
    TooMany,
    /// The bytes are no zip, or one whose parts contradict each other.
    #[error("the archive is malformed before byte {at}: {reason}")]
    Malformed {
        /// How far it was read.
        at: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A zip, but of a sort that can't be taken over.
    #[error("the archive's entry {path:?} {reason}")]
    Unsupported {
        /// The entry.
        path: BString,
        /// What it needs.
        reason: &'static str,
    },
    /// An entry's data isn't what its sums say.
    #[error("the archive's entry {path:?} is damaged: {reason}")]
    Damaged {
        /// The entry.
        path: BString,
        /// What is wrong.
        reason: &'static str,
    },
    /// The entry and its line in the archive's directory say different things.
    #[error("the archive's directory contradicts the entry {path:?}: its {field} is another")]
    Contradiction {
        /// The entry.
        path: BString,
        /// What differs.
        field: &'static str,
    },
    /// A name that would lead out of the folder that the zip is unpacked into, or into a `.git`.
    #[error("the archive has an entry that no zip may have: {path:?}")]
    Path {
        /// The entry.
        path: BString,
    },
    /// Two entries of one name, or an entry inside of a file or of a link.
    #[error("the archive's entry {path:?} collides with one before it")]
    Collision {
        /// The later one.
        path: BString,
    },
    /// What would be dropped as the top folder isn't shared by all entries, and may be content.
    #[error("the archive's entry {path:?} is not in the folder {folder:?}")]
    TopFolderNotShared {
        /// The entry.
        path: BString,
        /// The folder that was expected around everything; empty where the archive begins with a
        /// file.
        folder: BString,
    },
    /// The archive says that it is of another commit.
    #[error("the archive is of the commit {actual}, expected {expected}")]
    Commit {
        /// What was asked for.
        expected: CommitId,
        /// What came.
        actual: String,
    },
    /// The zip can't be written on.
    #[error("cannot write the zip")]
    Write(#[source] std::io::Error),
}

impl ProviderError {
    /// Whether doing the same again can help: only where the bytes stopped, not where they are
    /// wrong.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Read(_) | Self::CutOff { .. } | Self::Write(_) => Retry::Again,
            Self::TooLong { .. }
            | Self::Bomb { .. }
            | Self::TooMany
            | Self::Malformed { .. }
            | Self::Unsupported { .. }
            | Self::Damaged { .. }
            | Self::Contradiction { .. }
            | Self::Path { .. }
            | Self::Collision { .. }
            | Self::TopFolderNotShared { .. }
            | Self::Commit { .. } => Retry::Never,
        }
    }
}
