//! Bytes that come only once and only forward, and not too many of them.

use std::io::{ErrorKind, Read};

use crate::error::ProviderError;

/// As much as is read at once. No header but its name and extra fields is longer.
const BUFFER: usize = 128 * 1024;

/// The provider's bytes.
pub(crate) struct Input<R> {
    source: R,
    buffer: Box<[u8]>,
    /// What is received and not consumed yet, in the buffer.
    start: usize,
    end: usize,
    consumed: u64,
    max: u64,
}

impl<R: Read> Input<R> {
    /// Of which `max` bytes may come.
    pub(crate) fn new(source: R, max: u64) -> Self {
        Self { source, buffer: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0, consumed: 0, max }
    }

    /// How many bytes are consumed: where the next one stands.
    pub(crate) fn position(&self) -> u64 {
        self.consumed
    }

    /// The bytes that come next: `wanted` of them or more, fewer only at the end.
    pub(crate) fn peek(&mut self, wanted: usize) -> Result<&[u8], ProviderError> {
        if self.end - self.start < wanted {
            // Moved only if too little is left, so each byte is moved about once.
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            while self.end < wanted && self.receive()? > 0 {}
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    /// The bytes that come next, at least one.
    pub(crate) fn some(&mut self) -> Result<&[u8], ProviderError> {
        if self.peek(1)?.is_empty() {
            return Err(self.cut_off());
        }
        self.peek(1)
    }

    /// Goes forward over bytes that were seen.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        self.consumed += count as u64;
    }

    /// The next bytes, so many.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ProviderError> {
        let Some(array) = self.peek(N)?.first_chunk().copied() else { return Err(self.cut_off()) };
        self.consume(N);
        Ok(array)
    }

    /// A number of two bytes.
    pub(crate) fn u16(&mut self) -> Result<u16, ProviderError> {
        self.array().map(u16::from_le_bytes)
    }

    /// A number of four bytes.
    pub(crate) fn u32(&mut self) -> Result<u32, ProviderError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A number of eight bytes.
    pub(crate) fn u64(&mut self) -> Result<u64, ProviderError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Bytes of a length that a field of two bytes tells.
    pub(crate) fn bytes(&mut self, length: u16) -> Result<Vec<u8>, ProviderError> {
        let length = usize::from(length);
        let Some(bytes) = self.peek(length)?.get(..length).map(<[u8]>::to_vec) else { return Err(self.cut_off()) };
        self.consume(length);
        Ok(bytes)
    }

    /// The bytes are wrong here.
    pub(crate) fn malformed(&self, reason: &'static str) -> ProviderError {
        ProviderError::Malformed { at: self.consumed, reason }
    }

    /// The bytes end here, and shouldn't.
    pub(crate) fn cut_off(&self) -> ProviderError {
        ProviderError::CutOff { received: self.consumed + (self.end - self.start) as u64 }
    }

    fn receive(&mut self) -> Result<usize, ProviderError> {
        let free = self.buffer.get_mut(self.end..).unwrap_or_default();
        let received = loop {
            match self.source.read(free) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(ProviderError::Read(error)),
                Ok(received) => break received,
            }
        };
        self.end += received;
        // Checked as it comes: `Content-Length` is the provider's word, and may be missing.
        if self.consumed + (self.end - self.start) as u64 > self.max {
            return Err(ProviderError::TooLong { max: self.max });
        }
        Ok(received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, and is interrupted between them.
    struct Slow<'a>(&'a [u8], bool);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.1 = !self.1;
            if self.1 { Err(ErrorKind::Interrupted.into()) } else { self.0.read(&mut buffer[..1]) }
        }
    }

    #[test]
    fn reads_across_pieces_of_any_length() {
        let mut input = Input::new(Slow(b"ab\x01\x02\x03\x04xyz", false), 9);
        assert_eq!(input.bytes(2).unwrap(), b"ab");
        assert_eq!(input.u32().unwrap(), 0x0403_0201);
        assert_eq!((input.position(), input.peek(100).unwrap()), (6, b"xyz".as_slice()));
        assert!(matches!(input.u32(), Err(ProviderError::CutOff { received: 9 })));
        assert_eq!(input.some().unwrap(), b"xyz");
    }

    #[test]
    fn one_byte_too_many_is_refused() {
        let long = vec![0; 3 * BUFFER];
        for (max, fits) in [(long.len(), true), (long.len() - 1, false), (0, false)] {
            let mut input = Input::new(long.as_slice(), max as u64);
            let end = loop {
                match input.peek(1).map(<[u8]>::len) {
                    Ok(0) => break None,
                    Ok(length) => input.consume(length),
                    Err(error) => break Some(error),
                }
            };
            assert_eq!(end.is_none(), fits);
            assert!(fits || matches!(end, Some(ProviderError::TooLong { max: told }) if told == max as u64));
        }
    }
}
