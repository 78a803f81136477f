//! Copies compressed data from packs in pieces, and compares it with the CRC-32 in the pack's
//! index, so that damage on the disk is detected without inflating.

use std::sync::atomic::AtomicBool;

use pack::Packed;

use crate::{error::ArchiveError, objects::go_on};

/// The size of a piece.
const PIECE: usize = 64 * 1024;

/// The frame of the deflate stream in a zlib stream (RFC 1950): two bytes before it and an Adler-32
/// after it.
const IN_FRONT: usize = 2;
const BEHIND: usize = 4;

/// Copies with one buffer, unless interrupted.
pub(crate) struct Copier<'a> {
    buffer: Box<[u8]>,
    interrupt: &'a AtomicBool,
}

/// The length of a blob's deflate stream.
pub(crate) fn deflate_length(blob: &Packed<'_>) -> Result<u64, &'static str> {
    blob.length.checked_sub((IN_FRONT + BEHIND) as u64).ok_or("it is too short")
}

/// The deflate stream in a zlib stream.
pub(crate) fn deflate_of(zlib: &[u8]) -> Option<&[u8]> {
    zlib.get(IN_FRONT..zlib.len().checked_sub(BEHIND)?)
}

impl<'a> Copier<'a> {
    pub(crate) fn new(interrupt: &'a AtomicBool) -> Self {
        Self { buffer: vec![0; PIECE].into_boxed_slice(), interrupt }
    }

    /// Passes on the deflate stream of a blob.
    pub(crate) fn deflate(
        &mut self,
        blob: &Packed<'_>,
        mut out: impl FnMut(&[u8]) -> Result<(), ArchiveError>,
        damaged: impl Fn(&'static str) -> ArchiveError,
    ) -> Result<(), ArchiveError> {
        let end = blob.length.saturating_sub(BEHIND as u64);
        self.zlib(
            blob,
            |at, piece| {
                let [start, end] = [IN_FRONT as u64, end]
                    .map(|edge| usize::try_from(edge.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len()));
                out(piece.get(start..end).unwrap_or_default())
            },
            damaged,
        )
    }

    /// Passes on the zlib stream of a blob, in pieces with their offsets.
    pub(crate) fn zlib(
        &mut self,
        blob: &Packed<'_>,
        mut out: impl FnMut(u64, &[u8]) -> Result<(), ArchiveError>,
        damaged: impl Fn(&'static str) -> ArchiveError,
    ) -> Result<(), ArchiveError> {
        let mut crc = crc32fast::Hasher::new();
        // The index's CRC-32 covers the header, too.
        crc.update(&blob.header);
        let mut at = 0;
        while at < blob.length {
            go_on(self.interrupt)?;
            let read = blob.read_at(at, &mut self.buffer).map_err(|source| unreadable(blob, source))?;
            let piece = self.buffer.get(..read).unwrap_or_default();
            crc.update(piece);
            out(at, piece)?;
            at += read as u64;
        }
        if blob.packed_crc.is_some_and(|expected| expected != crc.finalize()) {
            return Err(damaged("its CRC-32 differs from the pack's index"));
        }
        Ok(())
    }
}

pub(crate) fn unreadable(blob: &Packed<'_>, source: std::io::Error) -> ArchiveError {
    ArchiveError::Pack { path: blob.path().to_owned(), source: source.into() }
}
