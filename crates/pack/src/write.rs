//! Writes a pack entry by entry, and records the index data of each.

use std::io::{self, Write};

use gix::{
    ObjectId,
    objs::Kind,
    odb::pack::data::{self, entry::Header},
};
use sha1::{Digest, Sha1};

/// A written object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) id: ObjectId,
    /// Its offset in the pack.
    pub(crate) offset: u64,
    /// The CRC-32 of its entry in the pack.
    pub(crate) packed: u32,
    /// The CRC-32 of the object's content.
    pub(crate) content: u32,
}

/// A pack writer.
pub(crate) struct Writer<W> {
    out: W,
    hash: Sha1,
    offset: u64,
    pub(crate) entries: Vec<Entry>,
}

/// An entry that is being written.
pub(crate) struct Begun {
    offset: u64,
    /// The offset of its zlib stream.
    zlib: u64,
    packed: crc32fast::Hasher,
}

/// The data of an object that is known at its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sums {
    pub(crate) id: ObjectId,
    /// The CRC-32 of its content.
    pub(crate) content: u32,
    /// The length of its zlib stream.
    pub(crate) packed: u64,
}

/// The position of a written object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// Its number among the written objects.
    pub(crate) entry: usize,
    /// The offset of its zlib stream.
    pub(crate) zlib: u64,
    /// The length of its zlib stream.
    pub(crate) packed: u64,
}

impl<W: Write> Writer<W> {
    /// A pack of `count` objects.
    pub(crate) fn new(out: W, count: u32) -> io::Result<Self> {
        let mut writer = Self { out, hash: Sha1::new(), offset: 0, entries: Vec::new() };
        writer.write(&data::header::encode(data::Version::V2, count))?;
        Ok(writer)
    }

    /// Starts an entry with its header.
    pub(crate) fn begin(&mut self, header: &[u8]) -> io::Result<Begun> {
        let zlib = self.offset + header.len() as u64;
        let mut begun = Begun { offset: self.offset, zlib, packed: crc32fast::Hasher::new() };
        self.piece(&mut begun, header)?;
        Ok(begun)
    }

    /// Writes a part of the entry's zlib stream.
    pub(crate) fn piece(&mut self, begun: &mut Begun, bytes: &[u8]) -> io::Result<()> {
        begun.packed.update(bytes);
        self.write(bytes)
    }

    /// Ends an entry.
    pub(crate) fn end(&mut self, begun: Begun, Sums { id, content, packed }: Sums) -> Written {
        self.entries.push(Entry { id, offset: begun.offset, packed: begun.packed.finalize(), content });
        Written { entry: self.entries.len() - 1, zlib: begun.zlib, packed }
    }

    /// Writes an already compressed object.
    pub(crate) fn object(&mut self, kind: Kind, size: u64, zlib: &[u8], sums: Sums) -> io::Result<Written> {
        let mut header = Vec::with_capacity(12);
        header_of(kind).write_to(size, &mut header)?;
        let mut begun = self.begin(&header)?;
        self.piece(&mut begun, zlib)?;
        Ok(self.end(begun, sums))
    }

    /// Writes the checksum at the end. Returns the checksum and the written objects.
    pub(crate) fn finish(mut self) -> io::Result<(W, [u8; 20], Vec<Entry>)> {
        let hash: [u8; 20] = self.hash.finalize().into();
        self.out.write_all(&hash)?;
        self.out.flush()?;
        Ok((self.out, hash, self.entries))
    }

    /// The file of the entries.
    pub(crate) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

/// The entry header of a whole object.
pub fn header_of(kind: Kind) -> Header {
    match kind {
        Kind::Commit => Header::Commit,
        Kind::Tree => Header::Tree,
        Kind::Blob => Header::Blob,
        Kind::Tag => Header::Tag,
    }
}
