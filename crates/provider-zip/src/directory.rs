//! The archive's directory, which comes last: the only place that tells modes, and a second witness
//! for everything else. Readers differ in which of the two they believe; so both have to say the
//! same, in the same order.

use std::io::{Read, Write};

use crate::{
    end::Directory,
    entry::{Entry, Theirs},
    error::ProviderError,
    header::{self, Line},
    input::Input,
    names::Kind,
    top::Top,
};
use zip_writer::Writer;

const LINE: [u8; 4] = *b"PK\x01\x02";

/// Reads the directory, whose first `signature` was read, and lists what was copied. The signature
/// is the one behind it then.
pub(crate) fn list<R: Read, W: Write>(
    input: &mut Input<R>,
    signature: &mut [u8; 4],
    (entries, top): (Vec<Entry>, Top),
    zip: &mut Writer<W>,
) -> Result<Directory, ProviderError> {
    let start = input.position() - signature.len() as u64;
    let mut lines = 0;
    for entry in entries {
        let mut mode = Mode::Folder;
        if let Some(theirs) = &entry.theirs {
            if *signature != LINE {
                return Err(input.malformed("its directory doesn't list all that came before it"));
            }
            let line = header::line(input)?;
            compare(&entry, theirs, &line)?;
            mode = Mode::of(&line, entry.kind)?;
            *signature = input.array()?;
            lines += 1;
        }
        let (Some(record), Some(path)) = (&entry.ours, top.drop_from(&entry.path)) else { continue };
        let listed = match mode {
            Mode::Folder => zip.list_folder(path, record),
            Mode::File => zip.list(path, 0o100_644, record),
            Mode::Executable => zip.list(path, 0o100_755, record),
            Mode::Link => zip.list(path, 0o120_777, record),
        };
        listed.map_err(ProviderError::Write)?;
    }
    if *signature == LINE {
        return Err(input.malformed("its directory lists more than came before it"));
    }
    Ok(Directory { lines, start, size: input.position() - signature.len() as u64 - start })
}

fn compare(entry: &Entry, theirs: &Theirs, line: &Line) -> Result<(), ProviderError> {
    let header = &line.header;
    let (bare, kind) = match header.name.strip_suffix(b"/") {
        Some(bare) => (bare, Kind::Folder),
        None => (header.name.as_slice(), Kind::File),
    };
    let fields = [
        ("name", bare == &*entry.path && kind == entry.kind && header.utf8 == theirs.utf8),
        ("offset", line.offset == theirs.offset),
        ("method", header.method == theirs.method),
        ("CRC-32", header.sums.crc == theirs.sums.crc),
        ("length", header.sums == theirs.sums),
    ];
    match fields.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(ProviderError::Contradiction { path: entry.path.to_vec().into(), field }),
        None => Ok(()),
    }
}

/// As much of a mode as Git knows.
enum Mode {
    Folder,
    File,
    Executable,
    Link,
}

impl Mode {
    /// Without a mode, a file is a plain one, as in the archives of `git archive`.
    fn of(line: &Line, kind: Kind) -> Result<Self, ProviderError> {
        let mode = line.mode.unwrap_or_default();
        match (kind, mode & 0o170_000) {
            (Kind::Folder, 0 | 0o040_000) => Ok(Self::Folder),
            (Kind::File, 0 | 0o100_000) if mode & 0o100 != 0 => Ok(Self::Executable),
            (Kind::File, 0 | 0o100_000) => Ok(Self::File),
            (Kind::File, 0o120_000) => Ok(Self::Link),
            (Kind::Folder, _) => Err(unsupported(line, "is a folder by its name and something else by its mode")),
            (Kind::File, _) => Err(unsupported(line, "is neither a file nor a link by its mode")),
        }
    }
}

fn unsupported(line: &Line, reason: &'static str) -> ProviderError {
    ProviderError::Unsupported { path: line.header.name.clone(), reason }
}
