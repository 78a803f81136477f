//! Packs of a Git host: accepted ones are stored completely, every object under the ID of its
//! content, and refused ones leave nothing behind.

use std::{
    collections::BTreeSet,
    io::{Cursor, Read as _, Write as _},
    path::Path,
    sync::atomic::AtomicBool,
};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use gix::{ObjectId, objs::Kind};
use pack::{PackError, Packs};
use sha1::{Digest as _, Sha1};
use tempfile::TempDir;

use crate::bytes::Bytes;

/// An object in the clone that may be the base of deltas.
const BASE: &[u8] = b"The quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs.\n";
/// An ID that doesn't exist.
const NOBODY: [u8; 20] = [7; 20];
/// The most objects of a pack.
const MOST: usize = 32;

/// The clone to receive packs for, and the one to receive them into.
struct Clones {
    _folder: TempDir,
    base: gix::Repository,
    kept: gix::Repository,
}

thread_local! {
    static CLONES: Clones = Clones::new();
}

impl Clones {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let new = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.join("objects/pack")).unwrap();
            std::fs::create_dir_all(path.join("refs")).unwrap();
            std::fs::write(path.join("HEAD"), "ref: refs/heads/main\n").unwrap();
            gix::open_opts(path, gix::open::Options::isolated()).unwrap()
        };
        let (base, kept) = (new("base"), new("kept"));
        base.write_blob(BASE).unwrap();
        Self { _folder: folder, base, kept }
    }

    /// The IDs of a received pack's objects, or the error.
    fn receive(&self, pack: &[u8]) -> Result<BTreeSet<ObjectId>, PackError> {
        static NEVER: AtomicBool = AtomicBool::new(false);
        let directory = self.kept.git_dir().join("objects/pack");
        let received = pack::receive(&mut Cursor::new(pack), &directory, &self.base.objects, &NEVER);
        let ids = match &received {
            Ok(Some(path)) => self.check(path),
            Ok(None) | Err(_) => BTreeSet::new(),
        };
        let mut left = 0;
        for file in std::fs::read_dir(&directory).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
            left += 1;
        }
        assert_eq!(left, if ids.is_empty() { 0 } else { 3 }, "files are left");
        received.map(|_| ids)
    }

    /// Checks that every indexed object matches its ID, with gix and our own reader.
    fn check(&self, path: &Path) -> BTreeSet<ObjectId> {
        let repository = gix::open_opts(self.kept.git_dir(), gix::open::Options::isolated()).unwrap();
        let packs = Packs::open(&repository).unwrap();
        let index = gix::odb::pack::index::File::at(path.with_extension("idx"), gix::hash::Kind::Sha1).unwrap();
        let mut ids = BTreeSet::new();
        for entry in index.iter() {
            let object = repository.find_object(entry.oid).unwrap();
            assert_eq!(id(object.kind, &object.data), entry.oid);
            if object.kind == Kind::Blob {
                let blob = packs.blob(entry.oid).unwrap();
                let mut zlib = vec![0; usize::try_from(blob.length).unwrap()];
                assert_eq!(blob.read_at(0, &mut zlib).unwrap(), zlib.len());
                let mut content = Vec::new();
                ZlibDecoder::new(&zlib[..]).read_to_end(&mut content).unwrap();
                assert!(content == object.data && blob.size == content.len() as u64);
                assert_eq!(blob.content_crc, Some(crc32fast::hash(&content)));
                assert_eq!(blob.packed_crc, Some(crc32fast::hash(&[blob.header.clone(), zlib].concat())));
            }
            ids.insert(entry.oid);
        }
        ids
    }
}

fn id(kind: Kind, content: &[u8]) -> ObjectId {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, content).unwrap()
}

/// The input is the pack without its final checksum, which is computed.
pub fn pack(data: &[u8]) {
    let whole = data.split_last_chunk::<20>().map_or_else(|| data.to_vec(), |(pack, _)| summed(pack.to_vec()));
    drop(CLONES.with(|clones| clones.receive(&whole)));
}

fn summed(mut pack: Vec<u8>) -> Vec<u8> {
    let sum = Sha1::digest(&pack);
    pack.extend(sum);
    pack
}

type Object = (Kind, Vec<u8>);

/// A pack under construction.
#[derive(Default)]
struct Made {
    bytes: Vec<u8>,
    /// The offset of each entry, and its object if the pack is valid.
    entries: Vec<(usize, Option<Object>)>,
    /// Whether an entry declares a wrong length.
    lies: bool,
}

/// The input is entries, see [`Made::entry`]. The results of deltas are also computed here: valid
/// ones must be accepted, and invalid ones refused.
pub fn pack_entries(data: &[u8]) {
    let (mut bytes, mut made) = (Bytes(data), Made::default());
    while !bytes.0.is_empty() && made.entries.len() < MOST {
        made.entry(&mut bytes);
    }
    let count = u32::try_from(made.entries.len()).unwrap();
    let pack = summed([b"PACK\0\0\0\x02".as_slice(), &count.to_be_bytes(), &made.bytes].concat());
    let received = CLONES.with(|clones| clones.receive(&pack));
    let objects: Option<BTreeSet<_>> =
        made.entries.iter().map(|(_, object)| object.as_ref().map(|(kind, content)| id(*kind, content))).collect();
    match objects.filter(|_| !made.lies) {
        Some(expected) => assert_eq!(received.unwrap(), expected),
        None => assert!(received.is_err()),
    }
}

