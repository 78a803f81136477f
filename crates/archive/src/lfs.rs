//! [Git LFS](https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md) pointers, and the
//! verification of downloaded files.

use std::{error::Error, io::Read};

use gix::{
    ObjectId,
    bstr::{BString, ByteSlice},
    objs::Kind,
};
use sha2::{Digest as _, Sha256};

use crate::{error::ArchiveError, objects::Objects};

/// A longer blob isn't a pointer.
const LONGEST: u64 = 1023;
/// The specification's URLs, current and former.
const VERSIONS: [&str; 3] =
    ["https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1", "http://git-media.io/v/2"];

/// A pointer in a tree to a file that Git LFS stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The file's SHA-256, in 64 lower-case hexadecimal digits.
    pub oid: String,
    /// The file's length in bytes, never 0.
    pub size: u64,
}

/// A file of a commit that Git LFS stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeFile {
    /// The path of its submodule. Empty for the repository itself.
    pub submodule: BString,
    /// Its path in the zip.
    pub path: BString,
    /// Its pointer.
    pub pointer: Pointer,
}

/// A source of large files.
pub trait LargeFiles {
    /// The file's content. Files are requested in the order of [`crate::large_files`], each once.
    ///
    /// # Errors
    /// The file isn't available.
    fn open(&mut self, file: &LargeFile) -> Result<Box<dyn Read + '_>, Box<dyn Error + Send + Sync>>;
}

/// A blob with the attribute `filter=lfs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filtered {
    /// A normal file.
    Itself,
    /// A pointer to an empty file, which needn't be downloaded.
    Empty,
    /// A pointer to this file.
    Pointer(Pointer),
}

/// Parses the blob `id`.
pub(crate) fn filtered(objects: &Objects<'_>, id: ObjectId, path: &BString) -> Result<Filtered, ArchiveError> {
    let header = objects.repository().find_header(id);
    let header = header.map_err(|error| ArchiveError::Object { id, source: error.into() })?;
    if header.size() > LONGEST {
        return Ok(Filtered::Itself);
    }
    parse(&objects.read(id, Kind::Blob)?).ok_or_else(|| ArchiveError::PointerExtension { path: path.clone() })
}

/// Parses a pointer like `DecodePointer` of git-lfs. `None` if it has extensions: programs that
/// changed the file, and would be needed to restore it.
fn parse(blob: &[u8]) -> Option<Filtered> {
    let fields = fields(blob);
    let [("version", version), between @ .., ("oid", oid), ("size", size)] = &fields[..] else {
        return Some(Filtered::Itself);
    };
    let digits =
        oid.strip_prefix("sha256:").filter(|oid| oid.len() == 64 && oid.bytes().all(|b| b.is_ascii_hexdigit()));
    let (Some(digits), Ok(size), true) = (digits, size.parse(), VERSIONS.contains(version)) else {
        return Some(Filtered::Itself);
    };
    if !between.is_empty() {
        let extended = between.iter().all(|(key, _)| key.starts_with("ext-"));
        return (!extended).then_some(Filtered::Itself);
    }
    Some(if size == 0 { Filtered::Empty } else { Filtered::Pointer(Pointer { oid: digits.to_lowercase(), size }) })
}

/// The keys and values of a pointer. `None` if it isn't one.
fn fields(blob: &[u8]) -> Vec<(&str, &str)> {
    let text = blob.trim().to_str().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.split_once(' ')).collect::<Option<_>>().unwrap_or_default()
}

