//! One entry of the tree becomes one entry of the zip, in the cheapest way that there is.

use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};
use gix::{
    bstr::BStr,
    objs::{Kind, tree::EntryKind},
};

use crate::{
    ArchiveError, Summary,
    convert::Conversion,
    inflate::Inflate,
    objects::Objects,
    packs::Packs,
    subst::Commit,
    tree::Entry,
    zip::{Content, Method, Writer},
};

/// Puts files into a zip.
pub(crate) struct Files<'a> {
    objects: &'a Objects,
    commit: &'a Commit<'a>,
    packs: Packs,
    inflate: Inflate,
    summary: Summary,
}

impl<'a> Files<'a> {
    pub(crate) fn new(objects: &'a Objects, commit: &'a Commit<'a>) -> Result<Self, ArchiveError> {
        let packs = Packs::open(objects.repository())?;
        Ok(Self { objects, commit, packs, inflate: Inflate::new(), summary: Summary::default() })
    }

    /// How many there were of which sort.
    pub(crate) fn summary(&self) -> Summary {
        self.summary
    }

    /// Puts an entry into the zip, under the name `at`. A submodule is an empty folder, as in `git archive`.
    pub(crate) fn add<W: Write>(
        &mut self,
        zip: &mut Writer<W>,
        at: &BStr,
        entry: &Entry,
        conversion: &Conversion,
    ) -> Result<(), ArchiveError> {
        match entry.kind {
            EntryKind::Tree | EntryKind::Commit => Ok(zip.folder(at)?),
            EntryKind::Link => {
                let target = self.objects.read(entry.id, Kind::Blob)?;
                self.summary.stored += 1;
                Ok(zip.file(at, 0o120_777, &Content::stored(&target))?)
            }
            EntryKind::Blob => self.file(zip, at, entry, 0o100_644, conversion),
            EntryKind::BlobExecutable => self.file(zip, at, entry, 0o100_755, conversion),
        }
    }

    fn file<W: Write>(
        &mut self,
        zip: &mut Writer<W>,
        at: &BStr,
        entry: &Entry,
        mode: u32,
        conversion: &Conversion,
    ) -> Result<(), ArchiveError> {
        let compressed = if conversion.is_none() { self.packs.compressed(entry.id) } else { None };
        if let Some(compressed) = compressed.filter(|compressed| compressed.size > 0) {
            let content = self.inflate.check(&compressed);
            let content =
                content.map_err(|reason| ArchiveError::Damaged { id: entry.id, path: entry.path.clone(), reason })?;
            self.summary.copied += 1;
            return Ok(zip.file(at, mode, &content)?);
        }
        let mut blob = self.objects.read(entry.id, Kind::Blob)?;
        if !conversion.is_none() {
            blob = conversion.apply(&entry.path, entry.id, blob, self.commit)?;
        }
        let deflated = deflate(&blob)?;
        let content = if deflated.len() < blob.len() {
            self.summary.compressed += 1;
            Content { data: &deflated, method: Method::Deflated, ..Content::stored(&blob) }
        } else {
            self.summary.stored += 1;
            Content::stored(&blob)
        };
        Ok(zip.file(at, mode, &content)?)
    }
}

fn deflate(blob: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(blob)?;
    encoder.finish()
}
