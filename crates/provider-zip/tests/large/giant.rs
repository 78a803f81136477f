//! Seventy thousand files, one of more than four gigabytes whose length follows its data, and five
//! gigabytes of others.

use std::{io::Read, sync::Arc};

use flate2::{Compress, Compression, FlushCompress};
use provider_zip::{ProviderZip, TopFolder, copy_zip};
use zip::ZipArchive;

use crate::{
    hand::{DEFLATED, DESCRIBED, End, Entry, Zip64End, line, local, tail, zip64},
    sparse::{Holes, Piece, Pieces},
};

const FILES: u64 = 70_000;
/// Files in a folder. Folders have no entries of their own.
const IN_FOLDER: u64 = 1000;
const MIB: u64 = 1 << 20;
/// Too long for a field of four bytes.
const LONG: u64 = 4200 * MIB;
const STORED: u64 = 64 * MIB;
/// This many stored files have five gigabytes.
const STORED_FILES: u64 = 80;

/// An archive under construction: long content is described, not stored.
#[derive(Default)]
struct Archive {
    pieces: Vec<Piece>,
    /// The short content that comes next.
    bytes: Vec<u8>,
    offset: u64,
    directory: Vec<u8>,
    lines: usize,
}

impl Archive {
    fn add(&mut self, mut entry: Entry, data: Vec<Piece>) {
        let offset = u32::try_from(self.offset + self.bytes.len() as u64).unwrap_or_else(|_| {
            entry.line.extra = zip64(&[self.offset + self.bytes.len() as u64]);
            u32::MAX
        });
        self.directory.extend(line(&entry, offset));
        self.lines += 1;
        self.bytes.extend(local(&entry.header));
        self.bytes.extend(entry.data);
        for piece in data {
            self.push_bytes();
            self.push(piece);
        }
        self.bytes.extend(entry.descriptor);
    }

    fn push_bytes(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.push(bytes.into());
    }

    fn push(&mut self, piece: Piece) {
        self.offset += piece.length();
        self.pieces.push(piece);
    }

    fn finish(mut self) -> Vec<Piece> {
        self.push_bytes();
        let end = End { zip64: Some(Zip64End::default()), comment: b"giant".to_vec(), ..End::default() };
        let tail = tail(self.lines, self.directory.len(), usize::try_from(self.offset).unwrap(), &end);
        let directory = std::mem::take(&mut self.directory);
        self.push(directory.into());
        self.push(tail.into());
        self.pieces
    }
}

/// The CRC-32 of this many mebibytes of zeros.
fn crc(mebibytes: u64, mebibyte: &[u8]) -> u32 {
    let mut one = crc32fast::Hasher::new();
    one.update(mebibyte);
    let mut crc = crc32fast::Hasher::new();
    (0..mebibytes).for_each(|_| crc.combine(&one));
    crc.finalize()
}

/// The long file: its lengths follow it, in eight bytes each.
fn long(mebibyte: &[u8]) -> (Entry, Vec<Piece>) {
    let mut packed = Vec::with_capacity(mebibyte.len());
    // This stream ends at a byte boundary, and nothing after it refers to it: it can be repeated.
    Compress::new(Compression::default(), false).compress_vec(mebibyte, &mut packed, FlushCompress::Full).unwrap();
    let data = vec![Piece(packed.into(), LONG / MIB), vec![3, 0].into()];
    let length: u64 = data.iter().map(Piece::length).sum();
    let entry = Entry::new("long", b"").both(|header| (header.method, header.flags) = (DEFLATED, DESCRIBED));
    let entry = entry.with(|entry| {
        entry.line.crc = crc(LONG / MIB, mebibyte);
        entry.line.packed = u32::try_from(length).unwrap();
        (entry.line.size, entry.line.extra) = (u32::MAX, zip64(&[LONG]));
        (entry.header.packed, entry.header.size, entry.header.extra) = (u32::MAX, u32::MAX, zip64(&[0, 0]));
        entry.descriptor = b"PK\x07\x08".to_vec();
        entry.descriptor.extend(entry.line.crc.to_le_bytes());
        entry.descriptor.extend([length, LONG].map(u64::to_le_bytes).concat());
    });
    (entry, data)
}

fn giant() -> Vec<Piece> {
    let mebibyte: Arc<[u8]> = vec![0; usize::try_from(MIB).unwrap()].into();
    let mut archive = Archive::default();
    for n in 0..FILES {
        let content = format!("content of {n}").into_bytes();
        archive.add(Entry::deflated(&format!("folder {}/file {n}", n / IN_FOLDER), &content), Vec::new());
    }
    let (entry, data) = long(&mebibyte);
    archive.add(entry, data);
    let crc = crc(STORED / MIB, &mebibyte);
    let size = u32::try_from(STORED).unwrap();
    for n in 0..STORED_FILES {
        let entry = Entry::new(&format!("stored {n}"), b"");
        let entry = entry.both(|header| (header.crc, header.packed, header.size) = (crc, size, size));
        archive.add(entry, vec![Piece(Arc::clone(&mebibyte), STORED / MIB)]);
    }
    archive.add(Entry::new("run", b"behind all").with(|entry| entry.mode = 0o100_755), Vec::new());
    archive.finish()
}

/// The peak memory of this program, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn giant_archive_memory_stays_under_64mib() {
    let pieces = giant();
    let length: u64 = pieces.iter().map(Piece::length).sum();
    assert!(length > 5 << 30);
    let before = peak();
    let expected = ProviderZip { top_folder: TopFolder::Always, commit: None, max_bytes: length };
    let mut file = Holes(tempfile::tempfile().unwrap());
    let summary = copy_zip(Pieces::new(pieces.into_iter()), &expected, &mut file).unwrap();
    let peak = peak();
    assert!(peak < 64 << 20, "{peak} bytes, of which {before} were taken before");
    assert_eq!((summary.received, summary.entries), (length, FILES + FILES / IN_FOLDER + 1 + STORED_FILES + 1));

    let mut zip = ZipArchive::new(file.0).unwrap();
    assert_eq!(zip.len() as u64, summary.entries);
    let long = zip.by_name("long").unwrap();
    assert_eq!((long.size(), long.unix_mode()), (LONG, Some(0o100_644)));
    assert!(std::io::copy(&mut long.take(100 * MIB), &mut std::io::sink()).unwrap() == 100 * MIB);
    for (name, content) in [("folder 69/file 69999", "content of 69999"), ("run", "behind all")] {
        let mut entry = zip.by_name(name).unwrap();
        let mut read = String::new();
        entry.read_to_string(&mut read).unwrap();
        assert_eq!(read, content);
    }
    assert!(zip.by_name("run").unwrap().header_start() > 5 << 30);
    // To its end, where the reader verifies the CRC-32.
    let mut last = zip.by_name("stored 79").unwrap();
    assert_eq!(std::io::copy(&mut last, &mut std::io::sink()).unwrap(), STORED);
}
