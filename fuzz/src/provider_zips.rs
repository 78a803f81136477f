//! Archives of providers: the result is readable by other tools, has no unsafe path, and contains
//! the same files that they see in the archive.

use std::{collections::BTreeMap, io::Read, io::Write};

use flate2::{Compression, write::DeflateEncoder};
use provider_zip::{ProviderZip, TopFolder, copy_zip};
use zip::ZipArchive;

use crate::bytes::Bytes;

/// The largest archive. Its content may be sixteen times as large.
const MAX: u64 = 256 << 10;

/// The first byte chooses the expected top folder, the rest is the archive.
pub fn provider_zip(data: &[u8]) {
    let Some((choice, archive)) = data.split_first() else { return };
    take(*choice, archive);
}

/// The input is entries that may be inconsistent: see [`entry`] for their format.
pub fn provider_zip_entries(data: &[u8]) {
    let mut bytes = Bytes(data);
    let choice = bytes.next();
    let (mut archive, mut directory, mut lines) = (Vec::new(), Vec::new(), 0_u16);
    while !bytes.0.is_empty() && lines < 64 {
        entry(&mut bytes, &mut archive, &mut directory);
        lines += 1;
    }
    let numbers = [directory.len(), archive.len()].map(|number| u32::try_from(number).unwrap().to_le_bytes());
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([lines.to_le_bytes(), lines.to_le_bytes()].concat());
    archive.extend(numbers.concat());
    archive.extend([0, 0]);
    take(choice, &archive);
}

/// Which fields are stored twice, in the order of the format.
struct Header<'a> {
    flags: u16,
    method: u16,
    crc: u32,
    packed: u32,
    size: u32,
    name: &'a [u8],
}

impl Header<'_> {
    fn fields(&self) -> Vec<u8> {
        let mut fields = vec![20, 0];
        fields.extend([self.flags, self.method, 0, 0x21].map(u16::to_le_bytes).concat());
        fields.extend([self.crc, self.packed, self.size].map(u32::to_le_bytes).concat());
        fields.extend([u16::try_from(self.name.len()).unwrap(), 0].map(u16::to_le_bytes).concat());
        fields
    }
}

/// Two bytes of choices, then a name and a content, each after its length.
fn entry(bytes: &mut Bytes<'_>, archive: &mut Vec<u8>, directory: &mut Vec<u8>) {
    let (how, untrue) = (bytes.next(), bytes.next());
    let length = usize::from(bytes.next());
    let name = bytes.take(length);
    let length = usize::from(bytes.next()) << (how >> 6);
    let content = bytes.take(length);
    let deflated = how & 1 == 1;
    let packed = if deflated { deflate(content) } else { content.to_vec() };
    let (described, utf8) = (how & 2, how & 4);
    let mode: u32 = [0o100_644, 0o100_755, 0o120_777, 0o040_755][usize::from(how >> 3 & 3)];
    let number = |length: usize| u32::try_from(length).unwrap();
    let line = Header {
        flags: u16::from(described) << 2 | u16::from(utf8) << 9,
        method: if deflated { 8 } else { 0 },
        crc: crc32fast::hash(content) ^ u32::from(untrue & 1),
        packed: number(packed.len()).wrapping_add(u32::from(untrue >> 1 & 1)),
        size: number(content.len()).wrapping_add(u32::from(untrue >> 2 & 1)),
        name,
    };
    let mut header = Header { name, ..line };
    if described != 0 {
        (header.crc, header.packed, header.size) = (0, 0, 0);
    }
    if untrue & 8 == 8 {
        header.name = name.split_last().map_or(name, |(_, shorter)| shorter);
    }
    let offset = number(archive.len()).wrapping_add(u32::from(untrue >> 4 & 1));
    archive.extend(b"PK\x03\x04");
    archive.extend(header.fields());
    archive.extend(header.name);
    archive.extend(&packed);
    if described != 0 {
        archive.extend(&b"PK\x07\x08"[..if untrue & 32 == 32 { 0 } else { 4 }]);
        archive.extend([line.crc, line.packed, line.size].map(u32::to_le_bytes).concat());
    }
    directory.extend(b"PK\x01\x02\x14\x03");
    directory.extend(line.fields());
    directory.extend([0; 6]);
    directory.extend((mode << 16).to_le_bytes());
    directory.extend(offset.to_le_bytes());
    directory.extend(line.name);
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn take(choice: u8, archive: &[u8]) {
    let top_folder = match choice % 3 {
        0 => TopFolder::Never,
        1 => TopFolder::Always,
        _ => TopFolder::Named("top".to_owned()),
    };
    let expected = ProviderZip { top_folder, commit: None, max_bytes: MAX };
    let mut zip = Vec::new();
    let Ok(summary) = copy_zip(archive, &expected, &mut zip) else { return };
    assert_eq!((summary.bytes, summary.received), (zip.len() as u64, archive.len() as u64));
    let (ours, theirs) = (tree(&zip), tree(archive));
    for (path, _) in &ours {
        let parts = path.strip_suffix(b"/").unwrap_or(path).split(|byte| *byte == b'/');
        for part in parts {
            let git = part.eq_ignore_ascii_case(b".git");
            assert!(!git && !matches!(part, b"" | b"." | b"..") && !part.contains(&0), "{}", path.escape_ascii());
        }
    }
    let paths: BTreeMap<_, _> = ours.iter().cloned().collect();
    assert_eq!((paths.len(), summary.entries), (ours.len(), ours.len() as u64), "each path once");
    assert!(files(&ours).eq(files(&theirs)), "other files than theirs");
    let flat = ProviderZip { top_folder: TopFolder::Never, commit: None, max_bytes: u64::MAX };
    let mut again = Vec::new();
    copy_zip(&zip[..], &flat, &mut again).unwrap();
    assert_eq!(tree(&again), ours, "ours is an archive like others");
}

/// The contents of everything except folders, in order.
fn files(tree: &[(Vec<u8>, Vec<u8>)]) -> impl Iterator<Item = &[u8]> {
    tree.iter().filter(|(path, _)| !path.ends_with(b"/")).map(|(_, content)| content.as_slice())
}

/// Paths and contents, as the zip crate reads them.
fn tree(zip: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut zip = ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let count = zip.len();
    let one = |index| {
        let mut file = zip.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        (file.name_raw().to_vec(), content)
    };
    (0..count).map(one).collect()
}