/// Passes on the content of a file in pieces, and verifies it at the end.
pub(crate) fn copy<E: From<std::io::Error>>(
    pointer: &Pointer,
    content: &mut dyn Read,
    mut give: impl FnMut(&[u8]) -> Result<(), E>,
    failed: impl Fn(Box<dyn Error + Send + Sync>) -> E,
) -> Result<(), E> {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 64 << 10]);
    loop {
        let read = content.read(&mut buffer).map_err(|error| failed(error.into()))?;
        let piece = buffer.get(..read).unwrap_or_default();
        size += piece.len() as u64;
        if size > pointer.size {
            return Err(failed(format!("it is longer than {} bytes", pointer.size).into()));
        }
        if piece.is_empty() {
            break;
        }
        hash.update(piece);
        give(piece)?;
    }
    if size < pointer.size {
        return Err(failed(format!("it ended after {size} of {} bytes", pointer.size).into()));
    }
    let oid = hex::encode(hash.finalize());
    if oid == pointer.oid { Ok(()) } else { Err(failed(format!("its SHA-256 is {oid}").into())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

    fn check(blob: &str, expected: Option<&Filtered>) {
        assert_eq!(parse(blob.as_bytes()).as_ref(), expected, "{blob:?}");
    }

    #[test]
    fn pointer_is_read_like_git_lfs() {
        let pointer = |size| Filtered::Pointer(Pointer { oid: OID.to_owned(), size });
        for version in VERSIONS {
            check(&format!("version {version}\noid sha256:{OID}\nsize 12345\n"), Some(&pointer(12345)));
        }
        let version = VERSIONS[0];
        check(&format!("version {version}\r\noid sha256:{}\r\nsize 1", OID.to_uppercase()), Some(&pointer(1)));
        check(&format!("\n version {version}\n\noid sha256:{OID}\nsize 7\n\n"), Some(&pointer(7)));
        check(&format!("version {version}\noid sha256:{OID}\nsize 0\n"), Some(&Filtered::Empty));
        check(&format!("version {version}\next-0-foo sha256:{OID}\noid sha256:{OID}\nsize 1\n"), None);
    }

    #[test]
    fn non_pointer_blob_stays_itself() {
        let version = VERSIONS[0];
        for blob in [
            String::new(),
            "version 1\n".to_owned(),
            format!("version {version}\noid sha256:{OID}\n"),
            format!("version {version}\nsize 1\noid sha256:{OID}\n"),
            format!("version {version}\noid sha256:{OID}\nsize 1\nmore 1\n"),
            format!("version {version}\nmore 1\noid sha256:{OID}\nsize 1\n"),
            format!("version {version}\noid sha1:{OID}\nsize 1\n"),
            format!("version {version}\noid sha256:{}\nsize 1\n", &OID[1..]),
            format!("version {version}\noid sha256:{}x\nsize 1\n", &OID[1..]),
            format!("version {version}\noid sha256:{OID}\nsize -1\n"),
            format!("version {version}\noid sha256:{OID}\nsize 99999999999999999999\n"),
            format!("version {version}/\noid sha256:{OID}\nsize 1\n"),
            format!("oid sha256:{OID}\nsize 1\n"),
        ] {
            check(&blob, Some(&Filtered::Itself));
        }
        assert_eq!(parse(b"\xff\xfe"), Some(Filtered::Itself));
    }

    #[test]
    fn large_file_not_matching_pointer_fails() {
        let pointer = |content: &[u8], size| Pointer { oid: hex::encode(Sha256::digest(content)), size };
        let copied = |pointer: &Pointer, content: &str| {
            let mut copied = Vec::new();
            let give = |piece: &[u8]| {
                copied.extend_from_slice(piece);
                Ok(())
            };
            copy(pointer, &mut content.as_bytes(), give, std::io::Error::other).map(|()| copied)
        };
        assert_eq!(copied(&pointer(b"content", 7), "content").unwrap(), b"content");
        for (content, size, reason) in [
            ("content", 7, "its SHA-256 is ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"),
            ("con", 7, "it ended after 3 of 7 bytes"),
            ("content and more", 7, "it is longer than 7 bytes"),
        ] {
            assert_eq!(copied(&pointer(b"another", size), content).unwrap_err().to_string(), reason);
        }
    }
}
