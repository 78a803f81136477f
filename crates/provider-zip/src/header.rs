//! What a zip tells of an entry twice: in front of its data and in the directory at the end.

use std::io::Read;

use bstr::{BStr, BString, ByteSlice};

use crate::{error::ProviderError, extra::Extra, input::Input};
use zip_writer::{DESCRIBED, MAX_U32, Method, Sums, Time, UTF8};

/// Bits that say how hard the compressor tried.
const EFFORT: u16 = 0x0006;
const ENCRYPTED: u16 = 0x0001;

/// The fields that both headers have.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) name: BString,
    pub(crate) method: Method,
    /// The sums stand behind the data.
    pub(crate) described: bool,
    /// The name is said to be UTF-8.
    pub(crate) utf8: bool,
    pub(crate) sums: Sums,
    /// Time and date of DOS.
    dos_time: u32,
    extra: Extra,
    /// The lengths stand in the zip64 field.
    pub(crate) wide: bool,
}

impl Header {
    /// The time that has a zone, where there is one.
    pub(crate) fn time(&self) -> Time {
        self.extra.modified.map_or_else(|| Time::from_dos(self.dos_time), |seconds| Time::from_seconds(seconds.into()))
    }
}

/// The fields before the name.
struct Fields {
    flags: u16,
    method: u16,
    dos_time: u32,
    sums: Sums,
    name: u16,
    extra: u16,
}

impl Fields {
    fn read<R: Read>(input: &mut Input<R>) -> Result<Self, ProviderError> {
        let _version_needed = input.u16()?;
        let [flags, method] = [input.u16()?, input.u16()?];
        let [dos_time, crc, packed, size] = [input.u32()?, input.u32()?, input.u32()?, input.u32()?];
        let sums = Sums { crc, packed: packed.into(), size: size.into() };
        Ok(Self { flags, method, dos_time, sums, name: input.u16()?, extra: input.u16()? })
    }

    fn header<R: Read>(self, input: &mut Input<R>, offset: Option<&mut u64>) -> Result<Header, ProviderError> {
        let name = BString::from(input.bytes(self.name)?);
        let mut extra = Extra::parse(&input.bytes(self.extra)?).map_err(|reason| input.malformed(reason))?;
        let mut sums = self.sums;
        let wide = sums.packed == MAX_U32 || sums.size == MAX_U32;
        // In this order: APPNOTE 4.5.3.
        let numbers = [&mut sums.size, &mut sums.packed].into_iter().chain(offset);
        for number in numbers.filter(|number| **number == MAX_U32) {
            *number = extra.next_long().ok_or_else(|| input.malformed("a length or an offset is in no zip64 field"))?;
        }
        let method = method(self.method, self.flags, name.as_bstr())?;
        let utf8 = self.flags & UTF8 != 0;
        if utf8 && name.to_str().is_err() {
            return Err(ProviderError::Path { path: name });
        }
        let described = self.flags & DESCRIBED != 0;
        Ok(Header { name, method, described, utf8, sums, dos_time: self.dos_time, extra, wide })
    }
}

fn method(method: u16, flags: u16, name: &BStr) -> Result<Method, ProviderError> {
    let reason = match (flags & ENCRYPTED != 0, method) {
        (true, _) => "is encrypted",
        (false, 0 | 8) if flags & !(EFFORT | DESCRIBED | UTF8) != 0 => "has features that aren't known here",
        (false, 0) => return Ok(Method::Stored),
        (false, 8) => return Ok(Method::Deflated),
        (false, 1..=5) => "is compressed by a method of the eighties",
        (false, 6) => "is imploded",
        (false, 9) => "is compressed by deflate64",
        (false, 12) => "is compressed by bzip2",
        (false, 14) => "is compressed by LZMA",
        (false, 20 | 93) => "is compressed by Zstandard",
        (false, 95) => "is compressed by xz",
        (false, 98) => "is compressed by PPMd",
        (false, 99) => "is encrypted by AES",
        (false, _) => "is compressed by a method that isn't known here",
    };
    Err(ProviderError::Unsupported { path: name.to_owned(), reason })
}

/// Reads what stands in front of an entry's data, behind its signature.
pub(crate) fn local<R: Read>(input: &mut Input<R>) -> Result<Header, ProviderError> {
    Fields::read(input)?.header(input, None)
}

/// An entry's line in the directory.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) header: Header,
    pub(crate) offset: u64,
    /// The Unix mode, where Unix made the entry.
    pub(crate) mode: Option<u32>,
}

/// Reads a line of the directory, behind its signature.
pub(crate) fn line<R: Read>(input: &mut Input<R>) -> Result<Line, ProviderError> {
    /// The systems that know modes: Unix and macOS.
    const UNIX: [u8; 2] = [3, 19];
    let [_version, system] = input.array()?;
    let fields = Fields::read(input)?;
    let [comment, disk, _internal] = [input.u16()?, input.u16()?, input.u16()?];
    let [external, offset] = [input.u32()?, input.u32()?];
    let mut offset = u64::from(offset);
    let header = fields.header(input, Some(&mut offset))?;
    input.bytes(comment)?;
    if disk != 0 {
        return Err(input.malformed("it has more than one disk"));
    }
    Ok(Line { header, offset, mode: UNIX.contains(&system).then_some(external >> 16) })
}
