//! An entry's data, copied as it is, and inflated in passing: for its CRC-32, and to find where it
//! ends when only the descriptor behind it knows.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use crate::{error::ProviderError, header::Header, input::Input};
use zip_writer::{Method, Sums};

/// Checks data while it is copied.
pub(crate) struct Content {
    inflater: Decompress,
    buffer: Box<[u8]>,
    inflated: u64,
    max: u64,
}

impl Content {
    /// Whatever is copied may inflate to `max` bytes together.
    pub(crate) fn new(max: u64) -> Self {
        Self { inflater: Decompress::new(false), buffer: vec![0; 64 * 1024].into_boxed_slice(), inflated: 0, max }
    }

    /// Gives the entry's data to `copy`, and what its sums really are.
    pub(crate) fn copy<R: Read>(
        &mut self,
        input: &mut Input<R>,
        header: &Header,
        copy: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Sums, ProviderError> {
        match header.method {
            Method::Stored => self.stored(input, header, copy),
            Method::Deflated => self.deflated(input, header, copy),
        }
    }

    fn stored<R: Read>(
        &mut self,
        input: &mut Input<R>,
        header: &Header,
        mut copy: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Sums, ProviderError> {
        let length = header.sums.packed;
        let mut crc = crc32fast::Hasher::new();
        let mut left = length;
        while left > 0 {
            let bytes = up_to(input.some()?, left);
            crc.update(bytes);
            copy(bytes).map_err(ProviderError::Write)?;
            let count = bytes.len();
            input.consume(count);
            self.count(count)?;
            left -= count as u64;
        }
        Ok(Sums { crc: crc.finalize(), packed: length, size: length })
    }

    fn deflated<R: Read>(
        &mut self,
        input: &mut Input<R>,
        header: &Header,
        mut copy: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Sums, ProviderError> {
        let damaged = |reason| ProviderError::Damaged { path: header.name.clone(), reason };
        let length = if header.described { u64::MAX } else { header.sums.packed };
        let mut crc = crc32fast::Hasher::new();
        self.inflater.reset(false);
        loop {
            let (packed, size) = (self.inflater.total_in(), self.inflater.total_out());
            let left = length - packed;
            let bytes = if left > 0 { up_to(input.some()?, left) } else { &[] };
            let status = self.inflater.decompress(bytes, &mut self.buffer, FlushDecompress::None);
            let status = status.map_err(|_| damaged("it is no deflate stream"))?;
            let count = |after: u64, before: u64| usize::try_from(after - before).unwrap_or_default();
            let (read, inflated) = (count(self.inflater.total_in(), packed), count(self.inflater.total_out(), size));
            copy(bytes.get(..read).unwrap_or_default()).map_err(ProviderError::Write)?;
            input.consume(read);
            crc.update(self.buffer.get(..inflated).unwrap_or_default());
            self.count(inflated)?;
            if status == Status::StreamEnd {
                break;
            }
            if read == 0 && inflated == 0 {
                return Err(damaged("it ends too early"));
            }
        }
        let sums = Sums { crc: crc.finalize(), packed: self.inflater.total_in(), size: self.inflater.total_out() };
        if sums.packed < length && !header.described {
            return Err(damaged("it ends before its length"));
        }
        Ok(sums)
    }

    fn count(&mut self, inflated: usize) -> Result<(), ProviderError> {
        self.inflated += inflated as u64;
        if self.inflated > self.max { Err(ProviderError::Bomb { max: self.max }) } else { Ok(()) }
    }
}

fn up_to(bytes: &[u8], length: u64) -> &[u8] {
    usize::try_from(length).ok().and_then(|length| bytes.get(..length)).unwrap_or(bytes)
}
