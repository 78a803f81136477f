//! Each push is created by git, and zipped or refused within gitpull's memory.

use std::{
    io::{self, BufWriter, Write},
    sync::{Mutex, PoisonError, atomic::AtomicBool},
};

use archive::{ArchiveError, Options, Summary, write_zip};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::repository::Repository;

/// The function's memory in `crates/deployment/src/stack/workers.rs`, in bytes.
const FUNCTION: u64 = 1769 << 20;

/// Zips `HEAD` within the function's memory. Exceeding it ends the test.
fn zip(repository: &Repository) -> Result<Summary, ArchiveError> {
    // One at a time, in case the tests are threads of one program.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    setrlimit(Resource::As, Rlimit { current: Some(FUNCTION), maximum: Some(FUNCTION) }).unwrap();
    let (opened, head) = repository.open();
    write_zip(&opened, head, &Options::default(), None, &AtomicBool::new(false), io::sink())
}

/// Writes a file of this piece, this many times.
fn write(repository: &Repository, path: &str, piece: &[u8], count: usize) {
    let mut out = BufWriter::new(std::fs::File::create(repository.path().join(path)).unwrap());
    (0..count).for_each(|_| out.write_all(piece).unwrap());
    out.into_inner().unwrap();
}

fn commit(repository: &Repository) {
    repository.git(&["-c", "core.compression=1", "add", "-A"]);
    repository.git(&["commit", "-q", "-m", "x"]);
}

const MIB: usize = 1 << 20;

#[test]
fn a_long_message_repeated_is_refused() {
    let repository = Repository::new();
    repository.write(".gitattributes", "* export-subst\n");
    // Four kilobytes that represent two gigabytes.
    repository.write("a", format!("$Format:{}$", "%B".repeat(2_000)));
    repository.git(&["add", "-A"]);
    repository.git_with(&["commit", "-q", "-F", "-"], &b"line\n".repeat(MIB / 5));
    let error = zip(&repository).unwrap_err();
    assert!(matches!(&error, ArchiveError::Grows { path, .. } if path == "a"), "{error:?}");
}

#[test]
fn a_longer_message_is_put_nowhere() {
    let repository = Repository::new();
    repository.write(".gitattributes", "* export-subst\n");
    repository.write("a", "$Format:%n$".repeat(370));
    repository.git(&["add", "-A"]);
    repository.git_with(&["commit", "-q", "-F", "-"], &b"line\n".repeat(MIB));
    let error = zip(&repository).unwrap_err();
    assert!(matches!(&error, ArchiveError::LongCommit { size, .. } if *size > 5 << 20), "{error:?}");
}

#[test]
fn many_ids_are_refused() {
    let repository = Repository::new();
    repository.write(".gitattributes", "a ident\n");
    write(&repository, "a", &b"$Id$".repeat(1000), 25_000);
    commit(&repository);
    let error = zip(&repository).unwrap_err();
    assert!(matches!(&error, ArchiveError::Grows { path, .. } if path == "a"), "{error:?}");
}

#[test]
fn many_line_ends_are_refused() {
    let repository = Repository::new();
    repository.write(".gitattributes", "a text eol=crlf\n");
    write(&repository, "a", &b"\n".repeat(MIB), 129);
    commit(&repository);
    let error = zip(&repository).unwrap_err();
    assert!(matches!(&error, ArchiveError::Grows { path, .. } if path == "a"), "{error:?}");
}

#[test]
fn four_byte_characters_are_refused() {
    let repository = Repository::new();
    // Git itself checks the encoding of added files.
    write(&repository, "a", &b"x".repeat(MIB), 70);
    commit(&repository);
    repository.write(".gitattributes", "a working-tree-encoding=UTF-32\n");
    repository.git(&["add", ".gitattributes"]);
    repository.git(&["commit", "-q", "-m", "x"]);
    let error = zip(&repository).unwrap_err();
    assert!(matches!(&error, ArchiveError::Grows { path, .. } if path == "a"), "{error:?}");
}

#[test]
fn large_attributes_are_refused_unread() {
    let repository = Repository::new();
    write(&repository, ".gitattributes", &b"a -text\n".repeat(MIB / 8), 48);
    commit(&repository);
    let error = zip(&repository).unwrap_err();
    assert!(matches!(&error, ArchiveError::ControlFile { size, .. } if *size == 48 << 20), "{error:?}");
}

#[test]
fn attributes_in_one_another_are_refused() {
    let repository = Repository::new();
    let attributes = b"a text\n".repeat(MIB / 7);
    let folders: Vec<_> =
        (0..6).map(|depth| ("d/".repeat(depth) + ".gitattributes", "100644", attributes.clone())).collect();
    repository.import(&folders[..4]);
    zip(&repository).unwrap();
    repository.import(&folders);
    let error = zip(&repository).unwrap_err();
    assert!(matches!(&error, ArchiveError::ControlFiles { path, .. } if path == "d/d/d/d/.gitattributes"), "{error:?}");
}

#[test]
fn a_long_link_is_refused_unread() {
    let repository = Repository::new();
    for (length, fits) in [(64 << 10, true), ((64 << 10) + 1, false), (100 << 20, false)] {
        repository.import(&[("link".to_owned(), "120000", b"x".repeat(length))]);
        match zip(&repository) {
            Ok(summary) => assert!(fits && summary.stored == 1),
            Err(ArchiveError::LongLink { path, size, .. }) => assert!(!fits && path == "link" && size == length as u64),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn a_large_mailmap_is_refused_unread() {
    let repository = Repository::new();
    repository.write(".gitattributes", "a export-subst\n");
    repository.write("a", "$Format:%aN$");
    write(&repository, ".mailmap", &b"a <b> <c>\n".repeat(1000), 10_000);
    commit(&repository);
    let error = zip(&repository).unwrap_err();
    assert!(matches!(&error, ArchiveError::ControlFile { path, .. } if path == ".mailmap"), "{error:?}");
}

#[test]
fn largest_converted_file_fits_in_memory() {
    let repository = Repository::new();
    repository.write(".gitattributes", "a ident export-subst text=auto eol=crlf working-tree-encoding=Windows-1252\n");
    let piece = [&b"x".repeat(MIB - 1)[..], b"$"].concat();
    write(&repository, "a", &piece, 256);
    commit(&repository);
    assert_eq!(zip(&repository).unwrap().compressed, 2);
}