impl Made {
    /// A byte of choices, then a content after its length. Before a delta's content, its base.
    fn entry(&mut self, bytes: &mut Bytes<'_>) {
        let how = bytes.next();
        let start = self.bytes.len() + 12;
        let base = if how & 4 == 4 { Some(self.base(how, bytes.next(), start)) } else { None };
        let length = usize::from(bytes.next()) << (how >> 3 & 3);
        let content = bytes.take(length);
        let kind = [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag][usize::from(how & 3)];
        let Some(Base { number, says, object }) = base else {
            self.put(1 + (how & 3), &[], content, how);
            self.entries.push((start, Some((kind, content.to_vec()))));
            return;
        };
        // Unless the delta contains its lengths, they are correct.
        let (delta, result) = if how & 0x40 == 0x40 {
            (content.to_vec(), object.and_then(|(kind, base)| Some((kind, whole(&base, content)?))))
        } else {
            let (kind, base) = object.unwrap_or((Kind::Blob, Vec::new()));
            let result = apply(&base, content);
            let made = result.as_ref().map_or(0, Vec::len);
            let delta = [varint(base.len()), varint(made), content.to_vec()].concat();
            (delta, if says == Known::Nowhere { None } else { result.map(|result| (kind, result)) })
        };
        self.put(number.0, &number.1, &delta, how);
        self.entries.push((start, result));
    }

    fn base(&self, how: u8, which: u8, start: usize) -> Base {
        let earlier = self.entries.len().checked_sub(1 + usize::from(which) % self.entries.len().max(1));
        let earlier = earlier.and_then(|at| self.entries.get(at));
        let by_id = |id: &[u8]| (7, id.to_vec());
        let blob = || Some((Kind::Blob, BASE.to_vec()));
        match (how & 3, earlier) {
            (0 | 1, Some((offset, object))) => {
                let known = if object.is_some() { Known::Here } else { Known::Nowhere };
                Base { number: (6, distance(start - offset)), says: known, object: object.clone() }
            }
            (2, Some((_, Some((kind, content))))) => Base {
                number: by_id(id(*kind, content).as_slice()),
                says: Known::Here,
                object: Some((*kind, content.clone())),
            },
            (3, _) if which == 0xff => Base { number: by_id(&NOBODY), says: Known::Nowhere, object: None },
            _ => Base { number: by_id(id(Kind::Blob, BASE).as_slice()), says: Known::Here, object: blob() },
        }
    }

    /// Writes an entry: its type and length, the rest of its header, and its zlib stream.
    fn put(&mut self, kind: u8, before: &[u8], content: &[u8], how: u8) {
        let lie = how & 0x20 == 0x20;
        self.lies |= lie;
        let mut size = content.len() + usize::from(lie);
        let mut byte = kind << 4 | u8::try_from(size & 15).unwrap();
        size >>= 4;
        while size > 0 {
            self.bytes.push(byte | 0x80);
            byte = u8::try_from(size & 0x7f).unwrap();
            size >>= 7;
        }
        self.bytes.push(byte);
        self.bytes.extend(before);
        let level = if how & 0x80 == 0x80 { Compression::none() } else { Compression::fast() };
        let mut encoder = ZlibEncoder::new(&mut self.bytes, level);
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap();
    }
}

/// The base of a delta.
struct Base {
    /// The entry's type, and the base in its header.
    number: (u8, Vec<u8>),
    says: Known,
    object: Option<Object>,
}

/// Whether the base exists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Here,
    Nowhere,
}

/// A backward offset in the format's encoding: each further byte adds one.
fn distance(mut distance: usize) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(distance & 0x7f).unwrap()];
    distance >>= 7;
    while distance > 0 {
        distance -= 1;
        bytes.insert(0, 0x80 | u8::try_from(distance & 0x7f).unwrap());
        distance >>= 7;
    }
    bytes
}

fn varint(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while length > 0x7f {
        bytes.push(0x80 | u8::try_from(length & 0x7f).unwrap());
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes
}

/// The result of a delta with its lengths.
fn whole(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let mut rest = delta;
    let mut lengths = [0_u128; 2];
    for length in &mut lengths {
        let mut shift = 0;
        loop {
            let byte = *rest.split_off_first()?;
            *length |= u128::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift > 63 {
                return None;
            }
        }
    }
    let result = apply(base, rest)?;
    (lengths == [base.len() as u128, result.len() as u128]).then_some(result)
}

/// The result of a delta's commands.
fn apply(base: &[u8], commands: &[u8]) -> Option<Vec<u8>> {
    let (mut rest, mut result) = (commands, Vec::new());
    while let Some(&command) = rest.split_off_first() {
        if command & 0x80 == 0 {
            let inserted = rest.split_off(..usize::from(command)).filter(|_| command > 0)?;
            result.extend(inserted);
            continue;
        }
        let mut numbers = [0_usize; 7];
        for (bit, number) in numbers.iter_mut().enumerate() {
            if command >> bit & 1 == 1 {
                *number = usize::from(*rest.split_off_first()?);
            }
        }
        let (start, length) = numbers.split_at(4);
        let number = |bytes: &[usize]| bytes.iter().rev().fold(0, |number, byte| number << 8 | byte);
        let start: usize = number(start);
        let length = match number(length) {
            0 => 0x1_0000,
            length => length,
        };
        result.extend(base.get(start..start.checked_add(length)?)?);
    }
    Some(result)
}
