//! What a conversion makes of a file. It grows while it is made, and is refused before it takes
//! more memory than there is: a few bytes that stand for a long text, and are repeated, make any
//! length out of a small file.

use gix::bstr::{BString, ByteSlice};

use crate::{error::ArchiveError, objects::Objects};

/// The largest file that attributes convert, before and after that, in bytes. Both are in memory,
/// and then what was made and its compressed copy: three times this at most.
pub(crate) const LARGEST: u64 = 256 << 20;

/// What is made until now.
pub(crate) struct Output<'a> {
    made: Vec<u8>,
    /// To there it is known to have ASCII's letters only.
    plain: usize,
    path: &'a BString,
    objects: &'a Objects<'a>,
}

impl<'a> Output<'a> {
    /// Of the file at `path`, nothing yet.
    pub(crate) fn new(path: &'a BString, objects: &'a Objects<'a>) -> Self {
        Self { made: Vec::new(), plain: 0, path, objects }
    }

    /// Refuses what will be so long.
    pub(crate) fn fits(&self, length: usize) -> Result<(), ArchiveError> {
        let fits = length as u64 <= LARGEST;
        if fits { Ok(()) } else { Err(ArchiveError::Grows { path: self.path.clone(), most: LARGEST }) }
    }

    /// Goes on with these bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.objects.go_on()?;
        let length = self.made.len() + bytes.len();
        if length > self.made.capacity() {
            self.fits(length)?;
            let most = usize::try_from(LARGEST).unwrap_or(usize::MAX);
            let wanted = length.max(2 * self.made.capacity()).clamp(1024, most);
            self.made.reserve_exact(wanted - self.made.len());
        }
        self.made.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes the line ends at its end away.
    pub(crate) fn trim_line_ends(&mut self) {
        while self.made.pop_if(|byte| *byte == b'\n').is_some() {}
        self.plain = self.plain.min(self.made.len());
    }

    pub(crate) fn made(&self) -> &[u8] {
        &self.made
    }

    /// How many characters of ASCII it begins with; what was looked at once isn't looked at again.
    pub(crate) fn plain(&mut self) -> usize {
        let rest = self.made.get(self.plain..).unwrap_or_default();
        self.plain += rest.find_non_ascii_byte().unwrap_or(rest.len());
        self.plain
    }

    /// Puts these bytes in the place of what was made from there on.
    pub(crate) fn replace(&mut self, from: usize, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.made.truncate(from);
        self.plain = self.plain.min(from);
        self.push(bytes)
    }

    /// Another of the same file, nothing yet.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.path, self.objects)
    }

    pub(crate) fn path(&self) -> &'a BString {
        self.path
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.made
    }
}
