//! A provider's zip of a commit becomes ours, as a stream: the folder that the provider puts around
//! everything is dropped, compressed data is copied as it is, and nothing is believed that isn't
//! checked.
//!
//! ```text
//! header  data [descriptor]  header  data [descriptor]  ...  directory  [zip64's end]  end, comment
//! └ begin └ copy, inflate    └ name legal and free           └ compare, list modes     └ compare, nothing behind
//! ```
//!
//! The bytes come once, from a network, and only forward; there is no temporary file. So an entry
//! is written before the archive's directory tells its mode: ours comes last too. Memory doesn't
//! grow with the length of files, only with names.
//!
//! An archive that is cut off or contradicts itself gives an error and no finished zip. What
//! readers of zips could understand in two ways is refused.
//!
//! ```
//! use provider_zip::{ProviderError, ProviderZip, TopFolder, copy_zip};
//!
//! let expected = ProviderZip { top_folder: TopFolder::Always, commit: None, max_bytes: 5 << 30 };
//! let nothing = copy_zip(&b""[..], &expected, std::io::sink());
//! assert!(matches!(nothing, Err(ProviderError::CutOff { received: 0 })));
//! ```

#![warn(clippy::indexing_slicing)]

mod content;
mod descriptor;
mod directory;
mod end;
mod entry;
mod error;
mod extra;
mod header;
mod input;
mod names;
mod top;

use std::io::{Read, Write};

use contract::CommitId;

use zip_writer::{Time, Writer};

pub use error::ProviderError;
pub use top::TopFolder;

use crate::{entry::Entries, input::Input};

/// What is known of an archive before it comes.
#[derive(Debug, Clone)]
pub struct ProviderZip<'a> {
    /// The folder around everything, which is dropped.
    pub top_folder: TopFolder,
    /// The commit that was asked for. An archive made by git tells its commit, which has to be this
    /// one.
    pub commit: Option<&'a CommitId>,
    /// How many bytes may come. The files may have [`INFLATED`] times as many.
    pub max_bytes: u64,
}

/// How much longer than [`ProviderZip::max_bytes`] all files together may be. Sources shrink to a
/// quarter or so; a bomb is a thousand times longer than its zip, and costs the time to find that
/// out.
pub const INFLATED: u64 = 16;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSummary {
    /// All entries of our zip, folders included.
    pub entries: u64,
    /// The length of the provider's zip in bytes.
    pub received: u64,
    /// The length of ours.
    pub bytes: u64,
    /// The commit that the provider's zip says it is of.
    pub commit: Option<CommitId>,
}

/// What an entry begins with.
const ENTRY: [u8; 4] = *b"PK\x03\x04";

/// Copies the provider's zip `input` to `out`. What comes out has the tree that
/// `archive::write_zip` gives of the same commit, with the commit as its comment.
///
/// # Errors
/// See [`ProviderError`]. What `out` has got until then must not be kept: it has no end of ours,
/// but whatever the provider's entries hold.
pub fn copy_zip<R: Read, W: Write>(
    input: R,
    expected: &ProviderZip<'_>,
    out: W,
) -> Result<ProviderSummary, ProviderError> {
    let mut input = Input::new(input, expected.max_bytes);
    let mut zip = Writer::new(out, Time::from_seconds(0));
    let mut entries = Entries::new(expected.top_folder.clone(), expected.max_bytes.saturating_mul(INFLATED));
    let mut signature;
    loop {
        let offset = input.position();
        // An entry with a descriptor says its length only at its end, so entries are read one by
        // one and never skipped.
        signature = input.array()?;
        if signature != ENTRY {
            break;
        }
        entries.copy(&mut input, offset, &mut zip)?;
    }
    let directory = directory::list(&mut input, &mut signature, entries.finish(), &mut zip)?;
    let comment = end::read(&mut input, signature, directory)?;
    let commit = said_commit(&comment, expected.commit)?;
    let comment = expected.commit.or(commit.as_ref()).map(ToString::to_string).unwrap_or_default();
    let (entries, bytes) = zip.finish(comment.as_bytes()).map_err(ProviderError::Write)?;
    Ok(ProviderSummary { entries, received: input.position(), bytes, commit })
}

/// The commit that an archive's comment names, if it names one as git does.
fn said_commit(comment: &[u8], expected: Option<&CommitId>) -> Result<Option<CommitId>, ProviderError> {
    let hexadecimal = matches!(comment.len(), 40 | 64) && comment.iter().all(u8::is_ascii_hexdigit);
    if !hexadecimal {
        return Ok(None);
    }
    let actual = String::from_utf8_lossy(comment).to_ascii_lowercase();
    match expected {
        Some(expected) if expected.to_string() != actual => {
            Err(ProviderError::Commit { expected: expected.clone(), actual })
        }
        _ => Ok(actual.parse().ok()),
    }
}
