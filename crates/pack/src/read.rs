//! Reads compressed objects from packs on disk, in pieces.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use gix::{
    ObjectId,
    hash::Kind as Hash,
    odb::pack::{
        data::{self, entry::Header},
        index,
    },
};

use crate::{Checksums, PackError};

/// The longest header of an entry.
const LONGEST_HEADER: u64 = 10 + 32;

/// The packs of a repository.
#[derive(Debug)]
pub struct Packs(Vec<Pack>);

struct Pack {
    index: index::File,
    path: PathBuf,
    file: File,
    /// The offsets of entries, and the end of the last one.
    offsets: Vec<u64>,
    checksums: Option<Checksums>,
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pack").field(&self.path).finish()
    }
}

/// A blob that a pack stores whole, not as a delta.
#[derive(Debug, Clone)]
pub struct Packed<'a> {
    pack: &'a Pack,
    /// The header before the zlib stream: type and length.
    pub header: Vec<u8>,
    start: u64,
    /// The length of the zlib stream, in bytes.
    pub length: u64,
    /// The length of the blob, in bytes.
    pub size: u64,
    /// The CRC-32 of header and zlib stream, from the pack's index. Version 1 has none.
    pub packed_crc: Option<u32>,
    /// The CRC-32 of the blob, if known.
    pub content_crc: Option<u32>,
}

impl Packs {
    /// Opens the packs of a repository.
    ///
    /// # Errors
    /// [`PackError::Index`] and [`PackError::File`]. A repository without packs is no error.
    pub fn open(repository: &gix::Repository) -> Result<Self, PackError> {
        let directory = repository.objects.store_ref().path().join("pack");
        let Ok(files) = fs::read_dir(directory) else { return Ok(Self(Vec::new())) };
        let mut indices: Vec<_> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        indices.retain(|path| path.extension().is_some_and(|extension| extension == "idx"));
        let hash = repository.object_hash();
        indices.into_iter().map(|path| Pack::open(&path, hash)).collect::<Result<_, _>>().map(Self)
    }

    /// The blob as stored in a pack, unless it is a delta or in no pack.
    pub fn blob(&self, id: ObjectId) -> Option<Packed<'_>> {
        self.0.iter().find_map(|pack| pack.blob(id))
    }
}

impl Pack {
    fn open(path: &Path, hash: Hash) -> Result<Self, PackError> {
        let unusable = |source| PackError::Index { path: path.to_owned(), source };
        let index = index::File::at(path, hash).map_err(unusable)?;
        let path = path.with_extension("pack");
        let file = File::open(&path).map_err(PackError::file(&path))?;
        let end = file.metadata().map_err(PackError::file(&path))?.len().saturating_sub(hash.len_in_bytes() as u64);
        let mut offsets = index.sorted_offsets();
        offsets.push(end);
        let sums = path.with_extension(Checksums::EXTENSION);
        let checksums = Checksums::open(&sums, index.pack_checksum().as_slice(), index.num_objects());
        Ok(Self { index, path, file, offsets, checksums })
    }

    fn blob(&self, id: ObjectId) -> Option<Packed<'_>> {
        let index = self.index.lookup(id)?;
        let offset = self.index.pack_offset_at_index(index);
        // An index has no lengths: an entry ends where the next one in the pack begins.
        let next = self.offsets.partition_point(|start| *start <= offset);
        let end = *self.offsets.get(next)?;
        let mut header = vec![0; usize::try_from(LONGEST_HEADER.min(end.checked_sub(offset)?)).ok()?];
        self.file.read_exact_at(&mut header, offset).ok()?;
        let entry = data::Entry::from_bytes(&header, offset, self.index.object_hash()).ok()?;
        header.truncate(usize::try_from(entry.data_offset.checked_sub(offset)?).ok()?);
        (entry.header == Header::Blob).then_some(Packed {
            pack: self,
            header,
            start: entry.data_offset,
            length: end.checked_sub(entry.data_offset)?,
            size: entry.decompressed_size,
            packed_crc: self.index.crc32_at_index(index),
            content_crc: self.checksums.as_ref().and_then(|checksums| checksums.at(index)),
        })
    }
}

impl Packed<'_> {
    /// Reads from offset `at` of the zlib stream, at most to its end. Returns how many bytes.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let (wanted, _) = buffer.split_at_mut(buffer.len().min(left));
        // Not seeked: several threads read different objects of one file.
        self.pack.file.read_exact_at(wanted, self.start + at).map(|()| wanted.len())
    }

    /// The pack that contains it.
    pub fn path(&self) -> &Path {
        &self.pack.path
    }
}
