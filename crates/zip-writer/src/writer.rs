//! The zip format, written front to back without ever looking behind: by [APPNOTE
//! 6.3.10](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), with Unix modes and times
//! as Info-ZIP writes them. Ours, since no library takes a deflate stream that is compressed
//! already.

use std::io::{self, Read, Seek, Write};

use bstr::{BStr, BString, ByteSlice};
use flate2::CrcReader;

use crate::time::Time;

/// How the content is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// As it is.
    Stored = 0,
    /// As a deflate stream.
    Deflated = 8,
}

/// The CRC-32 and the lengths of an entry.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// Of what the data inflates to.
    pub crc: u32,
    /// The length of the data as the zip holds it.
    pub packed: u64,
    /// The length of what it inflates to.
    pub size: u64,
}

/// Where the sums of an entry stand for who reads front to back. All stand in the directory too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// In front of the data.
    Before(Sums),
    /// Behind the data, in a descriptor whose lengths have eight bytes only if they need them.
    Behind,
    /// Behind the data, in a descriptor whose lengths have eight bytes, as the header says.
    BehindWide,
}

/// What an entry holds, ready to be copied.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// What is copied into the zip.
    pub data: &'a [u8],
    /// How it lies there.
    pub method: Method,
    /// Of what it inflates to.
    pub crc: u32,
    /// The length of what it inflates to.
    pub size: u64,
}

impl<'a> Content<'a> {
    /// The data as it is.
    pub fn stored(data: &'a [u8]) -> Self {
        Self { data, method: Method::Stored, crc: crc32fast::hash(data), size: data.len() as u64 }
    }
}

/// What the directory tells of an entry, but for its name and its mode.
#[derive(Debug)]
pub struct Record {
    offset: u64,
    flags: u16,
    method: Method,
    time: Time,
    sums: Sums,
}

/// The largest number that a field of four bytes holds; itself it means "see the zip64 field".
pub const MAX_U32: u64 = u32::MAX as u64;
/// The same for two bytes.
pub const MAX_U16: u64 = u16::MAX as u64;
/// Made by version 4.5 on Unix.
const MADE_BY: u16 = 0x032d;
/// The sums are in a descriptor behind the data.
pub const DESCRIBED: u16 = 0x0008;
/// The name is UTF-8.
pub const UTF8: u16 = 0x0800;

/// Writes a zip.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    written: u64,
    entries: u64,
    directory: Vec<u8>,
    time: Time,
}

impl<W: Write> Writer<W> {
    /// A zip on `out`, with entries of this time.
    pub fn new(out: W, time: Time) -> Self {
        Self { out, written: 0, entries: 0, directory: Vec::new(), time }
    }

    /// The entries that begin from here on have this time.
    pub fn set_time(&mut self, time: Time) {
        self.time = time;
    }

    /// Adds a folder.
    pub fn folder(&mut self, path: &BStr) -> io::Result<()> {
        let record = self.begin_folder(path)?;
        self.list_folder(path, &record)
    }

    /// Adds a file or a link with its Unix mode.
    pub fn file(&mut self, path: &BStr, mode: u32, content: &Content<'_>) -> io::Result<()> {
        let sums = Sums { crc: content.crc, packed: content.data.len() as u64, size: content.size };
        let record = self.begin(path, content.method, Announced::Before(sums))?;
        self.data(content.data)?;
        self.list(path, mode, &record)
    }

    /// Adds a file as it is on disk, in pieces: it is read twice, since its CRC-32 stands in front
    /// of it.
    pub fn file_on_disk(&mut self, path: &BStr, mode: u32, mut file: impl Read + Seek) -> io::Result<()> {
        let mut summed = CrcReader::new(&mut file);
        let size = io::copy(&mut summed, &mut io::sink())?;
        let sums = Sums { crc: summed.crc().sum(), packed: size, size };
        let record = self.begin(path, Method::Stored, Announced::Before(sums))?;
        file.rewind()?;
        self.written += io::copy(&mut file, &mut self.out)?;
        self.list(path, mode, &record)
    }

    /// Writes a folder, which isn't in the zip until [`Writer::list_folder`] gets the record.
    pub fn begin_folder(&mut self, path: &BStr) -> io::Result<Record> {
        self.begin(with_slash(path).as_bstr(), Method::Stored, Announced::Before(Sums::default()))
    }

