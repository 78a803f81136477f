//! The blocking half: bytes in, parts out. A bounded channel holds the producer back when S3 is
//! slower.

use std::{
    io::{self, Write},
    mem,
    sync::mpsc,
};

use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// What the writer hands over.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A full part; more follows.
    Part(Bytes),
    /// The rest, up to a full part; with it the object is whole.
    Last(Bytes),
}

/// The sizes of the parts.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartSizes {
    /// What one request puts, in bytes; of what is larger, the first part.
    pub(crate) alone: usize,
    /// The size of the next parts, in bytes. S3 wants 5 MiB at least.
    pub(crate) first: usize,
    /// How many parts have one size before it doubles.
    pub(crate) step: usize,
}

impl PartSizes {
    /// 16 MiB, for which a multipart upload takes three requests more, one after the other, than it
    /// saves. Then 6 MiB, doubled every 1,000 parts: S3's 10,000 parts hold 5.8 TiB, while an
    /// artifact of up to 6 GB never needs more memory than a small one.
    pub(crate) const S3: Self = Self { alone: 16 << 20, first: 6 << 20, step: 1000 };

    /// The size of part `index` (from 0), in bytes.
    fn size(self, index: usize) -> usize {
        if index == 0 { self.alone } else { self.first << (index / self.step).min(9) }
    }
}

/// Takes the bytes of an object in order and hands them over in parts.
///
/// It blocks while S3 is behind, so it belongs on a thread that may block, such as one of
/// [`tokio::task::spawn_blocking`]; on a thread of the runtime it panics, as
/// [`Sender::blocking_send`] does. A writer that is dropped without [`finish`](Self::finish) makes
/// the upload fail: an artifact is whole or absent.
#[derive(Debug)]
pub struct PartWriter {
    part: Vec<u8>,
    index: usize,
    sizes: PartSizes,
    pieces: Sender<Piece>,
    /// Where the memory of parts that were sent comes back to, and from.
    spare: (mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>),
}

/// A part on its way, whose memory the next one gets: an upload then takes no more of it, however
/// many parts it has.
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
        // Nobody wants it any more once the object is whole.
        self.owner.send(mem::take(&mut self.part)).ok();
    }
}

impl PartWriter {
    pub(crate) fn new(sizes: PartSizes) -> (Self, Receiver<Piece>) {
        let (pieces, receiver) = channel(1);
        let part = Vec::with_capacity(sizes.size(0));
        (Self { part, index: 0, sizes, pieces, spare: mpsc::channel() }, receiver)
    }

    /// Memory for a part of this size. What is much larger isn't kept, nor what is smaller.
    fn room(&self, size: usize) -> Vec<u8> {
        let fitting = self.spare.1.try_iter().find(|spare| (size..2 * size).contains(&spare.capacity()));
        let mut room = fitting.unwrap_or_else(|| Vec::with_capacity(size));
        room.clear();
        room
    }

    /// Says that the object is whole.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] when the upload failed meanwhile; its own error tells why.
    pub fn finish(self) -> io::Result<()> {
        self.pieces.blocking_send(Piece::Last(self.part.into())).map_err(|_| stopped())
    }
}

impl Write for PartWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut size = self.sizes.size(self.index);
        // A full part waits for the next byte, so that the last piece is never empty unless the
        // object is.
        if self.part.len() == size && !bytes.is_empty() {
            self.index += 1;
            size = self.sizes.size(self.index);
            let full = Lent { part: mem::take(&mut self.part), owner: self.spare.0.clone() };
            self.pieces.blocking_send(Piece::Part(Bytes::from_owner(full))).map_err(|_| stopped())?;
            self.part = self.room(size);
        }
        let taken = bytes.len().min(size - self.part.len());
        self.part.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    /// Does nothing: a part goes when it is full.
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

    /// Writes `bytes` in chunks and returns the pieces' lengths and what they hold together.
    fn pieces(bytes: &[u8], chunk: usize, sizes: PartSizes) -> (Vec<usize>, Vec<u8>) {
        let (mut writer, mut receiver) = PartWriter::new(sizes);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for chunk in bytes.chunks(chunk) {
                    writer.write_all(chunk).unwrap();
                }
                writer.finish().unwrap();
            });
            let (mut lengths, mut whole, mut last) = (Vec::new(), Vec::new(), false);
            while let Some(piece) = receiver.blocking_recv() {
                assert!(!last, "nothing follows the last piece");
                last = matches!(piece, Piece::Last(_));
                let (Piece::Part(bytes) | Piece::Last(bytes)) = piece;
                lengths.push(bytes.len());
                whole.extend_from_slice(&bytes);
            }
            assert!(last, "there is a last piece");
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
            // One is written, one waits, one is sent, and the first is of another size.
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
