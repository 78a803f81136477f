//! The blocking half: turns bytes into parts. A bounded channel slows down the producer if S3 is
//! slower.

use std::{
    io::{self, Write},
    mem,
    sync::mpsc,
};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// A message to the uploader.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A full part. More follow.
    Part(Bytes),
    /// The last part, after which the object is complete, and the SHA-256 of all parts in
    /// hexadecimal.
    Last(Bytes, String),
}

/// The sizes of the parts. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartSizes {
    /// The largest object for a single request, and the size of the first part of a larger one.
    pub(crate) alone: usize,
    /// The size of the next parts, in bytes. S3 requires at least 5 MiB.
    pub(crate) first: usize,
    /// The number of parts after which the size doubles.
    pub(crate) step: usize,
}

impl PartSizes {
    /// Up to 16 MiB, a multipart upload costs three more sequential requests than it saves. Then
    /// parts of 6 MiB, doubled every 1,000 parts: S3's 10,000 parts hold 5.8 TiB, and an artifact
    /// of up to 6 GB needs no more memory than a small one.
    pub(crate) const S3: Self = Self { alone: 16 << 20, first: 6 << 20, step: 1000 };

    /// The size of part `index` (from 0), in bytes.
    fn size(self, index: usize) -> usize {
        if index == 0 { self.alone } else { self.first << (index / self.step).min(9) }
    }
}

/// Splits the bytes of an object into parts for the upload.
///
/// It blocks while S3 is slow, so it must run on a thread that may block, such as one of
/// [`tokio::task::spawn_blocking`]. On a runtime thread it panics, as [`Sender::blocking_send`]
/// does. Dropping a writer without [`finish`](Self::finish) makes the upload fail: an artifact is
/// complete or absent.
#[derive(Debug)]
pub struct PartWriter {
    part: Vec<u8>,
    index: usize,
    sizes: PartSizes,
    pieces: Sender<Piece>,
    /// Of the parts that were sent.
    hash: Sha256,
    /// The buffers of sent parts, for reuse.
    spare: (mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>),
}

/// A part whose buffer is reused: so an upload needs constant memory, however many parts it has.
struct Lent {
    part: Vec<u8>,
    owner: mpsc::Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.part
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Nobody needs it after the last part.
        self.owner.send(mem::take(&mut self.part)).ok();
    }
}

impl PartWriter {
    pub(crate) fn new(sizes: PartSizes) -> (Self, Receiver<Piece>) {
        let (pieces, receiver) = channel(1);
        let part = Vec::with_capacity(sizes.size(0));
        (Self { part, index: 0, sizes, pieces, hash: Sha256::new(), spare: mpsc::channel() }, receiver)
    }

    /// A buffer for a part of this size. Much larger or smaller buffers aren't reused.
    fn room(&self, size: usize) -> Vec<u8> {
        let fitting = self.spare.1.try_iter().find(|spare| (size..2 * size).contains(&spare.capacity()));
        let mut room = fitting.unwrap_or_else(|| Vec::with_capacity(size));
        room.clear();
        room
    }

    /// Marks the object as complete.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] if the upload failed. Its own error says why.
    pub fn finish(mut self) -> io::Result<()> {
        self.hash.update(&self.part);
        let sha256 = hex::encode(self.hash.finalize());
        self.pieces.blocking_send(Piece::Last(self.part.into(), sha256)).map_err(|_| stopped())
    }
}

impl Write for PartWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut size = self.sizes.size(self.index);
        // A full part is held back until the next byte, so that the last part is only empty if the
        // object is.
        if self.part.len() == size && !bytes.is_empty() {
            self.index += 1;
            size = self.sizes.size(self.index);
            self.hash.update(&self.part);
            let full = Lent { part: mem::take(&mut self.part), owner: self.spare.0.clone() };
            self.pieces.blocking_send(Piece::Part(Bytes::from_owner(full))).map_err(|_| stopped())?;
            self.part = self.room(size);
        }
        let taken = bytes.len().min(size - self.part.len());
        self.part.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    /// Does nothing: only full parts are sent.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the upload to S3 stopped")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes `bytes` in chunks. Returns the lengths of the parts and their joined content.
    fn pieces(bytes: &[u8], chunk: usize, sizes: PartSizes) -> (Vec<usize>, Vec<u8>) {
        let (mut writer, mut receiver) = PartWriter::new(sizes);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for chunk in bytes.chunks(chunk) {
                    writer.write_all(chunk).unwrap();
                }
                writer.finish().unwrap();
            });
            let (mut lengths, mut whole, mut last) = (Vec::new(), Vec::new(), None);
            while let Some(piece) = receiver.blocking_recv() {
                assert!(last.is_none(), "nothing follows the last piece");
                let bytes = match piece {
                    Piece::Part(bytes) => bytes,
                    Piece::Last(bytes, sha256) => {
                        last = Some(sha256);
                        bytes
                    }
                };
                lengths.push(bytes.len());
                whole.extend_from_slice(&bytes);
            }
            assert_eq!(last, Some(hex::encode(Sha256::digest(&whole))), "the last piece has the hash of all");
            (lengths, whole)
        })
    }

    #[test]
    fn part_sizes_respect_s3_limits() {
        let total: u64 = (0..10_000).map(|index| PartSizes::S3.size(index) as u64).sum();
        assert!(total > 5 << 40, "{total}");
        assert!((0..2).all(|index| PartSizes::S3.size(index) >= 5 << 20));
        assert!((PartSizes::S3.size(9_999) as u64) <= 5 << 30);
    }

    #[test]
    fn exactly_full_part_is_last() {
        let sizes = PartSizes { alone: 4, first: 3, step: 100 };
        assert_eq!(pieces(&[1; 4], 3, sizes).0, [4]);
        assert_eq!(pieces(&[1; 7], 8, sizes).0, [4, 3]);
        assert_eq!(pieces(&[1; 8], 1, sizes).0, [4, 3, 1]);
        assert_eq!(pieces(&[], 1, sizes).0, [0]);
    }

    #[test]
    fn many_parts_share_few_buffers() {
        let (mut writer, mut receiver) = PartWriter::new(PartSizes { alone: 64, first: 32, step: 1000 });
        std::thread::scope(|scope| {
            scope.spawn(move || {
                writer.write_all(&[0; 3_200]).unwrap();
                writer.finish().unwrap();
            });
            let mut places = std::collections::BTreeSet::new();
            while let Some(Piece::Part(part)) = receiver.blocking_recv() {
                places.insert(part.as_ptr());
            }
            // One is being written, one waits, one is being sent, and the first has another size.
            assert!(places.len() <= 4, "{places:?}");
        });
    }

    #[test]
    fn failed_upload_reaches_writer() {
        let (mut writer, receiver) = PartWriter::new(PartSizes { alone: 1, first: 1, step: 1 });
        drop(receiver);
        assert_eq!(writer.write_all(b"ab").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(writer.finish().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    proptest! {
        #[test]
        fn parts_joined_are_what_was_written(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000), chunk in 1_usize..300, alone in 1_usize..64, first in 1_usize..64, step in 1_usize..5,
        ) {
            let sizes = PartSizes { alone, first, step };
            let (lengths, whole) = pieces(&bytes, chunk, sizes);
            prop_assert_eq!(whole, bytes);
            let (last, full) = lengths.split_last().unwrap();
            for (index, length) in full.iter().enumerate() {
                prop_assert_eq!(*length, sizes.size(index));
            }
            prop_assert!(*last <= sizes.size(full.len()) && (*last > 0 || full.is_empty()));
        }
    }
}
