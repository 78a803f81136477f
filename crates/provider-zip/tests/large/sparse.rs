//! Long data that is mostly zeros, without storing it: a generated stream, and a file with holes.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

/// A part of a stream: these bytes, this many times.
pub(crate) struct Piece(pub(crate) Arc<[u8]>, pub(crate) u64);

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into(), 1)
    }
}

impl Piece {
    pub(crate) fn length(&self) -> u64 {
        self.0.len() as u64 * self.1
    }
}

/// Parts, one after the other.
pub(crate) struct Pieces<I> {
    pieces: I,
    current: Piece,
    at: usize,
}

impl<I: Iterator<Item = Piece>> Pieces<I> {
    pub(crate) fn new(pieces: I) -> Self {
        Self { pieces, current: Vec::new().into(), at: 0 }
    }
}

impl<I: Iterator<Item = Piece>> Read for Pieces<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.current.0.len() {
            self.at = 0;
            if self.current.1 > 1 {
                self.current.1 -= 1;
            } else if let Some(next) = self.pieces.next() {
                self.current = next;
            } else {
                self.current = Vec::new().into();
                return Ok(0);
            }
        }
        let read = (&self.current.0[self.at..]).read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

/// A file whose zeros are holes.
pub(crate) struct Holes(pub(crate) File);

impl Write for Holes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        let bytes = &bytes[..bytes.len().min(ZEROS.len())];
        if bytes == &ZEROS[..bytes.len()] {
            self.0.seek(SeekFrom::Current(i64::try_from(bytes.len()).unwrap()))?;
            return Ok(bytes.len());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