    /// Writes what stands in front of an entry's data. Until [`Writer::list`] gets the record, it
    /// isn't in the zip.
    pub fn begin(&mut self, name: &BStr, method: Method, announced: Announced) -> io::Result<Record> {
        let (described, sums) = match announced {
            Announced::Before(sums) => (0, sums),
            Announced::Behind | Announced::BehindWide => (DESCRIBED, Sums::default()),
        };
        let utf8 = if name.is_ascii() || name.to_str().is_err() { 0 } else { UTF8 };
        let record = Record { offset: self.written, flags: utf8 | described, method, time: self.time, sums };
        let wide = needs_zip64(&sums) || announced == Announced::BehindWide;
        let zip64 = if wide { zip64_field(&[sums.size, sums.packed]) } else { Vec::new() };
        let mut header = Vec::with_capacity(64 + name.len());
        header.extend(b"PK\x03\x04");
        record.put(&mut header, wide, wide);
        put_lengths(&mut header, name, &zip64)?;
        record.put_name(&mut header, name, &zip64);
        self.write(&header)?;
        Ok(record)
    }

    /// Writes a piece of an entry's data.
    pub fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes)
    }

    /// Writes the descriptor behind the data of an entry that was announced without its sums.
    pub fn describe(&mut self, record: &mut Record, announced: Announced, sums: Sums) -> io::Result<()> {
        record.sums = sums;
        let mut descriptor = b"PK\x07\x08".to_vec();
        descriptor.extend(sums.crc.to_le_bytes());
        for length in [sums.packed, sums.size] {
            if announced == Announced::BehindWide || needs_zip64(&sums) {
                descriptor.extend(length.to_le_bytes());
            } else {
                put32(&mut descriptor, length);
            }
        }
        self.write(&descriptor)
    }

    /// Lists a folder that is written.
    pub fn list_folder(&mut self, path: &BStr, record: &Record) -> io::Result<()> {
        // The lowest byte is DOS's own attribute for a folder.
        self.list_entry(with_slash(path).as_bstr(), 0o040_755 << 16 | 0x10, record)
    }

    /// Lists a file or a link that is written, with its Unix mode.
    pub fn list(&mut self, path: &BStr, mode: u32, record: &Record) -> io::Result<()> {
        self.list_entry(path, mode << 16, record)
    }

    fn list_entry(&mut self, name: &BStr, external: u32, record: &Record) -> io::Result<()> {
        let large = needs_zip64(&record.sums);
        let mut numbers = if large { vec![record.sums.size, record.sums.packed] } else { Vec::new() };
        numbers.extend((record.offset >= MAX_U32).then_some(record.offset));
        let zip64 = zip64_field(&numbers);
        self.directory.extend(b"PK\x01\x02");
        put16(&mut self.directory, MADE_BY);
        record.put(&mut self.directory, !numbers.is_empty(), large);
        put_lengths(&mut self.directory, name, &zip64)?;
        // Comment, disk, internal attributes.
        self.directory.extend([0; 6]);
        self.directory.extend(external.to_le_bytes());
        put32(&mut self.directory, record.offset);
        record.put_name(&mut self.directory, name, &zip64);
        self.entries += 1;
        Ok(())
    }

    /// Writes the directory and what comes behind it. The result is the number of entries and of
    /// bytes.
    pub fn finish(mut self, comment: &[u8]) -> io::Result<(u64, u64)> {
        let start = self.written;
        let directory = std::mem::take(&mut self.directory);
        self.write(&directory)?;
        let size = directory.len() as u64;
        if self.entries >= MAX_U16 || start >= MAX_U32 || size >= MAX_U32 {
            self.zip64_end(start, size)?;
        }
        let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
        for _ in 0..2 {
            put16(&mut end, u16::try_from(self.entries).unwrap_or(u16::MAX));
        }
        put32(&mut end, size);
        put32(&mut end, start);
        put16(&mut end, length(comment));
        end.extend(comment);
        self.write(&end)?;
        self.out.flush()?;
        Ok((self.entries, self.written))
    }

    fn zip64_end(&mut self, start: u64, size: u64) -> io::Result<()> {
        let here = self.written;
        let mut end = b"PK\x06\x06".to_vec();
        // The length of what follows: 56 bytes without these first twelve.
        end.extend(44u64.to_le_bytes());
        put16(&mut end, MADE_BY);
        put16(&mut end, 45);
        end.extend([0; 8]);
        for number in [self.entries, self.entries, size, start] {
            end.extend(number.to_le_bytes());
        }
        end.extend(b"PK\x06\x07\0\0\0\0");
        end.extend(here.to_le_bytes());
        end.extend(1u32.to_le_bytes());
        self.write(&end)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

impl Record {
    /// The fields that the header in front of an entry shares with the one in the directory.
    /// Lengths that are `elsewhere` are in the zip64 field.
    fn put(&self, header: &mut Vec<u8>, zip64: bool, elsewhere: bool) {
        put16(header, if zip64 { 45 } else { 20 });
        put16(header, self.flags);
        put16(header, self.method as u16);
        header.extend(self.time.dos.to_le_bytes());
        header.extend(self.sums.crc.to_le_bytes());
        for length in [self.sums.packed, self.sums.size] {
            put32(header, if elsewhere { MAX_U32 } else { length });
        }
    }

    fn put_name(&self, header: &mut Vec<u8>, name: &BStr, zip64: &[u8]) {
        header.extend_from_slice(name);
        header.extend(zip64);
        header.extend(self.time.field());
    }
}

/// How long the name and the extra fields are that [`Record::put_name`] puts behind a header.
fn put_lengths(header: &mut Vec<u8>, name: &BStr, zip64: &[u8]) -> io::Result<()> {
    let length = u16::try_from(name.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("a path of {} bytes", name.len())))?;
    put16(header, length);
    put16(header, u16::try_from(zip64.len() + Time::FIELD).unwrap_or(u16::MAX));
    Ok(())
}

