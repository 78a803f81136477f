//! What is copied out of a pack that isn't ours is inflated once: for the CRC-32 that Git doesn't
//! have, and to be sure that it is whole.

use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::DecompressionError;
use pack::Packed;

use crate::{copy::Copier, error::ArchiveError};

/// Inflates and forgets: small blobs in one piece by libdeflate, which takes half the time, others
/// by pieces.
pub(crate) struct Inflate {
    zlib: Decompress,
    buffer: Box<[u8]>,
    whole: libdeflater::Decompressor,
    content: Vec<u8>,
}

impl Default for Inflate {
    fn default() -> Self {
        let buffer = vec![0; 64 * 1024].into_boxed_slice();
        let whole = libdeflater::Decompressor::new();
        Self { zlib: Decompress::new(true), buffer, whole, content: Vec::new() }
    }
}

impl Inflate {
    /// The CRC-32 of a blob. Three witnesses must agree that it is the one that was stored: the
    /// length in the pack, the zlib stream's checksum, and the CRC-32 in the pack's index.
    pub(crate) fn crc(
        &mut self,
        blob: &Packed<'_>,
        copier: &mut Copier<'_>,
        damaged: impl Fn(&'static str) -> ArchiveError,
    ) -> Result<u32, ArchiveError> {
        let mut crc = crc32fast::Hasher::new();
        let mut ended = false;
        self.zlib.reset(true);
        copier.zlib(
            blob,
            |_, piece| {
                if ended {
                    return Err(damaged("there is something behind it"));
                }
                ended = self.piece(piece, blob.size, &mut crc).map_err(&damaged)?;
                Ok(())
            },
            &damaged,
        )?;
        if !ended {
            return Err(damaged("it ends too early"));
        }
        if self.zlib.total_out() != blob.size {
            return Err(damaged("its length is not the one that the pack tells"));
        }
        Ok(crc.finalize())
    }

    /// The same of a blob whose zlib stream was compared with the index already, and which fits
    /// into memory.
    pub(crate) fn whole_crc(&mut self, zlib: &[u8], size: u64) -> Result<u32, &'static str> {
        self.content.resize(usize::try_from(size).map_err(|_| "it is too long")?, 0);
        match self.whole.zlib_decompress(zlib, &mut self.content) {
            Ok(length) if length == self.content.len() => {}
            Ok(_) => return Err("its length is not the one that the pack tells"),
            Err(DecompressionError::InsufficientSpace) => return Err("it is longer than the pack tells"),
            Err(DecompressionError::BadData) => return Err("it is no zlib stream, or ends too early"),
        }
        // What is behind the stream isn't looked at by libdeflate.
        let mut sum = libdeflater::Adler32::new();
        sum.update(&self.content);
        if !zlib.ends_with(&sum.sum().to_be_bytes()) {
            return Err("there is something behind it");
        }
        Ok(crc32fast::hash(&self.content))
    }

    /// Inflates a piece of the stream; whether it ends in there.
    fn piece(&mut self, piece: &[u8], size: u64, crc: &mut crc32fast::Hasher) -> Result<bool, &'static str> {
        let start = self.zlib.total_in();
        loop {
            let (read, written) = (self.zlib.total_in(), self.zlib.total_out());
            let input = usize::try_from(read - start).ok().and_then(|read| piece.get(read..)).unwrap_or_default();
            let status = self.zlib.decompress(input, &mut self.buffer, FlushDecompress::None);
            let status = status.map_err(|_| "it is no zlib stream")?;
            let inflated = usize::try_from(self.zlib.total_out() - written).unwrap_or_default();
            crc.update(self.buffer.get(..inflated).unwrap_or_default());
            if self.zlib.total_out() > size {
                return Err("it is longer than the pack tells");
            }
            if status == Status::StreamEnd {
                let whole = self.zlib.total_in() - start == piece.len() as u64;
                return if whole { Ok(true) } else { Err("there is something behind it") };
            }
            if self.zlib.total_in() == read && inflated == 0 {
                return if input.is_empty() { Ok(false) } else { Err("it doesn't go on") };
            }
        }
    }
}
