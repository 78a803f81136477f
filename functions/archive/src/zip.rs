//! The zip format, written front to back without ever looking behind: by
//! [APPNOTE 6.3.10](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), with Unix modes and times as Info-ZIP
//! writes them. Ours, since no library takes a deflate stream that is compressed already.

use std::io::{self, Write};

use gix::bstr::{BStr, ByteSlice};

/// How the content is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// As it is.
    Stored = 0,
    /// As a deflate stream.
    Deflated = 8,
}

/// What an entry holds, ready to be copied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content<'a> {
    /// What is copied into the zip.
    pub(crate) data: &'a [u8],
    pub(crate) method: Method,
    /// Of what it inflates to.
    pub(crate) crc: u32,
    /// The length of what it inflates to.
    pub(crate) size: u64,
}

impl<'a> Content<'a> {
    /// The data as it is.
    pub(crate) fn stored(data: &'a [u8]) -> Self {
        Self { data, method: Method::Stored, crc: crc32fast::hash(data), size: data.len() as u64 }
    }
}

/// The largest number that a field of four bytes holds; itself it means "see the zip64 field".
pub(crate) const MAX_U32: u64 = u32::MAX as u64;
/// The same for two bytes.
const MAX_U16: u64 = u16::MAX as u64;
/// Made by version 4.5 on Unix.
pub(crate) const MADE_BY: u16 = 0x032d;
/// The name is UTF-8.
pub(crate) const UTF8: u16 = 0x0800;

/// Writes a zip.
pub(crate) struct Writer<W> {
    out: W,
    written: u64,
    entries: u64,
    directory: Vec<u8>,
    dos_time: u32,
    /// The extended timestamp, which is UTC where the DOS time has no zone.
    timestamp: [u8; 9],
}

impl<W: Write> Writer<W> {
    /// A zip on `out`, with entries of this time in seconds since 1970.
    pub(crate) fn new(out: W, time: i64) -> Self {
        let mut timestamp = *b"UT\x05\x00\x01\0\0\0\0";
        if let Some(field) = timestamp.last_chunk_mut() {
            // The field has 32 bits, signed: times outside of 1901 to 2038 are cut to its ends.
            let seconds = i32::try_from(time).unwrap_or(if time < 0 { i32::MIN } else { i32::MAX });
            *field = seconds.to_le_bytes();
        }
        Self { out, written: 0, entries: 0, directory: Vec::new(), dos_time: dos_time(time), timestamp }
    }

    /// Adds a folder.
    pub(crate) fn folder(&mut self, path: &BStr) -> io::Result<()> {
        let mut name = path.to_owned();
        name.push(b'/');
        // The lowest byte is DOS's own attribute for a folder.
        self.entry(name.as_bstr(), 0o040_755 << 16 | 0x10, &Content::stored(b""))
    }

    /// Adds a file or a link with its Unix mode.
    pub(crate) fn file(&mut self, path: &BStr, mode: u32, content: &Content<'_>) -> io::Result<()> {
        self.entry(path, mode << 16, content)
    }

    fn entry(&mut self, name: &BStr, external: u32, content: &Content<'_>) -> io::Result<()> {
        let offset = self.written;
        let packed = content.data.len() as u64;
        let name_length = u16::try_from(name.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("a path of {} bytes", name.len())))?;
        let flags = if name.is_ascii() || name.to_str().is_err() { 0 } else { UTF8 };
        let large = content.size >= MAX_U32 || packed >= MAX_U32;

        let mut local = Vec::with_capacity(64 + name.len());
        local.extend(b"PK\x03\x04");
        let sizes = if large { [MAX_U32; 2] } else { [packed, content.size] };
        let mut fields: Vec<u64> = if large { vec![content.size, packed] } else { Vec::new() };
        let zip64 = zip64_field(&fields);
        self.common(&mut local, flags, content, sizes, large);
        put16(&mut local, name_length);
        put16(&mut local, length(&zip64) + length(&self.timestamp));
        local.extend_from_slice(name);
        local.extend(&zip64);
        local.extend(self.timestamp);
        self.write(&local)?;
        self.write(content.data)?;

