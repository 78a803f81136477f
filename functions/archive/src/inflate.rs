//! What is copied is inflated once: for the CRC-32 that Git doesn't have, and to be sure that it is whole.

use flate2::{Decompress, FlushDecompress, Status};

use crate::{
    packs::Compressed,
    zip::{Content, Method},
};

/// Inflates and forgets.
pub(crate) struct Inflate {
    zlib: Decompress,
    buffer: Box<[u8]>,
}

impl Inflate {
    pub(crate) fn new() -> Self {
        Self { zlib: Decompress::new(true), buffer: vec![0; 64 * 1024].into_boxed_slice() }
    }

    /// The deflate stream inside of the blob's zlib stream, or what is wrong with it.
    pub(crate) fn check<'a>(&mut self, blob: &Compressed<'a>) -> Result<Content<'a>, &'static str> {
        let (stream, crc) = self.check_stream(blob)?;
        // A zlib stream (RFC 1950) is two bytes, a deflate stream, and an Adler-32.
        let data = stream.get(2..stream.len().saturating_sub(4)).ok_or("it is too short")?;
        Ok(Content { data, method: Method::Deflated, crc, size: blob.size })
    }

    /// The blob's zlib stream and the CRC-32 of what is in it. Three witnesses must agree that it is the one that was stored:
    /// the length in the pack, the zlib stream's checksum, and the CRC-32 in the pack's index.
    pub(crate) fn check_stream<'a>(&mut self, blob: &Compressed<'a>) -> Result<(&'a [u8], u32), &'static str> {
        let mut crc = crc32fast::Hasher::new();
        self.zlib.reset(true);
        loop {
            let (read, written) = (self.zlib.total_in(), self.zlib.total_out());
            let input = usize::try_from(read).ok().and_then(|read| blob.zlib.get(read..)).unwrap_or_default();
            let status = self.zlib.decompress(input, &mut self.buffer, FlushDecompress::None);
            let status = status.map_err(|_| "it is no zlib stream")?;
            let inflated = usize::try_from(self.zlib.total_out() - written).unwrap_or_default();
            crc.update(self.buffer.get(..inflated).unwrap_or_default());
            if status == Status::StreamEnd {
                break;
            }
            if self.zlib.total_out() > blob.size {
                return Err("it is longer than the pack tells");
            }
            if self.zlib.total_in() == read && inflated == 0 {
                return Err("it ends too early");
            }
        }
        if self.zlib.total_out() != blob.size {
            return Err("its length is not the one that the pack tells");
        }
        let stream = usize::try_from(self.zlib.total_in()).ok().and_then(|end| blob.zlib.get(..end));
        let stream = stream.ok_or("it is too long")?;
        if blob.crc.is_some_and(|expected| packed_crc(blob.header, stream) != expected) {
            return Err("its CRC-32 is not the one in the pack's index");
        }
        Ok((stream, crc.finalize()))
    }
}

fn packed_crc(header: &[u8], stream: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(header);
    crc.update(stream);
    crc.finalize()
}
