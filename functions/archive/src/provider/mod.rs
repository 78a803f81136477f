//! A zip as a provider's archive API sends it, made into ours while it streams by: the folder that everything lies in is
//! dropped, the compressed data is copied as it is, and nothing is believed that the zip says of itself in one place and
//! not in another.
//!
//! The input can't be looked at twice. What an entry is called stands in front of its data, but whether it is a program or a
//! link only in the directory at the zip's end: our own directory is written from that one, record for record.
//!
//! Refused, so that nobody's unpacker is led astray: names that leave their folder, two entries of one name, an entry below
//! what isn't a folder, encrypted or exotic entries, and every zip whose directory tells another story than its entries.
//! Memory doesn't grow with the data, but by a name and a line for each entry.

mod entries;
mod error;
mod input;
mod records;
mod source;
mod top_folder;

use std::io::{Read, Write};

use gix::bstr::ByteSlice;

pub use error::ProviderError;
pub use top_folder::TopFolder;

use crate::zip;
use entries::Entries;
use source::Source;

/// What is known of a zip before it comes.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// Which folder everything lies in.
    pub top_folder: TopFolder,
    /// The id of the commit that was asked for, in hexadecimal. Git puts it into the zip's comment, where another one is an
    /// error; a provider that doesn't use Git leaves it out.
    pub commit: Option<&'a str>,
    /// How long the zip may be, in bytes.
    pub max_bytes: u64,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copied {
    /// The entries of our zip, folders included.
    pub entries: u64,
    /// The length of the zip that came.
    pub received: u64,
    /// The length of ours.
    pub bytes: u64,
    /// The commit that the zip says it is of, in hexadecimal.
    pub commit: Option<String>,
}

/// Copies a provider's zip from `input` to `out`.
///
/// # Errors
/// See [`ProviderError`]. What was written until then is no zip.
pub fn copy_zip<R: Read, W: Write>(input: R, expected: &Expected<'_>, out: W) -> Result<Copied, ProviderError> {
    let mut source = Source::new(input, expected.max_bytes);
    let mut out = Counted { out, written: 0 };
    let mut top_folder = top_folder::Dropper::new(&expected.top_folder);
    let mut entries = Entries::default();
    while let Some(local) = source.next_entry()? {
        let name = top_folder.rename(&local.name)?;
        let kept = (!name.is_empty()).then_some(name);
        entries.push(source.copy_entry(local, kept, &mut out)?)?;
    }
    entries.check_names()?;
    let start = out.written;
    let mut copied = Copied::default();
    for entry in entries.iter() {
        let mode = source.directory_record(&entry)?;
        if entry.kept.is_some() {
            out.write(&entry.directory_record(mode))?;
            copied.entries += 1;
        }
    }
    let comment = source.end(entries.len())?;
    let commit = comment_commit(&comment, expected.commit)?;
    let size = out.written - start;
    let comment = commit.as_deref().or(expected.commit).unwrap_or_default();
    out.write(&zip::end(copied.entries, start, size, comment.as_bytes()))?;
    out.out.flush().map_err(ProviderError::Write)?;
    copied.received = source.received();
    copied.bytes = out.written;
    copied.commit = commit;
    Ok(copied)
}

/// The commit that a zip's comment names. A comment of another kind says nothing.
fn comment_commit(comment: &[u8], expected: Option<&str>) -> Result<Option<String>, ProviderError> {
    let is_id = [40, 64].contains(&comment.len()) && comment.iter().all(u8::is_ascii_hexdigit);
    let Some(found) = is_id.then(|| comment.to_str_lossy().to_ascii_lowercase()) else { return Ok(None) };
    match expected {
        Some(expected) if expected != found => Err(ProviderError::OtherCommit { expected: expected.to_owned(), found }),
        _ => Ok(Some(found)),
    }
}

/// The output and how much went there.
struct Counted<W> {
    out: W,
    written: u64,
}

impl<W: Write> Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), ProviderError> {
        self.out.write_all(bytes).map_err(ProviderError::Write)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