        fields.extend((offset >= MAX_U32).then_some(offset));
        let zip64 = zip64_field(&fields);
        let mut directory = std::mem::take(&mut self.directory);
        directory.extend(b"PK\x01\x02");
        put16(&mut directory, MADE_BY);
        self.common(&mut directory, flags, content, sizes, !fields.is_empty());
        put16(&mut directory, name_length);
        put16(&mut directory, length(&zip64) + length(&self.timestamp));
        // Comment, disk, internal attributes.
        directory.extend([0; 6]);
        directory.extend(external.to_le_bytes());
        put32(&mut directory, offset);
        directory.extend_from_slice(name);
        directory.extend(&zip64);
        directory.extend(self.timestamp);
        self.directory = directory;
        self.entries += 1;
        Ok(())
    }

    /// The fields that the header in front of an entry shares with the one in the directory.
    fn common(&self, header: &mut Vec<u8>, flags: u16, content: &Content<'_>, sizes: [u64; 2], zip64: bool) {
        put16(header, if zip64 { 45 } else { 20 });
        put16(header, flags);
        put16(header, content.method as u16);
        header.extend(self.dos_time.to_le_bytes());
        header.extend(content.crc.to_le_bytes());
        for size in sizes {
            put32(header, size);
        }
    }

    /// Writes the directory and what comes behind it. The result is the number of entries and of bytes.
    pub(crate) fn finish(mut self, comment: &[u8]) -> io::Result<(u64, u64)> {
        let start = self.written;
        let directory = std::mem::take(&mut self.directory);
        self.write(&directory)?;
        let end = end(self.entries, start, directory.len() as u64, comment);
        self.write(&end)?;
        self.out.flush()?;
        Ok((self.entries, self.written))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// What comes behind a directory of `size` bytes that starts at `start`.
pub(crate) fn end(entries: u64, start: u64, size: u64, comment: &[u8]) -> Vec<u8> {
    let mut end = Vec::new();
    if entries >= MAX_U16 || start >= MAX_U32 || size >= MAX_U32 {
        end.extend(b"PK\x06\x06");
        // The length of what follows: 56 bytes without these first twelve.
        end.extend(44u64.to_le_bytes());
        put16(&mut end, MADE_BY);
        put16(&mut end, 45);
        end.extend([0; 8]);
        for number in [entries, entries, size, start] {
            end.extend(number.to_le_bytes());
        }
        end.extend(b"PK\x06\x07\0\0\0\0");
        end.extend((start + size).to_le_bytes());
        end.extend(1u32.to_le_bytes());
    }
    end.extend(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        put16(&mut end, u16::try_from(entries).unwrap_or(u16::MAX));
    }
    put32(&mut end, size);
    put32(&mut end, start);
    put16(&mut end, length(comment));
    end.extend(comment);
    end
}

/// The extra field for numbers that don't fit: nothing where all do.
pub(crate) fn zip64_field(numbers: &[u64]) -> Vec<u8> {
    let mut field = Vec::new();
    if !numbers.is_empty() {
        put16(&mut field, 1);
        put16(&mut field, u16::try_from(numbers.len() * 8).unwrap_or(u16::MAX));
        field.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    field
}

pub(crate) fn length(field: &[u8]) -> u16 {
    u16::try_from(field.len()).unwrap_or(u16::MAX)
}

pub(crate) fn put16(out: &mut Vec<u8>, number: u16) {
    out.extend(number.to_le_bytes());
}

pub(crate) fn put32(out: &mut Vec<u8>, number: u64) {
    out.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

/// The time as DOS has it, in UTC: two seconds' precision, from 1980 to 2107.
fn dos_time(seconds: i64) -> u32 {
    const FIRST: u32 = (1 << 5 | 1) << 16;
    let Ok(time) = jiff::Timestamp::from_second(seconds) else { return FIRST };
    let time = jiff::tz::Offset::UTC.to_datetime(time);
    let Some(year) = u32::try_from(i32::from(time.year()) - 1980).ok().filter(|year| *year < 128) else { return FIRST };
    let part = |value: i8| u32::try_from(value).unwrap_or_default();
    let date = year << 9 | part(time.month()) << 5 | part(time.day());
    date << 16 | part(time.hour()) << 11 | part(time.minute()) << 5 | part(time.second()) >> 1
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Seek, SeekFrom};

    use ::zip::{CompressionMethod, ZipArchive, read::ZipFile};
    use flate2::{Compression, write::DeflateEncoder};
    use proptest::prelude::*;

    use super::*;

    /// 2023-11-14 22:13:20 UTC.
    const TIME: i64 = 1_700_000_000;

    fn deflated(content: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn read(mut entry: ZipFile<'_, impl Read>) -> Vec<u8> {
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        content
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_written_is_read(
            entries in prop::collection::btree_map(r#"[a-zä/ \\"]{1,30}"#, (
                prop::sample::select(vec![0o100_644u32, 0o100_755, 0o120_777]),
                prop::collection::vec(any::<u8>(), 0..300),
                any::<bool>(),
            ), 0..20),
            time in 315_532_800..4_102_444_800i64,
            comment in "[0-9a-f]{0,64}",
        ) {
            let mut bytes = Vec::new();
            let mut zip = Writer::new(&mut bytes, time);
            for (name, (mode, content, compressed)) in &entries {
                let packed = deflated(content);
                let stored = Content::stored(content);
                let deflate = Content { data: &packed, method: Method::Deflated, ..stored };
                zip.file(name.as_bytes().as_bstr(), *mode, if *compressed { &deflate } else { &stored }).unwrap();
            }
            let counted = zip.finish(comment.as_bytes()).unwrap();
            prop_assert_eq!(counted, (entries.len() as u64, bytes.len() as u64));

            let mut zip = ZipArchive::new(Cursor::new(&bytes)).unwrap();
            prop_assert_eq!(zip.comment(), comment.as_bytes());
            prop_assert_eq!(zip.len(), entries.len());
            for (n, (name, (mode, content, compressed))) in entries.iter().enumerate() {
                let entry = zip.by_index(n).unwrap();
                prop_assert_eq!(entry.name_raw(), name.as_bytes());
                prop_assert_eq!(entry.unix_mode(), Some(*mode));
                prop_assert_eq!(entry.compression() == CompressionMethod::Deflated, *compressed);
                let seen = entry.last_modified().unwrap();
                let written = jiff::Timestamp::from_second(time - time % 2).unwrap().to_string();
                prop_assert_eq!(seen.to_string() + "Z", written.replace('T', " "));
                prop_assert_eq!(&read(entry), content);
            }
        }
    }

    #[test]
    fn times_that_dos_does_not_know_are_its_first() {
        let first = (1 << 5 | 1) << 16;
        for time in [i64::MIN, -1, 0, 315_532_799, 315_532_800, 4_354_819_200, i64::MAX] {
            assert_eq!(dos_time(time), first, "{time}");
        }
        assert_eq!(dos_time(TIME), 0x576e_b1aa);
    }

    /// A file with holes: what is large is zeros and takes no memory.
    #[derive(Default)]
    struct Sparse {
        pieces: Vec<(u64, Vec<u8>)>,
        length: u64,
        position: u64,
    }

    impl Write for Sparse {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if bytes.len() < 1 << 20 {
                self.pieces.push((self.length, bytes.to_vec()));
            }
            self.length += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Read for Sparse {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(usize::try_from(self.length.saturating_sub(self.position)).unwrap());
            for (at, byte) in buffer.iter_mut().take(length).enumerate() {
                let position = self.position + at as u64;
                let piece = self.pieces.partition_point(|(start, _)| *start <= position).checked_sub(1);
                let piece = piece.map(|piece| &self.pieces[piece]);
                *byte = piece
                    .and_then(|(start, piece)| piece.get(usize::try_from(position - start).unwrap()))
                    .copied()
                    .unwrap_or(0);
            }
            self.position += length as u64;
            Ok(length)
        }
    }

    impl Seek for Sparse {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.position = match to {
                SeekFrom::Start(position) => position,
                SeekFrom::Current(by) => self.position.checked_add_signed(by).unwrap(),
                SeekFrom::End(by) => self.length.checked_add_signed(by).unwrap(),
            };
            Ok(self.position)
        }
    }

    #[test]
    fn entries_beyond_four_gigabytes_are_found() {
        let zeros = vec![0; 64 << 20];
        let zeros = Content::stored(&zeros);
        let mut sparse = Sparse::default();
        let mut zip = Writer::new(&mut sparse, TIME);
        for n in 0..66 {
            zip.file(format!("zeros{n}").as_str().into(), 0o100_644, &zeros).unwrap();
        }
        zip.file("behind".into(), 0o100_755, &Content::stored(b"behind")).unwrap();
        let (entries, bytes) = zip.finish(b"comment").unwrap();
        assert!(entries == 67 && bytes == sparse.length && bytes > 66 << 26);

        let mut zip = ZipArchive::new(sparse).unwrap();
        assert_eq!((zip.len(), zip.comment()), (67, b"comment".as_slice()));
        let behind = zip.by_name("behind").unwrap();
        assert!(behind.header_start() > MAX_U32 && behind.unix_mode() == Some(0o100_755));
        assert_eq!(read(behind), b"behind");
        assert!(zip.by_name("zeros0").unwrap().header_start() == 0);
    }

    /// What stands in a header: little-endian, `N` bytes at `at`.
    fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
        bytes[at..at + N].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    #[test]
    fn a_file_of_more_than_four_gigabytes_has_both_its_lengths_in_zip64() {
        for (size, large) in [(MAX_U32 - 1, false), (MAX_U32, true), (5 << 30, true)] {
            let mut bytes = Vec::new();
            let content = Content { data: b"12345678", method: Method::Deflated, crc: 1, size };
            let mut zip = Writer::new(&mut bytes, TIME);
            zip.file("a".into(), 0o100_644, &content).unwrap();
            zip.finish(b"").unwrap();

            let mut zip = ZipArchive::new(Cursor::new(&bytes)).unwrap();
            let entry = zip.by_index_raw(0).unwrap();
            assert_eq!((entry.size(), entry.compressed_size()), (size, 8));
            // The same in front of the entry, where readers of streams look: APPNOTE 4.3.7 and 4.5.3.
            assert_eq!(number::<2>(&bytes, 4), if large { 45 } else { 20 });
            assert_eq!(number::<4>(&bytes, 18), if large { MAX_U32 } else { 8 });
            assert_eq!(number::<4>(&bytes, 22), size.min(MAX_U32));
            if large {
                let field = [2, 2, 8, 8].iter().scan(31, |at, length| Some(std::mem::replace(at, *at + length)));
                let field: Vec<_> = field.collect();
                assert_eq!((number::<2>(&bytes, field[0]), number::<2>(&bytes, field[1])), (1, 16));
                assert_eq!((number::<8>(&bytes, field[2]), number::<8>(&bytes, field[3])), (size, 8));
            }
        }
    }

    #[test]
    fn so_many_entries_need_the_directorys_zip64_and_one_less_does_not() {
        for (count, zip64) in [(65_534, false), (65_535, true)] {
            let mut bytes = Vec::new();
            let mut zip = Writer::new(&mut bytes, TIME);
            for n in 0..count {
                zip.file(format!("{n}").as_str().into(), 0o100_644, &Content::stored(b"")).unwrap();
            }
            zip.finish(b"").unwrap();
            assert_eq!(bytes.windows(4).any(|window| window == b"PK\x06\x06"), zip64);
            assert_eq!(ZipArchive::new(Cursor::new(&bytes)).unwrap().len(), count);
        }
    }
}
