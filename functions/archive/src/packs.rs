//! Where a blob lies compressed: the entries of the repository's packs, as they are on disk.

use std::path::Path;

use gix::{
    ObjectId,
    odb::pack::{Bundle, data::entry::Header},
};

use crate::ArchiveError;

/// The packs of a repository, mapped into memory.
pub(crate) struct Packs(Vec<Bundle>);

/// A blob that lies in a pack whole, not as a delta.
pub(crate) struct Compressed<'a> {
    /// What stands before the zlib stream: the kind and the length.
    pub(crate) header: &'a [u8],
    /// The zlib stream, and what lies behind it in the pack.
    pub(crate) zlib: &'a [u8],
    /// The blob's length.
    pub(crate) size: u64,
    /// Of header and zlib stream, as the pack's index has it from when the pack was made. Indices of version 1 have none.
    pub(crate) crc: Option<u32>,
}

impl Packs {
    /// Opens the packs.
    pub(crate) fn open(repository: &gix::Repository) -> Result<Self, ArchiveError> {
        let directory = repository.objects.store_ref().path().join("pack");
        let Ok(files) = std::fs::read_dir(directory) else { return Ok(Self(Vec::new())) };
        let mut indices: Vec<_> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        indices.retain(|path| path.extension().is_some_and(|extension| extension == "idx"));
        let hash = repository.object_hash();
        let open = |path: &Path| {
            Bundle::at(path, hash).map_err(|error| ArchiveError::Pack { path: path.to_owned(), source: error.into() })
        };
        indices.iter().map(|path| open(path)).collect::<Result<_, _>>().map(Self)
    }

    /// The blob as it lies in a pack, unless it is a delta there or in none.
    pub(crate) fn compressed(&self, id: ObjectId) -> Option<Compressed<'_>> {
        self.0.iter().find_map(|bundle| {
            let index = bundle.index.lookup(id)?;
            let offset = bundle.index.pack_offset_at_index(index);
            let entry = bundle.pack.entry(offset).ok()?;
            let end = u64::try_from(bundle.pack.pack_end()).ok()?;
            let header = bundle.pack.entry_slice(offset..entry.data_offset)?;
            let zlib = bundle.pack.entry_slice(entry.data_offset..end)?;
            let crc = bundle.index.crc32_at_index(index);
            let whole = matches!(entry.header, Header::Blob);
            whole.then_some(Compressed { header, zlib, size: entry.decompressed_size, crc })
        })
    }
}
