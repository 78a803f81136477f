//! One entry of the tree becomes one entry of the zip, in the cheapest way that there is.

use std::io::Write;

use flate2::{Compression, Decompress, FlushDecompress, Status, write::DeflateEncoder};
use gix::{ObjectId, bstr::BStr, objs::tree::EntryKind};

use crate::{
    ArchiveError, Summary,
    attributes::{Attributes, Treatment},
    packs::{Compressed, Packs},
    tree::{Entry, Visit},
    zip::{Content, Method, Writer},
};

/// Puts blobs into a zip.
pub(crate) struct Blobs<'repo> {
    repository: &'repo gix::Repository,
    packs: Packs,
    attributes: Attributes<'repo>,
    inflate: Inflate,
    summary: Summary,
}

impl<'repo> Blobs<'repo> {
    pub(crate) fn new(repository: &'repo gix::Repository, tree: ObjectId) -> Result<Self, ArchiveError> {
        Ok(Self {
            repository,
            packs: Packs::open(repository)?,
            attributes: Attributes::of(repository, tree)?,
            inflate: Inflate::new(),
            summary: Summary::default(),
        })
    }

    pub(crate) fn summary(&self) -> Summary {
        self.summary
    }

    /// Puts an entry into the zip, unless an attribute leaves it out.
    pub(crate) fn add<W: Write>(&mut self, zip: &mut Writer<W>, entry: &Entry<'_>) -> Result<Visit, ArchiveError> {
        let treatment = self.attributes.treatment(entry.path, entry.kind)?;
        if treatment == Treatment::LeftOut {
            return Ok(Visit::LeftOut);
        }
        match entry.kind {
            EntryKind::Tree | EntryKind::Commit => zip.folder(entry.path)?,
            EntryKind::Link => {
                let target = self.read(entry.id)?;
                zip.file(entry.path, 0o120_000, &Content::stored(&target))?;
            }
            EntryKind::Blob => self.file(zip, entry, 0o100_644, treatment)?,
            EntryKind::BlobExecutable => self.file(zip, entry, 0o100_755, treatment)?,
        }
        Ok(Visit::Kept)
    }

    fn file<W: Write>(
        &mut self,
        zip: &mut Writer<W>,
        entry: &Entry<'_>,
        mode: u32,
        treatment: Treatment,
    ) -> Result<(), ArchiveError> {
        let compressed = match treatment {
            Treatment::Converted | Treatment::LeftOut => None,
            Treatment::AsIs => self.packs.compressed(entry.id),
        };
        if let Some(compressed) = compressed {
            let content = self.inflate.check(&compressed, entry)?;
            if content.size > 0 {
                self.summary.copied += 1;
                return Ok(zip.file(entry.path, mode, &content)?);
            }
        }
        let blob = self.read(entry.id)?;
        let blob = if treatment == Treatment::Converted {
            self.attributes.convert(entry.path, entry.id, &blob)?
        } else {
            blob
        };
        self.summary.compressed += 1;
        Ok(compress(&blob, |content| zip.file(entry.path, mode, content))?)
    }

    fn read(&self, id: ObjectId) -> Result<Vec<u8>, ArchiveError> {
        let blob = self.repository.find_blob(id);
        blob.map(|mut blob| blob.take_data()).map_err(|error| ArchiveError::Object { id, source: error.into() })
    }
}

/// Compresses `blob`, or leaves it as it is where that is shorter.
fn compress(blob: &[u8], write: impl FnOnce(&Content<'_>) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(blob)?;
    let deflated = encoder.finish()?;
    if deflated.len() < blob.len() {
        let content = Content { data: &deflated, method: Method::Deflated, ..Content::stored(blob) };
        write(&content)
    } else {
        write(&Content::stored(blob))
    }
}

/// Inflates what is copied: for the CRC-32 that Git doesn't have, and to be sure that it is whole.
struct Inflate {
    zlib: Decompress,
    buffer: Box<[u8]>,
}

impl Inflate {
    fn new() -> Self {
        Self { zlib: Decompress::new(true), buffer: vec![0; 64 * 1024].into_boxed_slice() }
    }

    /// The deflate stream inside of the zlib stream. The zlib stream's own checksum is compared on the way.
    fn check<'a>(&mut self, blob: &Compressed<'a>, entry: &Entry<'_>) -> Result<Content<'a>, ArchiveError> {
        let damaged = |reason| damaged(entry.id, entry.path, reason);
        let mut crc = crc32fast::Hasher::new();
        self.zlib.reset(true);
        loop {
            let (read, written) = (self.zlib.total_in(), self.zlib.total_out());
            let input = usize::try_from(read).ok().and_then(|read| blob.zlib.get(read..)).unwrap_or_default();
            let status = self.zlib.decompress(input, &mut self.buffer, FlushDecompress::None);
            let status = status.map_err(|_| damaged("it is no zlib stream"))?;
            let inflated = usize::try_from(self.zlib.total_out() - written).unwrap_or_default();
            crc.update(self.buffer.get(..inflated).unwrap_or_default());
            if status == Status::StreamEnd {
                break;
            }
            if self.zlib.total_in() == read && inflated == 0 {
                return Err(damaged("it ends too early"));
            }
        }
        if self.zlib.total_out() != blob.size {
            return Err(damaged("its length is not the one that the pack tells"));
        }
        let end = usize::try_from(self.zlib.total_in()).unwrap_or_default();
        let data =
            end.checked_sub(4).and_then(|end| blob.zlib.get(2..end)).ok_or_else(|| damaged("it is too short"))?;
        Ok(Content { data, method: Method::Deflated, crc: crc.finalize(), size: blob.size })
    }
}

fn damaged(id: ObjectId, path: &BStr, reason: &'static str) -> ArchiveError {
    ArchiveError::Damaged { id, path: path.to_owned(), reason }
}
