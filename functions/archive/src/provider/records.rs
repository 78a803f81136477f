//! The zip format's records and fields, as they are read: by
//! [APPNOTE 6.3.10](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).

use gix::bstr::{BStr, BString};

use super::{
    ProviderError,
    entries::{Entry, Mode, timestamp},
};
use crate::zip::{MAX_U32, UTF8, length, put16, put32, zip64_field};

/// The data's lengths and its CRC-32 stand behind it.
pub(super) const DESCRIPTOR: u16 = 1 << 3;
/// How hard the compressor tried.
const EFFORT: u16 = 0b110;
const STORED: u16 = 0;
pub(super) const DEFLATED: u16 = 8;

/// The header in front of an entry.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) name: BString,
    /// Where it began.
    pub(super) at: u64,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) dos_time: u32,
    pub(super) modified: Option<[u8; 4]>,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) size: u64,
    /// Whether a descriptor has lengths of eight bytes.
    pub(super) is_large: bool,
}

impl Local {
    /// From the 26 fixed bytes behind the signature, the name and the extra fields.
    pub(super) fn read(at: u64, header: &Fields<26>, name: BString, extra: Vec<u8>) -> Result<Self, ProviderError> {
        let (flags, method) = (header.u16(2), header.u16(4));
        supported(name.as_ref(), flags, method)?;
        let (mut packed, mut size) = (u64::from(header.u32(14)), u64::from(header.u32(18)));
        let extra = Extra(extra);
        let numbers = extra.find(1);
        if let Some(numbers) = numbers {
            // In front of an entry both stand there, or the field doesn't.
            let both = number(numbers, 0).zip(number(numbers, 8));
            let (first, second) =
                both.ok_or(ProviderError::Malformed { at, reason: "a zip64 field that is too short" })?;
            size = if size == MAX_U32 { first } else { size };
            packed = if packed == MAX_U32 { second } else { packed };
        }
        let modified = extra.find(0x5455).and_then(|field| field.get(1..5)?.try_into().ok());
        let is_large = numbers.is_some();
        let (dos_time, crc) = (header.u32(6), header.u32(10));
        Ok(Self { name, at, flags, method, dos_time, modified, crc, packed, size, is_large })
    }

    /// Whether only the data itself tells where it ends.
    pub(super) fn is_hidden(&self) -> bool {
        self.flags & DESCRIPTOR != 0
    }

    /// The header in front of the entry in our zip.
    pub(super) fn header(&self, name: &BStr) -> Vec<u8> {
        let (crc, packed, size) = if self.is_hidden() { (0, 0, 0) } else { (self.crc, self.packed, self.size) };
        let large = if self.is_hidden() { self.is_large } else { packed >= MAX_U32 || size >= MAX_U32 };
        let zip64 = if large { zip64_field(&[size, packed]) } else { Vec::new() };
        let extra = [zip64, timestamp(self.modified)].concat();
        let mut header = b"PK\x03\x04".to_vec();
        put16(&mut header, if large { 45 } else { 20 });
        put16(&mut header, self.flags);
        put16(&mut header, self.method);
        header.extend(self.dos_time.to_le_bytes());
        header.extend(crc.to_le_bytes());
        for number in [packed, size] {
            put32(&mut header, if large { MAX_U32 } else { number });
        }
        put16(&mut header, length(name));
        put16(&mut header, length(&extra));
        header.extend_from_slice(name);
        header.extend(extra);
        header
    }

    /// The forms that the record behind the data may have: with a signature or without one, with lengths of eight bytes or
    /// of four. Ours comes first.
    pub(super) fn descriptors(&self) -> Vec<Vec<u8>> {
        let long = [self.packed.to_le_bytes(), self.size.to_le_bytes()].concat();
        let four = |number: u64| u32::try_from(number).ok().map(u32::to_le_bytes);
        let short = four(self.packed).zip(four(self.size)).map(|(packed, size)| [packed, size].concat());
        let lengths = if self.is_large { [Some(long), short] } else { [short, Some(long)] };
        let plain = lengths.into_iter().flatten().map(|lengths| [&self.crc.to_le_bytes()[..], &lengths].concat());
        plain.flat_map(|plain| [[b"PK\x07\x08", &plain[..]].concat(), plain]).collect()
    }

    pub(super) fn damaged(&self, reason: &'static str) -> ProviderError {
        ProviderError::Damaged { name: self.name.clone(), reason }
    }
}

fn supported(name: &BStr, flags: u16, method: u16) -> Result<(), ProviderError> {
    let what = match (flags, method) {
        (flags, _) if flags & 1 != 0 => "encrypted",
        (flags, _) if flags & !(DESCRIPTOR | UTF8 | EFFORT) != 0 => "of a kind",
        (flags, STORED) if flags & DESCRIPTOR != 0 && !name.ends_with(b"/") => "stored without its length in front",
        (_, STORED | DEFLATED) => return Ok(()),
        _ => "compressed by another method than deflate",
    };
    Err(ProviderError::Unsupported { name: name.into(), what })
}

/// What kind of file an entry is: a system's number and, where that is Unix or macOS, a mode.
pub(super) fn mode(entry: &Entry<'_>, system: u16, mode: u32) -> Result<Mode, ProviderError> {
    let kind = if [3, 19].contains(&system) { mode & 0o170_000 } else { 0 };
    let program = kind != 0 && mode & 0o111 != 0;
    match (kind, entry.is_folder()) {
        (0 | 0o040_000, true) => Ok(Mode::Folder),
        (0 | 0o100_000, false) => Ok(if program { Mode::Program } else { Mode::File }),
        (0o120_000, false) => Ok(Mode::Link),
        (0o040_000 | 0o100_000 | 0o120_000, _) => {
            Err(ProviderError::Disagreement { name: entry.name.into(), field: "kind" })
        }
        _ => Err(ProviderError::Unsupported { name: entry.name.into(), what: "neither file, folder nor link" }),
    }
}

/// The fixed part of a record.
pub(super) struct Fields<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Fields<N> {
    fn at<const M: usize>(&self, at: usize) -> [u8; M] {
        self.0.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; M])
    }

    pub(super) fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.at(at))
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.at(at))
    }

    pub(super) fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.at(at))
    }
}

/// The number of eight bytes at a place of a field.
pub(super) fn number(field: &[u8], at: usize) -> Option<u64> {
    field.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

/// Extra fields, each with a number and a length in front.
pub(super) struct Extra(pub(super) Vec<u8>);

impl Extra {
    pub(super) fn find(&self, id: u16) -> Option<&[u8]> {
        let mut rest = self.0.as_slice();
        while let Some((&[a, b, c, d], fields)) = rest.split_first_chunk() {
            let (field, others) = fields.split_at_checked(u16::from_le_bytes([c, d]).into())?;
            if u16::from_le_bytes([a, b]) == id {
                return Some(field);
            }
            rest = others;
        }
        None
    }
}
