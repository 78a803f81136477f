//! Where an object lies compressed: the entries of packs as they are on disk, read by pieces.

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

/// What stands in front of an entry at most.
const LONGEST_HEADER: u64 = 10 + 32;

/// The packs of a repository.
#[derive(Debug)]
pub struct Packs(Vec<Pack>);

struct Pack {
    index: index::File,
    path: PathBuf,
    file: File,
    /// Where entries begin, and where the last one ends.
    offsets: Vec<u64>,
    checksums: Option<Checksums>,
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pack").field(&self.path).finish()
    }
}

/// A blob that lies in a pack whole, not as a delta.
#[derive(Debug, Clone)]
pub struct Packed<'a> {
    pack: &'a Pack,
    /// What stands in front of the zlib stream: the kind and the length.
    pub header: Vec<u8>,
    start: u64,
    /// The length of the zlib stream, in bytes.
    pub length: u64,
    /// The length of the blob, in bytes.
    pub size: u64,
    /// The CRC-32 of header and zlib stream, as the pack's index has it. Indices of version 1 have
    /// none.
    pub packed_crc: Option<u32>,
    /// The CRC-32 of the blob, where it is known.
    pub content_crc: Option<u32>,
}

impl Packs {
    /// Opens the packs of a repository.
    ///
    /// # Errors
    /// [`PackError::Index`] and [`PackError::File`]. A repository without packs has none.
    pub fn open(repository: &gix::Repository) -> Result<Self, PackError> {
        let directory = repository.objects.store_ref().path().join("pack");
        let Ok(files) = fs::read_dir(directory) else { return Ok(Self(Vec::new())) };
        let mut indices: Vec<_> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        indices.retain(|path| path.extension().is_some_and(|extension| extension == "idx"));
        let hash = repository.object_hash();
        indices.into_iter().map(|path| Pack::open(&path, hash)).collect::<Result<_, _>>().map(Self)
    }

    /// The blob as it lies in a pack, unless it is a delta there or in none.
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
    /// Reads what stands at `at` of the zlib stream, up to its end: how many bytes.
    ///
    /// # Errors
    /// The operating system's.
    pub fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let (wanted, _) = buffer.split_at_mut(buffer.len().min(left));
        self.pack.file.read_exact_at(wanted, self.start + at).map(|()| wanted.len())
    }

    /// The pack that it lies in.
    pub fn path(&self) -> &Path {
        &self.pack.path
    }
}
