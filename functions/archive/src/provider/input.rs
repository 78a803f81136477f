//! The bytes that come, counted: looked at before they are taken, and never more of them than allowed.

use std::io::{ErrorKind, Read};

use super::ProviderError;

/// How much is read at once, and the most that can be looked at, in bytes.
const CAPACITY: usize = 64 * 1024;

pub(super) struct Input<R> {
    inner: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    received: u64,
    max: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(inner: R, max: u64) -> Self {
        Self { inner, buffer: vec![0; CAPACITY].into_boxed_slice(), start: 0, end: 0, received: 0, max }
    }

    /// How many bytes were taken.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// What was read and not yet taken.
    pub(super) fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// At least so many bytes (up to [`CAPACITY`]), without taking them; fewer only at the end of the input.
    pub(super) fn peek(&mut self, length: usize) -> Result<&[u8], ProviderError> {
        if self.buffered().len() < length {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        while self.buffered().len() < length {
            match self.inner.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(ProviderError::Read(error)),
            }
        }
        Ok(self.buffered())
    }

    /// Reads until something is there to take.
    pub(super) fn fill(&mut self) -> Result<&[u8], ProviderError> {
        if self.peek(1)?.is_empty() {
            Err(ProviderError::CutOff { received: self.received })
        } else {
            Ok(self.buffered())
        }
    }

    /// Takes bytes that were read.
    pub(super) fn consume(&mut self, bytes: usize) -> Result<(), ProviderError> {
        self.start += bytes.min(self.end - self.start);
        self.received += bytes as u64;
        if self.received > self.max { Err(ProviderError::TooLarge { max: self.max }) } else { Ok(()) }
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], ProviderError> {
        let mut bytes = [0; N];
        self.take_into(&mut bytes)?;
        Ok(bytes)
    }

    /// Takes so many bytes, at most 65,535.
    pub(super) fn take_vec(&mut self, length: u16) -> Result<Vec<u8>, ProviderError> {
        let mut bytes = vec![0; length.into()];
        self.take_into(&mut bytes)?;
        Ok(bytes)
    }

    fn take_into(&mut self, mut bytes: &mut [u8]) -> Result<(), ProviderError> {
        while !bytes.is_empty() {
            let piece = self.fill()?;
            let length = piece.len().min(bytes.len());
            let (now, later) = bytes.split_at_mut(length);
            now.copy_from_slice(piece.get(..length).unwrap_or_default());
            bytes = later;
            self.consume(length)?;
        }
        Ok(())
    }
}
