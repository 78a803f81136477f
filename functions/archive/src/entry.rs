//! One entry of the tree becomes one entry of the zip, in the cheapest way that there is.

use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};
use gix::{
    bstr::{BStr, BString, ByteSlice},
    objs::{Kind, tree::EntryKind},
};

use crate::{
    ArchiveError, LargeFile, LargeFiles, Pointer, Summary,
    inflate::Inflate,
    lfs::{self, Filtered},
    packs::Packs,
    selection::{File, Root},
    stream::Stream,
    zip::{Content, Method, Writer},
};

/// A zip that is being written, and what it gets that isn't in a tree.
pub(crate) struct Output<'a, W> {
    pub(crate) zip: Writer<W>,
    pub(crate) large: Option<&'a mut dyn LargeFiles>,
    pub(crate) summary: Summary,
}

/// Puts the files of a tree into a zip.
pub(crate) struct Files<'a> {
    root: &'a Root<'a>,
    packs: Packs,
    inflate: Inflate,
}

impl<'a> Files<'a> {
    pub(crate) fn new(root: &'a Root<'a>) -> Result<Self, ArchiveError> {
        Ok(Self { root, packs: Packs::open(root.objects.repository())?, inflate: Inflate::new() })
    }

    /// Puts an entry into the zip, under the name `at`. A submodule is an empty folder, as in `git archive`.
    pub(crate) fn add<W: Write>(
        &mut self,
        output: &mut Output<'_, W>,
        at: BString,
        file: &File,
    ) -> Result<(), ArchiveError> {
        match file.entry.kind {
            EntryKind::Tree | EntryKind::Commit => Ok(output.zip.folder(at.as_bstr())?),
            EntryKind::Link => {
                let target = self.root.objects.read(file.entry.id, Kind::Blob)?;
                output.summary.stored += 1;
                Ok(output.zip.file(at.as_bstr(), 0o120_777, &Content::stored(&target))?)
            }
            EntryKind::Blob => self.file(output, at, file, 0o100_644),
            EntryKind::BlobExecutable => self.file(output, at, file, 0o100_755),
        }
    }

    fn file<W: Write>(
        &mut self,
        output: &mut Output<'_, W>,
        at: BString,
        file: &File,
        mode: u32,
    ) -> Result<(), ArchiveError> {
        match &file.filtered {
            Filtered::Itself => self.blob(output, at.as_bstr(), file, mode),
            Filtered::Empty => {
                output.summary.stored += 1;
                Ok(output.zip.file(at.as_bstr(), mode, &Content::stored(b""))?)
            }
            Filtered::Pointer(pointer) => self.large(output, at, pointer, mode),
        }
    }

    fn blob<W: Write>(
        &mut self,
        output: &mut Output<'_, W>,
        at: &BStr,
        File { entry, conversion, .. }: &File,
        mode: u32,
    ) -> Result<(), ArchiveError> {
        let Output { zip, summary, .. } = output;
        let compressed = if conversion.is_none() { self.packs.compressed(entry.id) } else { None };
        if let Some(compressed) = compressed.filter(|compressed| compressed.size > 0) {
            let content = self.inflate.check(&compressed);
            let content =
                content.map_err(|reason| ArchiveError::Damaged { id: entry.id, path: entry.path.clone(), reason })?;
            summary.copied += 1;
            return Ok(zip.file(at, mode, &content)?);
        }
        let mut blob = self.root.objects.read(entry.id, Kind::Blob)?;
        if !conversion.is_none() {
            blob = conversion.apply(&entry.path, entry.id, blob, self.root.commit)?;
        }
        let deflated = deflate(&blob)?;
        let content = if deflated.len() < blob.len() {
            summary.compressed += 1;
            Content { data: &deflated, method: Method::Deflated, ..Content::stored(&blob) }
        } else {
            summary.stored += 1;
            Content::stored(&blob)
        };
        Ok(zip.file(at, mode, &content)?)
    }

    fn large<W: Write>(
        &self,
        Output { zip, large, summary }: &mut Output<'_, W>,
        path: BString,
        pointer: &Pointer,
        mode: u32,
    ) -> Result<(), ArchiveError> {
        let file = LargeFile { submodule: self.root.submodule(), path, pointer: pointer.clone() };
        let failed = |source| ArchiveError::LargeFile { path: file.path.clone(), oid: pointer.oid.clone(), source };
        let large = large.as_deref_mut().ok_or_else(|| failed("nobody brings it".into()))?;
        let mut content = large.open(&file).map_err(failed)?;
        let mut stream = Stream::begin(zip, file.path.as_bstr(), mode, pointer.size)?;
        lfs::copy(pointer, &mut content, |piece| Ok(stream.write(piece)?), failed)?;
        summary.large += 1;
        Ok(stream.end()?)
    }
}

fn deflate(blob: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(blob)?;
    encoder.finish()
}