fn needs_zip64(sums: &Sums) -> bool {
    sums.size >= MAX_U32 || sums.packed >= MAX_U32
}

fn with_slash(path: &BStr) -> BString {
    let mut name = path.to_owned();
    name.push(b'/');
    name
}

/// The extra field for numbers that don't fit: nothing where all do.
fn zip64_field(numbers: &[u64]) -> Vec<u8> {
    let mut field = Vec::new();
    if !numbers.is_empty() {
        put16(&mut field, 1);
        put16(&mut field, u16::try_from(numbers.len() * 8).unwrap_or(u16::MAX));
        field.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    field
}

fn length(field: &[u8]) -> u16 {
    u16::try_from(field.len()).unwrap_or(u16::MAX)
}

fn put16(out: &mut Vec<u8>, number: u16) {
    out.extend(number.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, number: u64) {
    out.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, SeekFrom};

    use flate2::{Compression, write::DeflateEncoder};
    use proptest::prelude::*;
    use zip::{CompressionMethod, ZipArchive, read::ZipFile};

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
        fn written_zip_reads_back_unchanged(
            entries in prop::collection::btree_map(r#"[a-zä/ \\"]{1,30}"#, (
                prop::sample::select(vec![0o100_644u32, 0o100_755, 0o120_777]),
                prop::collection::vec(any::<u8>(), 0..300),
                any::<bool>(),
            ), 0..20),
            time in 315_532_800..4_102_444_800i64,
            comment in "[0-9a-f]{0,64}",
        ) {
            let mut bytes = Vec::new();
            let mut zip = Writer::new(&mut bytes, Time::from_seconds(time));
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
        let mut zip = Writer::new(&mut sparse, Time::from_seconds(TIME));
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
    fn four_gigabyte_file_uses_zip64_lengths() {
        for (size, large) in [(MAX_U32 - 1, false), (MAX_U32, true), (5 << 30, true)] {
            let mut bytes = Vec::new();
            let content = Content { data: b"12345678", method: Method::Deflated, crc: 1, size };
            let mut zip = Writer::new(&mut bytes, Time::from_seconds(TIME));
            zip.file("a".into(), 0o100_644, &content).unwrap();
            zip.finish(b"").unwrap();

            let mut zip = ZipArchive::new(Cursor::new(&bytes)).unwrap();
            let entry = zip.by_index_raw(0).unwrap();
            assert_eq!((entry.size(), entry.compressed_size()), (size, 8));
            // The same in front of the entry, where readers of streams look: APPNOTE 4.3.7 and
            // 4.5.3.
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
    fn zip64_directory_starts_at_65535_entries() {
        for (count, zip64) in [(65_534, false), (65_535, true)] {
            let mut bytes = Vec::new();
            let mut zip = Writer::new(&mut bytes, Time::from_seconds(TIME));
            for n in 0..count {
                zip.file(format!("{n}").as_str().into(), 0o100_644, &Content::stored(b"")).unwrap();
            }
            zip.finish(b"").unwrap();
            assert_eq!(bytes.windows(4).any(|window| window == b"PK\x06\x06"), zip64);
            assert_eq!(ZipArchive::new(Cursor::new(&bytes)).unwrap().len(), count);
        }
    }
}
