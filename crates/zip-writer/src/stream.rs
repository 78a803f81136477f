//! Compresses a file into the zip as a stream, in constant memory. Its lengths and CRC-32 follow
//! the data, so they needn't be known in advance.

use std::io::{self, Write};

use bstr::BStr;
use flate2::{Compression, write::DeflateEncoder};

use crate::writer::{Announced, Method, Record, Sums, Writer};

/// From this length on, lengths have eight bytes. Incompressible data grows a little, and must
/// still fit.
const WIDE: u64 = 0xf000_0000;

/// A file that is being written.
#[derive(Debug)]
pub struct Stream<'a, W: Write> {
    path: &'a BStr,
    mode: u32,
    announced: Announced,
    record: Record,
    crc: crc32fast::Hasher,
    size: u64,
    encoder: DeflateEncoder<Data<'a, W>>,
}

impl<'a, W: Write> Stream<'a, W> {
    /// Starts a file of `size` bytes.
    pub fn begin(zip: &'a mut Writer<W>, path: &'a BStr, mode: u32, size: u64) -> io::Result<Self> {
        let announced = if size < WIDE { Announced::Behind } else { Announced::BehindWide };
        let record = zip.begin(path, Method::Deflated, announced)?;
        let encoder = DeflateEncoder::new(Data { zip, length: 0 }, Compression::default());
        Ok(Self { path, mode, announced, record, crc: crc32fast::Hasher::new(), size: 0, encoder })
    }

    /// Writes a piece of its content.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.crc.update(piece);
        self.size += piece.len() as u64;
        self.encoder.write_all(piece)
    }

    /// Ends it. Before that, it isn't in the zip.
    pub fn end(self) -> io::Result<()> {
        let Self { path, mode, announced, mut record, crc, size, encoder } = self;
        let Data { zip, length } = encoder.finish()?;
        zip.describe(&mut record, announced, Sums { crc: crc.finalize(), packed: length, size })?;
        zip.list(path, mode, &record)
    }
}

/// The data of an entry.
#[derive(Debug)]
struct Data<'a, W> {
    zip: &'a mut Writer<W>,
    length: u64,
}

impl<W: Write> Write for Data<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.zip.data(bytes)?;
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use zip::ZipArchive;

    use super::*;
    use crate::time::Time;

    #[test]
    fn streamed_file_reads_back_unchanged() {
        let content = "a text that is repeated, ".repeat(100_000);
        for said in [content.len() as u64, WIDE] {
            let mut bytes = Vec::new();
            let mut zip = Writer::new(&mut bytes, Time::from_seconds(1_700_000_000));
            let mut stream = Stream::begin(&mut zip, "large".into(), 0o100_755, said).unwrap();
            content.as_bytes().chunks(10_000).for_each(|piece| stream.write(piece).unwrap());
            stream.end().unwrap();
            Stream::begin(&mut zip, "empty".into(), 0o100_644, 0).unwrap().end().unwrap();
            zip.finish(b"").unwrap();

            let mut zip = ZipArchive::new(Cursor::new(&bytes)).unwrap();
            assert_eq!(zip.by_name("empty").unwrap().size(), 0);
            let mut large = zip.by_name("large").unwrap();
            let mut read = String::new();
            large.read_to_string(&mut read).unwrap();
            assert!(read == content && large.unix_mode() == Some(0o100_755) && large.compressed_size() < 20_000);
        }
    }
}
