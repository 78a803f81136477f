//! Why a provider's zip isn't taken.

use gix::bstr::BString;

/// Why a provider's zip can't become ours.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The input can't be read on: the transfer broke off.
    #[error("the transfer of the archive broke off")]
    Read(#[source] std::io::Error),
    /// The input ended in the middle of the zip.
    #[error("the archive ends after {received} bytes, before it is whole")]
    CutOff {
        /// How much of it came.
        received: u64,
    },
    /// The zip is longer than allowed.
    #[error("the archive has more than the {max} bytes that MaxArchiveBytes allows")]
    TooLarge {
        /// How long it may be.
        max: u64,
    },
    /// The input is no zip, or breaks the format's rules.
    #[error("the archive is no proper zip at byte {at}: {reason}")]
    Malformed {
        /// Where.
        at: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The zip has an entry of a kind that an archive of a repository never has.
    #[error("the archive's entry {name:?} is {what}, which isn't supported")]
    Unsupported {
        /// The entry's name.
        name: BString,
        /// What it is.
        what: &'static str,
    },
    /// An entry's data isn't what the zip says of it.
    #[error("the data of the archive's entry {name:?} is damaged: {reason}")]
    Damaged {
        /// The entry's name.
        name: BString,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The directory and the entries of the zip don't say the same: readers would see different files.
    #[error("the archive says two things of the entry {name:?}: its {field} differs between entry and directory")]
    Disagreement {
        /// The entry's name.
        name: BString,
        /// What differs.
        field: &'static str,
    },
    /// A name that would lead out of the folder that the zip is unpacked into, or into a `.git`.
    #[error("the archive has an entry that no zip may have: {name:?}")]
    Name {
        /// The name.
        name: BString,
    },
    /// Two entries of one name, or one below another that isn't a folder.
    #[error("the archive has more than one entry for {name:?}")]
    Conflict {
        /// The name.
        name: BString,
    },
    /// Not everything lies in the folder that everything should lie in.
    #[error("the archive's entry {name:?} isn't in the folder that the others are in")]
    TopFolder {
        /// The entry's name.
        name: BString,
    },
    /// The zip is of another commit than the one that was asked for.
    #[error("the archive is of the commit {found}, asked for was {expected}")]
    OtherCommit {
        /// The commit that was asked for.
        expected: String,
        /// The commit that came.
        found: String,
    },
    /// Our zip can't be written on.
    #[error("cannot write the zip")]
    Write(#[source] std::io::Error),
}
