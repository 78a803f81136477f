//! The zip that comes, read strictly forward: its entries' data on the way through, and then its directory.

use std::io::{Read, Write};

use flate2::{Decompress, FlushDecompress, Status};
use gix::bstr::BString;

use super::{
    Counted, ProviderError,
    entries::{Entry, Fresh, Line, Mode},
    input::Input,
    records::{DEFLATED, DESCRIPTOR, Extra, Fields, Local, mode, number},
};
use crate::zip::{MAX_U32, UTF8};

/// The zip as it comes.
pub(super) struct Source<R> {
    input: Input<R>,
    /// The four bytes that were taken to see what comes next.
    ahead: [u8; 4],
    directory_at: u64,
    inflate: Decompress,
    scratch: Box<[u8]>,
}

/// What some data turned out to be.
struct Seen {
    packed: u64,
    size: u64,
    crc: u32,
}

impl<R: Read> Source<R> {
    pub(super) fn new(input: R, max: u64) -> Self {
        Self {
            input: Input::new(input, max),
            ahead: [0; 4],
            directory_at: 0,
            inflate: Decompress::new(false),
            scratch: vec![0; 64 * 1024].into_boxed_slice(),
        }
    }

    pub(super) fn received(&self) -> u64 {
        self.input.received()
    }

    /// Reads the header of the next entry; none where the directory comes.
    pub(super) fn next_entry(&mut self) -> Result<Option<Local>, ProviderError> {
        let at = self.received();
        self.ahead = self.input.take()?;
        match &self.ahead {
            b"PK\x03\x04" => {
                let header = Fields(self.input.take::<26>()?);
                let name = BString::from(self.input.take_vec(header.u16(22))?);
                let extra = self.input.take_vec(header.u16(24))?;
                Local::read(at, &header, name, extra).map(Some)
            }
            b"PK\x01\x02" | b"PK\x05\x06" | b"PK\x06\x06" => {
                self.directory_at = at;
                Ok(None)
            }
            _ => Err(ProviderError::Malformed { at, reason: "expected an entry or the directory" }),
        }
    }

    /// Copies an entry under another name, or reads over it, and makes sure that its data is what the zip says.
    pub(super) fn copy_entry<W: Write>(
        &mut self,
        mut local: Local,
        kept: Option<BString>,
        out: &mut Counted<W>,
    ) -> Result<Fresh, ProviderError> {
        let lies_at = out.written;
        if let Some(name) = &kept {
            out.write(&local.header(name.as_ref()))?;
        }
        let seen = self.copy_data(&local, kept.is_some(), out)?;
        if local.is_hidden() {
            (local.packed, local.size, local.crc) = (seen.packed, seen.size, seen.crc);
            let descriptor = self.descriptor(&local)?;
            if kept.is_some() {
                out.write(&descriptor)?;
            }
        } else if seen.packed != local.packed || seen.size != local.size {
            return Err(local.damaged("its length isn't the one that the zip tells"));
        } else if seen.crc != local.crc {
            return Err(local.damaged("its CRC-32 isn't the one that the zip tells"));
        }
        if local.name.ends_with(b"/") && local.size != 0 {
            return Err(local.damaged("it is a folder and has data"));
        }
        let Local { name, at, flags, method, dos_time, modified, crc, packed, size, .. } = local;
        let line = Line { flags, method, dos_time, modified, crc, packed, size, came_at: at, lies_at };
        Ok(Fresh { name, kept, line })
    }

    fn copy_data<W: Write>(&mut self, local: &Local, keep: bool, out: &mut Counted<W>) -> Result<Seen, ProviderError> {
        if local.method == DEFLATED { self.copy_deflated(local, keep, out) } else { self.copy_stored(local, keep, out) }
    }

    fn copy_stored<W: Write>(
        &mut self,
        local: &Local,
        keep: bool,
        out: &mut Counted<W>,
    ) -> Result<Seen, ProviderError> {
        let mut crc = crc32fast::Hasher::new();
        let mut left = local.packed;
        while left > 0 {
            let piece = self.input.fill()?;
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            let piece = piece.get(..length).unwrap_or_default();
            crc.update(piece);
            if keep {
                out.write(piece)?;
            }
            left -= length as u64;
            self.input.consume(length)?;
        }
        Ok(Seen { packed: local.packed, size: local.packed, crc: crc.finalize() })
    }

