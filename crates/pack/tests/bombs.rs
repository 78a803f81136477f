//! Packs that are small but need all memory when they are resolved: each is refused before that, or
//! never needs more memory than one object.
#![cfg(test)]

use std::{
    io::{Cursor, Write},
    path::PathBuf,
    sync::atomic::AtomicBool,
};

use flate2::{Compression, write::ZlibEncoder};
use pack::PackError;
use sha1::{Digest, Sha1};
use tempfile::TempDir;

const TREE: u8 = 2;
const BLOB: u8 = 3;
const OFFSET_DELTA: u8 = 6;
/// The longest copy of a delta.
const PIECE: usize = 0xff_0000;

/// A pack under construction.
#[derive(Default)]
struct Made {
    bytes: Vec<u8>,
    entries: u32,
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(0x80 | u8::try_from(number & 0x7f).unwrap());
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

impl Made {
    /// Adds an entry with this declared length. Returns its offset.
    fn saying(&mut self, kind: u8, size: u64, before: &[u8], content: &[u8]) -> usize {
        let start = self.bytes.len();
        let (low, mut rest) = (u8::try_from(size & 15).unwrap(), size >> 4);
        self.bytes.push(kind << 4 | low | if rest > 0 { 0x80 } else { 0 });
        while rest > 0 {
            let byte = u8::try_from(rest & 0x7f).unwrap();
            rest >>= 7;
            self.bytes.push(byte | if rest > 0 { 0x80 } else { 0 });
        }
        self.bytes.extend(before);
        let mut encoder = ZlibEncoder::new(&mut self.bytes, Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap();
        self.entries += 1;
        start
    }

    fn whole(&mut self, kind: u8, content: &[u8]) -> usize {
        self.saying(kind, content.len() as u64, &[], content)
    }

    /// Adds a delta of the entry at `base` with `length` bytes.
    fn delta(&mut self, base: usize, length: usize, result: usize, commands: &[u8]) -> usize {
        let mut distance = self.bytes.len() - base;
        let mut before = vec![u8::try_from(distance & 0x7f).unwrap()];
        distance >>= 7;
        while distance > 0 {
            distance -= 1;
            before.insert(0, 0x80 | u8::try_from(distance & 0x7f).unwrap());
            distance >>= 7;
        }
        let delta = [&varint(length), &varint(result), commands].concat();
        self.saying(OFFSET_DELTA, delta.len() as u64, &before, &delta)
    }

    /// A delta that copies the start of its base this many times.
    fn copies(&mut self, base: usize, length: usize, pieces: usize) -> usize {
        self.delta(base, length, pieces * PIECE, &[0xc0, 0xff].repeat(pieces))
    }

    fn receive(self) -> Result<usize, PackError> {
        let mut pack = [b"PACK\0\0\0\x02".as_slice(), &self.entries.to_be_bytes(), &self.bytes].concat();
        let sum = Sha1::digest(&pack);
        pack.extend(sum);
        let (into, clone) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let clone = gix::init_bare(clone.path()).unwrap();
        let received = pack::receive(&mut Cursor::new(pack), into.path(), &clone.objects, &AtomicBool::new(false));
        let objects = |path: PathBuf| gix::odb::pack::index::File::at(path.with_extension("idx"), clone.object_hash());
        received.map(|path| objects(path.unwrap()).unwrap().num_objects() as usize)
    }
}

fn check_damaged(made: Made, expected: &str) {
    let error = made.receive().unwrap_err();
    assert!(matches!(&error, PackError::Entry { reason, .. } if reason.contains(expected)), "{error:?}");
}

fn check_too_large(made: Made, expected: &str) {
    let error = made.receive().unwrap_err();
    assert!(matches!(&error, PackError::TooLarge { reason, .. } if reason.contains(expected)), "{error:?}");
}

#[test]
fn too_many_objects_are_refused() {
    let error = Made { entries: 4_000_001, ..Made::default() }.receive().unwrap_err();
    assert!(matches!(error, PackError::TooMany { count: 4_000_001 }), "{error:?}");
}

/// The peak memory of this process, in bytes.
fn most_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn memory_hungry_delta_chain_is_refused() {
    let mut made = Made::default();
    let base = made.whole(BLOB, &vec![0; PIECE]);
    // Half a gigabyte each, and each is the base of two.
    let (mut last, mut length) = (base, PIECE);
    for _ in 0..4 {
        made.copies(last, length, 32);
        last = made.copies(last, length, 32);
        length = 32 * PIECE;
    }
    assert!(made.bytes.len() < 256 * 1024, "{}", made.bytes.len());
    check_too_large(made, "takes more than 1.5 GiB of memory");
    assert!(most_memory() < 1536 << 20, "{}", most_memory());
}

#[test]
fn ten_thousand_delta_chain_is_resolved() {
    let mut made = Made::default();
    let mut last = made.whole(BLOB, b"0123456789");
    for length in 10..10_010 {
        // All of the base, with one copy or two, and one more byte.
        let low = [0xb0, u8::try_from(length & 0xff).unwrap(), u8::try_from(length >> 8).unwrap(), 1, b'x'];
        last = made.delta(last, length, length + 1, &low);
    }
    assert_eq!(made.receive().unwrap(), 10_001);
    assert!(most_memory() < 256 << 20, "{}", most_memory());
}

#[test]
fn false_size_takes_little_memory() {
    for size in [1 << 20, 1 << 40, 1 << 60] {
        let mut made = Made::default();
        made.saying(BLOB, size, &[], b"few");
        check_damaged(made, "it is shorter than declared");
    }
    let mut made = Made::default();
    made.saying(BLOB, 3, &[], &vec![0; PIECE]);
    check_damaged(made, "it is longer than declared");
    let mut made = Made::default();
    let base = made.whole(BLOB, b"few");
    made.delta(base, 3, 1 << 40, &[0x90, 3]);
    check_too_large(made, "it makes an object of more than 512 MiB");
    assert!(most_memory() < 256 << 20, "{}", most_memory());
}

#[test]
fn oversized_tree_is_refused() {
    let mut made = Made::default();
    made.saying(TREE, 129 << 20, &[], b"");
    check_too_large(made, "a tree, a commit or a tag of more than 128 MiB");
    let mut made = Made::default();
    let base = made.whole(TREE, &vec![0; PIECE]);
    made.copies(base, PIECE, 9);
    check_too_large(made, "a tree, a commit or a tag of more than 128 MiB");
}

#[test]
fn blob_bomb_takes_little_memory() {
    let mut made = Made::default();
    made.whole(BLOB, &vec![0; 100 << 20]);
    let before = most_memory();
    assert_eq!(made.receive().unwrap(), 1);
    assert!(most_memory() - before < 32 << 20, "{before}");
}
