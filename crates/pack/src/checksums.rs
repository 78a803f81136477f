//! The CRC-32 of each object of a pack, which a zip needs and Git doesn't store: a file beside the
//! pack, in the order of its index. It only saves time. Unpackers would reject a zip with a wrong
//! CRC-32, so the table has a checksum. If the checksum is wrong or the table is missing, objects
//! are inflated instead.

use std::{fs, path::Path};

/// The CRC-32s of a pack's objects.
#[derive(Debug)]
pub struct Checksums(Vec<u8>);

impl Checksums {
    /// The extension of the table's file, instead of `pack`.
    pub(crate) const EXTENSION: &str = "crc32";

    /// The table's file content, for the pack with this checksum.
    pub(crate) fn encode(contents: impl Iterator<Item = u32>, pack: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = contents.flat_map(u32::to_be_bytes).collect();
        let sum = Self::sum(&bytes, pack);
        bytes.extend(sum.to_be_bytes());
        bytes
    }

    /// Reads the table at `path`, if it is complete and belongs to the pack with this checksum and
    /// number of objects.
    pub(crate) fn open(path: &Path, pack: &[u8], objects: u32) -> Option<Self> {
        let mut bytes = fs::read(path).ok()?;
        let sum = bytes.split_off(bytes.len().checked_sub(4)?);
        let whole = bytes.len() as u64 == u64::from(objects) * 4 && sum == Self::sum(&bytes, pack).to_be_bytes();
        whole.then_some(Self(bytes))
    }

    /// The CRC-32 of the object at this position of the index.
    pub(crate) fn at(&self, index: u32) -> Option<u32> {
        let start = usize::try_from(index).ok()?.checked_mul(4)?;
        Some(u32::from_be_bytes(*self.0.get(start..)?.first_chunk()?))
    }

    fn sum(table: &[u8], pack: &[u8]) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        crc.update(pack);
        crc.update(table);
        crc.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_or_mismatched_checksums_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pack.crc32");
        let bytes = Checksums::encode([7, 8, u32::MAX].into_iter(), b"pack");
        fs::write(&path, &bytes).unwrap();
        let table = Checksums::open(&path, b"pack", 3).unwrap();
        assert_eq!([0, 1, 2, 3].map(|index| table.at(index)), [Some(7), Some(8), Some(u32::MAX), None]);
        assert!(Checksums::open(&path, b"other", 3).is_none() && Checksums::open(&path, b"pack", 2).is_none());
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 1;
            fs::write(&path, broken).unwrap();
            assert!(Checksums::open(&path, b"pack", 3).is_none(), "{at}");
            fs::write(&path, &bytes[..at]).unwrap();
            assert!(Checksums::open(&path, b"pack", 3).is_none(), "{at}");
        }
    }
}