    fn copy_deflated<W: Write>(
        &mut self,
        local: &Local,
        keep: bool,
        out: &mut Counted<W>,
    ) -> Result<Seen, ProviderError> {
        let mut crc = crc32fast::Hasher::new();
        self.inflate.reset(false);
        loop {
            let (read, inflated) = (self.inflate.total_in(), self.inflate.total_out());
            let piece = self.input.fill()?;
            let status = self.inflate.decompress(piece, &mut self.scratch, FlushDecompress::None);
            let status = status.map_err(|_| local.damaged("it is no deflate stream"))?;
            let (packed, size) = (self.inflate.total_in(), self.inflate.total_out());
            let consumed = usize::try_from(packed - read).unwrap_or_default();
            let produced = usize::try_from(size - inflated).unwrap_or_default();
            crc.update(self.scratch.get(..produced).unwrap_or_default());
            if keep {
                out.write(piece.get(..consumed).unwrap_or_default())?;
            }
            self.input.consume(consumed)?;
            if status == Status::StreamEnd {
                return Ok(Seen { packed, size, crc: crc.finalize() });
            }
            if !local.is_hidden() && (packed > local.packed || size > local.size) {
                return Err(local.damaged("it is longer than the zip tells"));
            }
            if consumed == 0 && produced == 0 {
                return Err(local.damaged("it is no deflate stream"));
            }
        }
    }

    /// Reads the record behind the data, which has to tell what the data turned out to be; the one for our zip.
    fn descriptor(&mut self, local: &Local) -> Result<Vec<u8>, ProviderError> {
        let mut forms = local.descriptors();
        let longest = forms.iter().map(Vec::len).max().unwrap_or_default();
        let behind = self.input.peek(longest)?;
        // The longest that fits: a shorter one may be its beginning.
        let fitting = forms.iter().filter(|form| behind.starts_with(form)).map(Vec::len).max();
        let fitting = fitting.ok_or_else(|| local.damaged("what stands behind it tells another length or CRC-32"))?;
        self.input.consume(fitting)?;
        Ok(forms.swap_remove(0))
    }

    /// Reads the directory's record of an entry, which has to say what the entry itself said; what kind of file it is.
    pub(super) fn directory_record(&mut self, entry: &Entry<'_>) -> Result<Mode, ProviderError> {
        if self.ahead != *b"PK\x01\x02" {
            let at = self.received().saturating_sub(4);
            return Err(ProviderError::Malformed {
                at,
                reason: "the directory has fewer records than there are entries",
            });
        }
        let record = Fields(self.input.take::<42>()?);
        let name = self.input.take_vec(record.u16(24))?;
        let extra = Extra(self.input.take_vec(record.u16(26))?);
        self.input.take_vec(record.u16(28))?;
        let mut numbers = extra.find(1).unwrap_or_default().chunks_exact(8);
        let mut resolve = |short: u32| {
            let is_elsewhere = u64::from(short) == MAX_U32;
            let long = is_elsewhere.then(|| numbers.next()).flatten().and_then(|field| number(field, 0));
            long.unwrap_or(short.into())
        };
        let (size, packed, offset) = (resolve(record.u32(20)), resolve(record.u32(16)), resolve(record.u32(38)));
        let line = entry.line;
        let differs = [
            ("name", name.as_slice() != entry.name),
            ("flags", (record.u16(4) ^ line.flags) & (DESCRIPTOR | UTF8) != 0),
            ("method", record.u16(6) != line.method),
            ("CRC-32", record.u32(12) != line.crc),
            ("packed length", packed != line.packed),
            ("length", size != line.size),
            ("place", offset != line.came_at),
        ];
        if let Some((field, _)) = differs.into_iter().find(|(_, differs)| *differs) {
            return Err(ProviderError::Disagreement { name: entry.name.into(), field });
        }
        self.ahead = self.input.take()?;
        mode(entry, record.u16(0) >> 8, record.u32(34) >> 16)
    }

    /// Reads what stands behind the directory of so many entries, up to the end of the input; the zip's comment.
    pub(super) fn end(&mut self, entries: u64) -> Result<Vec<u8>, ProviderError> {
        let start = self.received().saturating_sub(4);
        let malformed = |reason| ProviderError::Malformed { at: start, reason };
        let mut long = None;
        if self.ahead == *b"PK\x06\x06" {
            let record = Fields(self.input.take::<52>()?);
            let locator = Fields(self.input.take::<20>()?);
            if record.u64(0) != 44 || !locator.0.starts_with(b"PK\x06\x07") || locator.u64(8) != start {
                return Err(malformed("a zip64 end that its locator doesn't find"));
            }
            long = Some([record.u64(20), record.u64(28), record.u64(36), record.u64(44)]);
            self.ahead = self.input.take()?;
        }
        if self.ahead != *b"PK\x05\x06" {
            return Err(malformed("the directory has more records than there are entries, or no end"));
        }
        let record = Fields(self.input.take::<18>()?);
        let short = [record.u16(4).into(), record.u16(6).into(), record.u32(8).into(), record.u32(12).into()];
        if long.unwrap_or(short) != [entries, entries, start - self.directory_at, self.directory_at] {
            return Err(malformed("the end of the zip doesn't fit what stands before it"));
        }
        let comment = self.input.take_vec(record.u16(16))?;
        if self.input.peek(1)?.is_empty() {
            Ok(comment)
        } else {
            Err(ProviderError::Malformed { at: self.received(), reason: "something stands behind the zip" })
        }
    }
}
