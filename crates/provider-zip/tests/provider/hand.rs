//! Handmade zips that no tool here would create, or no tool at all.

use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};

pub(crate) const STORED: u16 = 0;
pub(crate) const DEFLATED: u16 = 8;
pub(crate) const DESCRIBED: u16 = 0x0008;
pub(crate) const UTF8: u16 = 0x0800;
pub(crate) const FILE: u32 = 0o100_644;
pub(crate) const LINK: u32 = 0o120_777;
/// The top folder of these zips.
pub(crate) const FOLDER: &str = "top/";

/// The fields that are stored twice.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) packed: u32,
    pub(crate) size: u32,
    pub(crate) name: Vec<u8>,
    pub(crate) extra: Vec<u8>,
}

/// An entry, consistent until a test changes it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) header: Header,
    pub(crate) data: Vec<u8>,
    pub(crate) descriptor: Vec<u8>,
    pub(crate) line: Header,
    pub(crate) system: u8,
    pub(crate) mode: u32,
    pub(crate) disk: u16,
    /// The stored offset, if it differs from the true one.
    pub(crate) offset: Option<u32>,
}

impl Entry {
    /// A stored entry under [`FOLDER`].
    pub(crate) fn new(name: &str, content: &[u8]) -> Self {
        let size = u32::try_from(content.len()).unwrap();
        let name = format!("{FOLDER}{name}").into_bytes();
        let header = Header {
            flags: if name.is_ascii() { 0 } else { UTF8 },
            method: STORED,
            crc: crc32fast::hash(content),
            packed: size,
            size,
            name,
            extra: Vec::new(),
        };
        let data = content.to_vec();
        let line = header.clone();
        Self { header, data, descriptor: Vec::new(), line, system: 3, mode: FILE, disk: 0, offset: None }
    }

    /// The same, deflated.
    pub(crate) fn deflated(name: &str, content: &[u8]) -> Self {
        Self::new(name, content).packed(deflate(content))
    }

    /// The same with this deflate stream.
    pub(crate) fn packed(self, data: Vec<u8>) -> Self {
        let packed = u32::try_from(data.len()).unwrap();
        self.both(|header| (header.method, header.packed) = (DEFLATED, packed)).with(|entry| entry.data = data)
    }

    /// With its sums after the data, in this form.
    pub(crate) fn described(self, shape: Shape) -> Self {
        self.with(|entry| {
            entry.descriptor = descriptor(&entry.line, shape);
            (entry.header.crc, entry.header.packed, entry.header.size) = (0, 0, 0);
        })
        .both(|header| header.flags |= DESCRIBED)
    }

    /// With one or more wrong fields.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// With a field that is wrong in both places.
    pub(crate) fn both(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.header);
        change(&mut self.line);
        self
    }
}

/// The form of a descriptor: with or without a signature, and the size of its lengths in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) signed: bool,
    pub(crate) wide: bool,
}

/// The form of .NET and most others.
pub(crate) const SIGNED: Shape = Shape { signed: true, wide: false };

pub(crate) fn descriptor(sums: &Header, shape: Shape) -> Vec<u8> {
    let mut bytes = if shape.signed { b"PK\x07\x08".to_vec() } else { Vec::new() };
    bytes.extend(sums.crc.to_le_bytes());
    for length in [sums.packed, sums.size] {
        bytes.extend(length.to_le_bytes());
        bytes.extend(&[0; 4][..if shape.wide { 4 } else { 0 }]);
    }
    bytes
}

pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// An extra field.
pub(crate) fn extra(id: u16, field: &[u8]) -> Vec<u8> {
    let length = u16::try_from(field.len()).unwrap();
    [id.to_le_bytes().as_slice(), &length.to_le_bytes(), field].concat()
}

/// A zip64 field with these numbers.
pub(crate) fn zip64(numbers: &[u64]) -> Vec<u8> {
    extra(1, &numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())
}

/// The end of a zip, consistent until a test changes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct End {
    pub(crate) before_directory: Vec<u8>,
    pub(crate) zip64: Option<Zip64End>,
    pub(crate) disk: u16,
    /// More lines than exist.
    pub(crate) lines: u16,
    /// A longer directory than exists.
    pub(crate) size: u32,
    /// A later start than the true one.
    pub(crate) start: u32,
    pub(crate) comment: Vec<u8>,
    pub(crate) behind: Vec<u8>,
}

/// What the zip64 end adds to the true values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Zip64End {
    pub(crate) length: u64,
    pub(crate) lines: u64,
    pub(crate) size: u64,
    pub(crate) start: u64,
    pub(crate) locator: u64,
    pub(crate) disks: u32,
}

/// A zip of these entries.
pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    zip_with(entries, &End::default())
}

/// A zip of these entries with this end.
pub(crate) fn zip_with(entries: &[Entry], end: &End) -> Vec<u8> {
    let mut zip = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let offset = entry.offset.unwrap_or(u32::try_from(zip.len()).unwrap());
        zip.extend(local(&entry.header));
        zip.extend(&entry.data);
        zip.extend(&entry.descriptor);
        directory.extend(line(entry, offset));
    }
    zip.extend(&end.before_directory);
    let start = zip.len();
    zip.extend(&directory);
    zip.extend(tail(entries.len(), directory.len(), start, end));
    zip
}

fn fields(header: &Header) -> Vec<u8> {
    let name = u16::try_from(header.name.len()).unwrap();
    let extra = u16::try_from(header.extra.len()).unwrap();
    let mut bytes = vec![20, 0];
    bytes.extend([header.flags, header.method, 0, 0x21].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend([header.crc, header.packed, header.size].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend([name, extra].iter().flat_map(|field| field.to_le_bytes()));
    bytes
}

pub(crate) fn local(header: &Header) -> Vec<u8> {
    [b"PK\x03\x04", fields(header).as_slice(), &header.name, &header.extra].concat()
}

pub(crate) fn line(entry: &Entry, offset: u32) -> Vec<u8> {
    let mut bytes = [b"PK\x01\x02\x14", [entry.system].as_slice(), &fields(&entry.line), &[0; 2]].concat();
    bytes.extend(entry.disk.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend((entry.mode << 16).to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    [bytes, entry.line.name.clone(), entry.line.extra.clone()].concat()
}

pub(crate) fn tail(lines: usize, size: usize, start: usize, end: &End) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(lie) = &end.zip64 {
        bytes.extend(b"PK\x06\x06");
        bytes.extend((44 + lie.length).to_le_bytes());
        bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let numbers = [lines as u64 + lie.lines, lines as u64, size as u64 + lie.size, start as u64 + lie.start];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend(((start + size) as u64 + lie.locator).to_le_bytes());
        bytes.extend((1 + lie.disks).to_le_bytes());
    }
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let count = u16::try_from(lines).unwrap_or(u16::MAX);
    bytes.extend(b"PK\x05\x06");
    let numbers = [end.disk, 0, count.wrapping_add(end.lines), count];
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    for number in [narrow(size).wrapping_add(end.size), narrow(start).wrapping_add(end.start)] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(u16::try_from(end.comment.len()).unwrap().to_le_bytes());
    [bytes, end.comment.clone(), end.behind.clone()].concat()
}
