//! The index of a pack, version 2 of Git's
//! [format](https://git-scm.com/docs/gitformat-pack#_version_2_pack_idx_files_support_packs_larger_than_4_gib_and).

use std::io::{self, Write};

use sha1::{Digest, Sha1};

use crate::write::Entry;

/// Offsets from here on are stored in a separate table.
const LARGE: u64 = 1 << 31;

/// Writes the index of a pack with these entries, sorted by ID, and this checksum.
pub(crate) fn write(out: &mut impl Write, entries: &[Entry], pack: [u8; 20]) -> io::Result<()> {
    let mut out = Summed { out, hash: Sha1::new() };
    out.put(b"\xfftOc\0\0\0\x02")?;
    let mut below = 0;
    for first in 0..=u8::MAX {
        below += entries.get(below..).unwrap_or_default().partition_point(|entry| entry.id.first_byte() <= first);
        out.put(&u32::try_from(below).map_err(io::Error::other)?.to_be_bytes())?;
    }
    for entry in entries {
        out.put(entry.id.as_slice())?;
    }
    for entry in entries {
        out.put(&entry.packed.to_be_bytes())?;
    }
    let mut large = Vec::new();
    for entry in entries {
        let offset = if entry.offset < LARGE {
            entry.offset
        } else {
            large.push(entry.offset);
            LARGE + large.len() as u64 - 1
        };
        out.put(&u32::try_from(offset).map_err(io::Error::other)?.to_be_bytes())?;
    }
    for offset in large {
        out.put(&offset.to_be_bytes())?;
    }
    out.put(&pack)?;
    let hash = out.hash.finalize();
    out.out.write_all(&hash)
}

struct Summed<'a, W> {
    out: &'a mut W,
    hash: Sha1,
}

impl<W: Write> Summed<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use gix::{ObjectId, odb::pack::index::File};

    use super::*;

    #[test]
    fn index_finds_entries_beyond_two_gigabytes() {
        let id = |byte: u8| ObjectId::try_from([byte; 20].as_slice()).unwrap();
        let offsets = [(0, 12), (7, LARGE - 1), (8, LARGE), (9, 5 << 32), (255, LARGE + 1)];
        let entries = offsets.map(|(byte, offset)| Entry { id: id(byte), offset, packed: u32::from(byte), content: 0 });
        let mut bytes = Vec::new();
        write(&mut bytes, &entries, [3; 20]).unwrap();
        let index = File::from_data(bytes, PathBuf::from("test.idx"), gix::hash::Kind::Sha1).unwrap();
        index.verify_checksum(&mut gix::progress::Discard, &std::sync::atomic::AtomicBool::new(false)).unwrap();
        assert_eq!(index.num_objects(), 5);
        for (byte, offset) in offsets {
            let at = index.lookup(id(byte)).unwrap();
            assert_eq!((index.pack_offset_at_index(at), index.crc32_at_index(at)), (offset, Some(u32::from(byte))));
        }
        assert!(index.lookup(id(1)).is_none());
    }
}
