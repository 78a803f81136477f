//! One entry of the provider's archive becomes one of ours, and is remembered until the archive's
//! directory comes.

use std::io::{Read, Write};

use bstr::ByteSlice;

use crate::{
    content::Content,
    descriptor,
    error::ProviderError,
    header::{self, Header},
    input::Input,
    names::{Kind, Name, Names, Path},
    top::{Top, TopFolder},
};
use zip_writer::{Announced, Method, Record, Sums, Writer};

/// What is remembered of an entry.
pub(crate) struct Entry {
    pub(crate) path: Path,
    pub(crate) kind: Kind,
    /// What the archive told; nothing of a folder that is only implied.
    pub(crate) theirs: Option<Theirs>,
    /// What is written; nothing of the top folder.
    pub(crate) ours: Option<Record>,
}

/// What an entry's header and data told, to be compared with the archive's directory.
pub(crate) struct Theirs {
    pub(crate) offset: u64,
    pub(crate) method: Method,
    pub(crate) utf8: bool,
    pub(crate) sums: Sums,
}

/// What names and records may take of memory: enough for half a million files.
const ROOM: usize = 192 << 20;

/// Copies entries.
pub(crate) struct Entries {
    names: Names,
    top: Top,
    content: Content,
    entries: Vec<Entry>,
}

impl Entries {
    /// Whose data may inflate to `max` bytes together.
    pub(crate) fn new(rule: TopFolder, max: u64) -> Self {
        Self { names: Names::new(ROOM), top: Top::Undecided(rule), content: Content::new(max), entries: Vec::new() }
    }

    /// Copies the entry whose signature was read.
    pub(crate) fn copy<R: Read, W: Write>(
        &mut self,
        input: &mut Input<R>,
        offset: u64,
        zip: &mut Writer<W>,
    ) -> Result<(), ProviderError> {
        let header = header::local(input)?;
        let name = self.names.take(header.name.as_bstr())?;
        self.top.check(header.name.as_bstr())?;
        zip.set_time(header.time());
        for path in &name.implied {
            let ours = self.folder(path, zip)?;
            self.entries.push(Entry { path: path.clone(), kind: Kind::Folder, theirs: None, ours });
        }
        let (sums, ours) = match name.kind {
            Kind::Folder => {
                (self.nothing(input, &header)?, if name.known { None } else { self.folder(&name.path, zip)? })
            }
            Kind::File => self.file(input, &header, &name, zip)?,
        };
        let theirs = Theirs { offset, method: header.method, utf8: header.utf8, sums };
        self.entries.push(Entry { path: name.path, kind: name.kind, theirs: Some(theirs), ours });
        Ok(())
    }

    fn folder<W: Write>(&self, path: &Path, zip: &mut Writer<W>) -> Result<Option<Record>, ProviderError> {
        let ours = self.top.drop_from(path).map(|path| zip.begin_folder(path)).transpose();
        ours.map_err(ProviderError::Write)
    }

    fn file<R: Read, W: Write>(
        &mut self,
        input: &mut Input<R>,
        header: &Header,
        name: &Name,
        zip: &mut Writer<W>,
    ) -> Result<(Sums, Option<Record>), ProviderError> {
        let announced = match (header.described, header.wide) {
            (false, _) => Announced::Before(header.sums),
            (true, false) => Announced::Behind,
            (true, true) => Announced::BehindWide,
        };
        let Some(path) = self.top.drop_from(&name.path) else { return Ok((self.nothing(input, header)?, None)) };
        let mut record = zip.begin(path, header.method, announced).map_err(ProviderError::Write)?;
        let sums = self.content.copy(input, header, |bytes| zip.data(bytes))?;
        check(input, header, &sums)?;
        if header.described {
            zip.describe(&mut record, announced, sums).map_err(ProviderError::Write)?;
        }
        Ok((sums, Some(record)))
    }

    /// A folder's data.
    fn nothing<R: Read>(&mut self, input: &mut Input<R>, header: &Header) -> Result<Sums, ProviderError> {
        let sums = self.content.copy(input, header, |_| Ok(()))?;
        check(input, header, &sums)?;
        if sums.size == 0 { Ok(sums) } else { Err(damaged(header, "it is a folder with content")) }
    }

    /// What is known when the archive's directory begins.
    pub(crate) fn finish(self) -> (Vec<Entry>, Top) {
        (self.entries, self.top)
    }
}

/// Holds what was found against what was told in front of the data or is told behind it.
fn check<R: Read>(input: &mut Input<R>, header: &Header, found: &Sums) -> Result<(), ProviderError> {
    if header.described && !descriptor::skip(input, found)? {
        return Err(match header.method {
            Method::Stored => {
                let reason = "is stored without its length in front of it: its end can't be found";
                ProviderError::Unsupported { path: header.name.clone(), reason }
            }
            Method::Deflated => damaged(header, "the descriptor behind it tells other sums"),
        });
    }
    // In front of data that is described, zero is what isn't known yet.
    let told = |told: u64, found: u64| told == found || header.described && told == 0;
    let Sums { crc, packed, size } = header.sums;
    if !told(packed, found.packed) || !told(size, found.size) {
        return Err(damaged(header, "its length is another"));
    }
    if !told(crc.into(), found.crc.into()) {
        return Err(damaged(header, "its CRC-32 is another"));
    }
    Ok(())
}

fn damaged(header: &Header, reason: &'static str) -> ProviderError {
    ProviderError::Damaged { path: header.name.clone(), reason }
}
