//! Receives a pack as a stream: every object is inflated once to get its ID and CRC-32 and to
//! verify it. Whole objects are copied to the new pack unchanged, blobs first. Deltas are stored
//! temporarily until their bases are available.

use std::{
    io::{self, BufRead, BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use flate2::{Decompress, FlushDecompress, Status};
use gix::{
    ObjectId,
    hash::Kind as Hash,
    objs::{Find, Kind, encode::loose_header},
    odb::pack::data::{self, entry::Header},
};
use sha1::{Digest, Sha1};
use tempfile::NamedTempFile;

use crate::{
    Checksums, PackError, SHA1_LENGTH, index,
    resolve::{self, Base, Delta, Deltas},
    whole::{LARGEST_BUT_BLOBS, TOO_LARGE_BUT_BLOBS, Whole},
    write::{Entry, Sums, Writer},
};

/// The size of the inflate buffer.
const PIECE: usize = 64 * 1024;
/// The longest header of an entry: a length of ten bytes, and an ID or an offset.
const LONGEST_HEADER: usize = 10 + SHA1_LENGTH;

/// The most objects of a pack. Each needs more than a hundred bytes of memory, but only a few in
/// the pack. A zip can't have more files than that.
const MOST: u32 = 4_000_000;

/// Receives a pack into `directory`. Returns its path, or `None` if it has no objects. Bases of
/// deltas may be in `clone`, as in a thin pack. Only SHA-1 is supported.
///
/// Memory doesn't grow with the pack, except for about 50 bytes per object, and for deltas, of
/// which one chain per processor is resolved at a time.
///
/// # Errors
/// See [`PackError`]. Then nothing of the pack remains.
pub fn receive(
    input: &mut dyn BufRead,
    directory: &Path,
    clone: &(impl Find + Clone + Send),
    interrupt: &AtomicBool,
) -> Result<Option<PathBuf>, PackError> {
    let failed = PackError::file(directory);
    let new = || NamedTempFile::new_in(directory).map_err(&failed);
    let (pack, deltas) = (new()?, new()?);
    let received = Receiver::new(input, interrupt).receive(pack, deltas, &failed)?;
    let Received { mut pack, whole, deltas } = received;
    if whole.is_empty() && deltas.is_empty() {
        return Ok(None);
    }
    resolve::resolve(&mut pack, &whole, &deltas, clone, interrupt, &failed)?;
    drop(whole);
    let (pack, checksum, mut entries) = pack.finish().map_err(&failed)?;
    let pack = pack.into_inner().map_err(|error| failed(error.into_error()))?;
    entries.sort_unstable_by_key(|entry| entry.id);
    keep(pack, checksum, &entries, directory).map_err(&failed).map(Some)
}

/// Renames the index and the checksums into place, then the pack: a pack only exists with its
/// index. Everything is written before, so that a full disk leaves nothing behind.
fn keep(pack: NamedTempFile, checksum: [u8; 20], entries: &[Entry], directory: &Path) -> io::Result<PathBuf> {
    let id = ObjectId::Sha1(checksum);
    let path = directory.join(format!("pack-{id}.pack"));
    let written = |write: &dyn Fn(&mut BufWriter<&mut NamedTempFile>) -> io::Result<()>| {
        let mut file = NamedTempFile::new_in(directory)?;
        let mut out = BufWriter::new(&mut file);
        write(&mut out)?;
        out.flush()?;
        drop(out);
        Ok::<_, io::Error>(file)
    };
    let contents = Checksums::encode(entries.iter().map(|entry| entry.content), &checksum);
    let contents = written(&|out| out.write_all(&contents))?;
    let index = written(&|out| index::write(out, entries, checksum))?;
    contents.persist(path.with_extension(Checksums::EXTENSION))?;
    pack.persist(&path)?;
    index.persist(path.with_extension("idx"))?;
    Ok(path)
}

/// A pack with unresolved deltas.
struct Received {
    pack: Writer<BufWriter<NamedTempFile>>,
    whole: Vec<Whole>,
    deltas: Deltas,
}

/// Reads a pack and counts its bytes.
struct Receiver<'a> {
    input: &'a mut dyn BufRead,
    interrupt: &'a AtomicBool,
    hash: Sha1,
    offset: u64,
    zlib: Decompress,
    buffer: Box<[u8]>,
}

impl<'a> Receiver<'a> {
    fn new(input: &'a mut dyn BufRead, interrupt: &'a AtomicBool) -> Self {
        let buffer = vec![0; PIECE].into_boxed_slice();
        Self { input, interrupt, hash: Sha1::new(), offset: 0, zlib: Decompress::new(true), buffer }
    }

    fn receive(
        mut self,
        pack: NamedTempFile,
        deltas: NamedTempFile,
        failed: &dyn Fn(io::Error) -> PackError,
    ) -> Result<Received, PackError> {
        let mut header = [0; data::header::SIZE];
        self.exact(&mut header)?;
        self.hash.update(header);
        let (_, count) = data::header::decode(&header).map_err(PackError::Header)?;
        // Before anything is allocated for them: the sender chooses this number.
        if count > MOST {
            return Err(PackError::TooMany { count });
        }
        let mut pack = Writer::new(BufWriter::with_capacity(PIECE, pack), count).map_err(failed)?;
        let (mut whole, mut others, mut deltas) = (Vec::new(), Vec::new(), Deltas::new(deltas));
        for _ in 0..count {
            let came = self.offset;
            let (header, entry) = self.header()?;
            // Small objects end before `inflate` looks, and a pack may have millions of them.
            if self.interrupt.load(Ordering::Relaxed) {
                return Err(PackError::Interrupted);
            }
            let (size, at) = (entry.decompressed_size, deltas.length);
            match entry.header.as_kind() {
                Some(Kind::Blob) => {
                    let mut begun = pack.begin(&header).map_err(failed)?;
                    let piece = |piece: &[u8]| pack.piece(&mut begun, piece).map_err(failed);
                    let sums = self.whole(Kind::Blob, came, size, piece)?;
                    whole.push(pack.end(begun, sums).found(came, Kind::Blob, size));
                }
                Some(_) if size > LARGEST_BUT_BLOBS => {
                    return Err(PackError::TooLarge { offset: came, reason: TOO_LARGE_BUT_BLOBS });
                }
                Some(kind) => {
                    let sums = self.whole(kind, came, size, |piece| deltas.write(piece).map_err(failed))?;
                    others.push((came, kind, size, at, sums));
                }
                None => {
                    let base = base(came, entry.header)?;
                    self.inflate(came, size, |piece| deltas.write(piece).map_err(failed), |_| ())?;
                    deltas.add(Delta { came, base, at, packed: deltas.length - at, size });
                }
            }
        }
        let (expected, mut trailer) = (self.hash.clone().finalize(), [0; SHA1_LENGTH]);
        self.exact(&mut trailer)?;
        if *expected != trailer {
            return Err(PackError::Checksum);
        }
        // Hosts mix trees with blobs. Stored together, trees can be read without touching all of
        // the pack.
        deltas.flush().map_err(failed)?;
        for (came, kind, size, at, sums) in others {
            let zlib = deltas.read(at, sums.packed).map_err(failed)?;
            whole.push(pack.object(kind, size, &zlib, sums).map_err(failed)?.found(came, kind, size));
        }
        Ok(Received { pack, whole, deltas })
    }

    /// Reads a whole object, and passes on its zlib stream.
    fn whole(
        &mut self,
        kind: Kind,
        came: u64,
        size: u64,
        packed: impl FnMut(&[u8]) -> Result<(), PackError>,
    ) -> Result<Sums, PackError> {
        let (mut id, mut content) = (gix::hash::hasher(Hash::Sha1), crc32fast::Hasher::new());
        id.update(&loose_header(kind, size));
        let start = self.offset;
        self.inflate(came, size, packed, |piece| {
            id.update(piece);
            content.update(piece);
        })?;
        let id = id.try_finalize().map_err(PackError::Collision)?;
        Ok(Sums { id, content: content.finalize(), packed: self.offset - start })
    }

    /// The header of an entry, raw and parsed.
    fn header(&mut self) -> Result<(Vec<u8>, data::Entry), PackError> {
        let mut bytes = Vec::with_capacity(LONGEST_HEADER);
        let mut tee = Tee { input: &mut *self.input, bytes: &mut bytes };
        let entry = data::Entry::from_read(&mut tee, self.offset, SHA1_LENGTH);
        let entry = entry.map_err(|source| PackError::Read { received: self.offset, source })?;
        self.hash.update(&bytes);
        self.offset += bytes.len() as u64;
        Ok((bytes, entry))
    }

    /// Reads the zlib stream of the entry at `entry`, and passes on both the compressed and the
    /// inflated data.
    fn inflate(
        &mut self,
        entry: u64,
        size: u64,
        mut packed: impl FnMut(&[u8]) -> Result<(), PackError>,
        mut content: impl FnMut(&[u8]),
    ) -> Result<(), PackError> {
        let damaged = |reason| PackError::Entry { offset: entry, reason };
        // Kept from object to object, as is the buffer: most objects are smaller than both.
        self.zlib.reset(true);
        loop {
            let input = self.input.fill_buf().map_err(|source| PackError::Read { received: self.offset, source })?;
            let (read, inflated) = (self.zlib.total_in(), self.zlib.total_out());
            let status = self.zlib.decompress(input, &mut self.buffer, FlushDecompress::None);
            let status = status.map_err(|_| damaged("it isn't a zlib stream"))?;
            let read = usize::try_from(self.zlib.total_in() - read).unwrap_or_default();
            let inflated = usize::try_from(self.zlib.total_out() - inflated).unwrap_or_default();
            let bytes = input.get(..read).unwrap_or_default();
            self.hash.update(bytes);
            packed(bytes)?;
            content(self.buffer.get(..inflated).unwrap_or_default());
            let ended = input.is_empty();
            self.input.consume(read);
            self.offset += read as u64;
            // At once, not at the end: a few bytes can inflate to gigabytes.
            if self.zlib.total_out() > size {
                return Err(damaged("it is longer than declared"));
            }
            if status == Status::StreamEnd {
                break;
            }
            // Nothing moves any more: the stream is damaged, or the connection has ended.
            if read == 0 && inflated == 0 {
                if !ended {
                    return Err(damaged("its zlib stream is truncated"));
                }
                let source = io::ErrorKind::UnexpectedEof.into();
                return Err(PackError::Read { received: self.offset, source });
            }
            if self.interrupt.load(Ordering::Relaxed) {
                return Err(PackError::Interrupted);
            }
        }
        if self.zlib.total_out() == size { Ok(()) } else { Err(damaged("it is shorter than declared")) }
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Result<(), PackError> {
        self.input.read_exact(buffer).map_err(|source| PackError::Read { received: self.offset, source })?;
        self.offset += buffer.len() as u64;
        Ok(())
    }
}

/// The base of a delta.
fn base(came: u64, header: Header) -> Result<Base, PackError> {
    match header {
        Header::RefDelta { base_id } => Ok(Base::Id(base_id)),
        Header::OfsDelta { base_distance } => Header::verified_base_pack_offset(came, base_distance)
            .map(Base::Offset)
            .ok_or(PackError::Entry { offset: came, reason: "its base is before the pack" }),
        _ => Err(PackError::Entry { offset: came, reason: "it isn't a delta" }),
    }
}

/// A reader that keeps what it reads.
struct Tee<'a> {
    input: &'a mut dyn BufRead,
    bytes: &'a mut Vec<u8>,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}
