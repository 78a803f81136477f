//! What is remembered of each entry until the directory comes, and the rules that only all names together can break.

use gix::bstr::{BStr, BString, ByteSlice};

use super::ProviderError;
use crate::zip::{MADE_BY, MAX_U32, length, put16, put32, zip64_field};

/// What one entry is, in the zip that came and in ours.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    /// Its name as it came.
    pub(super) name: &'a BStr,
    /// Its name in our zip; none where it is left out.
    pub(super) kept: Option<&'a BStr>,
    pub(super) line: &'a Line,
}

/// The numbers of an entry.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) dos_time: u32,
    /// The extended timestamp, where there was one.
    pub(super) modified: Option<[u8; 4]>,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) size: u64,
    /// Where it began in the zip that came.
    pub(super) came_at: u64,
    /// Where it begins in ours.
    pub(super) lies_at: u64,
}

/// A file's Unix mode, as a repository knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Folder,
    File,
    Program,
    Link,
}

impl Mode {
    /// As the directory holds it: the mode above, DOS's attribute for a folder below.
    fn external(self) -> u32 {
        match self {
            Self::Folder => 0o040_755 << 16 | 0x10,
            Self::File => 0o100_644 << 16,
            Self::Program => 0o100_755 << 16,
            Self::Link => 0o120_777 << 16,
        }
    }
}

impl Entry<'_> {
    pub(super) fn is_folder(&self) -> bool {
        self.name.ends_with(b"/")
    }

    /// Its record in our directory.
    pub(super) fn directory_record(&self, mode: Mode) -> Vec<u8> {
        let Line { flags, method, dos_time, modified, crc, packed, size, lies_at, .. } = *self.line;
        let name = self.kept.unwrap_or_default();
        let large = packed >= MAX_U32 || size >= MAX_U32;
        let mut fields = if large { vec![size, packed] } else { Vec::new() };
        fields.extend((lies_at >= MAX_U32).then_some(lies_at));
        let extra = [zip64_field(&fields), timestamp(modified)].concat();
        let mut record = b"PK\x01\x02".to_vec();
        put16(&mut record, MADE_BY);
        put16(&mut record, if fields.is_empty() { 20 } else { 45 });
        put16(&mut record, flags);
        put16(&mut record, method);
        record.extend(dos_time.to_le_bytes());
        record.extend(crc.to_le_bytes());
        for number in [packed, size] {
            put32(&mut record, if large { MAX_U32 } else { number });
        }
        put16(&mut record, length(name));
        put16(&mut record, length(&extra));
        // Comment, disk, internal attributes.
        record.extend([0; 6]);
        record.extend(mode.external().to_le_bytes());
        put32(&mut record, lies_at);
        record.extend_from_slice(name);
        record.extend(extra);
        record
    }
}

/// The extended timestamp as an extra field.
pub(super) fn timestamp(modified: Option<[u8; 4]>) -> Vec<u8> {
    modified.map_or_else(Vec::new, |seconds| [b"UT\x05\0\x01", &seconds[..]].concat())
}

/// An entry that was just copied.
pub(super) struct Fresh {
    pub(super) name: BString,
    pub(super) kept: Option<BString>,
    pub(super) line: Line,
}

/// All entries in their order, names in one piece of memory.
#[derive(Default)]
pub(super) struct Entries {
    lines: Vec<(Line, usize, Option<usize>)>,
    names: BString,
}

impl Entries {
    /// The most entries that are remembered: twice what the largest public repositories have. It bounds memory.
    const MAX: usize = 1_000_000;
    /// The most bytes that their names may have together.
    const MAX_NAME_BYTES: usize = 256 * 1024 * 1024;

    pub(super) fn push(&mut self, fresh: Fresh) -> Result<(), ProviderError> {
        if self.lines.len() == Self::MAX || self.names.len() > Self::MAX_NAME_BYTES {
            return Err(ProviderError::Malformed { at: fresh.line.came_at, reason: "too many entries" });
        }
        self.names.extend_from_slice(&fresh.name);
        self.lines.push((fresh.line, fresh.name.len(), fresh.kept.map(|kept| kept.len())));
        Ok(())
    }

    pub(super) fn len(&self) -> u64 {
        self.lines.len() as u64
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut start = 0;
        self.lines.iter().map(move |(line, length, kept)| {
            let name = self.names.get(start..start + length).unwrap_or_default().as_bstr();
            start += length;
            // What is kept of a name is always its end.
            let kept = kept.and_then(|kept| name.get(length - kept..)).map(ByteSlice::as_bstr);
            Entry { name, kept, line }
        })
    }

    /// Whether no two entries have one name, and none lies below another that isn't a folder.
    pub(super) fn check_names(&self) -> Result<(), ProviderError> {
        let mut names: Vec<&BStr> = self.iter().filter_map(|entry| entry.kept).collect();
        // With the slash before every other letter, what lies below a name comes right behind it.
        names.sort_unstable_by(|a, b| letters(a).cmp(letters(b)));
        for pair in names.windows(2) {
            let [first, second] = pair else { continue };
            let below = second.strip_prefix(first.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"));
            let below_file = below && !first.ends_with(b"/");
            if below_file || letters(first).eq(letters(second)) {
                return Err(ProviderError::Conflict { name: (*second).into() });
            }
        }
        Ok(())
    }
}

/// The letters of a name in an order in which a folder is followed by what lies in it.
fn letters(name: &BStr) -> impl Iterator<Item = u8> {
    let plain = name.strip_suffix(b"/").unwrap_or(name);
    plain.iter().map(|byte| if *byte == b'/' { 0 } else { *byte })
}
