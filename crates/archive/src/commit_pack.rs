//! Writes a pack of one commit: the commit, its trees and its blobs, and nothing else. Objects that
//! are whole in the repository's packs are copied unchanged.

use std::{
    collections::HashSet,
    io::{self, Write},
};

use gix::{
    ObjectId,
    objs::{Kind, tree::EntryKind},
    odb::pack::data,
};
use pack::{Compressor, header_of};

use crate::{error::ArchiveError, objects::Objects, subst::Commit, tree::Walk, workers::Tools};

/// Writes the pack of a commit.
pub(crate) fn write(objects: &Objects<'_>, commit: ObjectId, out: impl Write) -> Result<(), ArchiveError> {
    let needed = needed(objects, commit, Commit::read(objects, commit)?.tree())?;
    let mut out = gix::hash::io::Write::new(out, objects.repository().object_hash());
    let count = u32::try_from(needed.len()).map_err(io::Error::other)?;
    out.write_all(&data::header::encode(data::Version::V2, count))?;
    let (packs, mut tools, mut compressor) = (objects.packs()?, Tools::new(objects.interrupt()), Compressor::default());
    for (id, kind) in needed {
        if let Some(blob) = packs.blob(id) {
            let damaged = |reason: &str| ArchiveError::Object { id, source: reason.into() };
            if blob.content_crc.is_none() {
                tools.inflate.crc(&blob, &mut tools.copier, damaged)?;
            }
            out.write_all(&blob.header)?;
            tools.copier.zlib(&blob, |_, piece| Ok(out.write_all(piece)?), damaged)?;
        } else {
            let content = objects.read(id, kind)?;
            header_of(kind).write_to(content.len() as u64, &mut out)?;
            out.write_all(&compressor.zlib(&content))?;
        }
    }
    let trailer = out.hash.try_finalize().map_err(io::Error::other)?;
    Ok(out.inner.write_all(trailer.as_slice())?)
}

/// Every object of the commit's tree, once.
fn needed(objects: &Objects<'_>, commit: ObjectId, tree: ObjectId) -> Result<Vec<(ObjectId, Kind)>, ArchiveError> {
    let mut seen = HashSet::new();
    let mut needed = vec![(commit, Kind::Commit), (tree, Kind::Tree)];
    let mut walk = Walk::new(objects, tree)?;
    while let Some(entry) = walk.next() {
        let kind = match entry.kind {
            EntryKind::Tree => Kind::Tree,
            EntryKind::Commit => continue,
            EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link => Kind::Blob,
        };
        if kind == Kind::Tree {
            walk.enter(&entry)?;
        }
        if entry.id != tree && seen.insert(entry.id) {
            needed.push((entry.id, kind));
        }
    }
    Ok(needed)
}
