//! Trees and files that are small in a pack and huge or endless when unpacked.

use std::sync::atomic::AtomicBool;

use archive::{ArchiveError, Options, write_zip};
use git_repository::names;
use gix::{
    ObjectId,
    objs::{
        Tree,
        tree::{Entry, EntryKind},
    },
};

use crate::repository::Repository;

/// Makes a tree of these the commit of `main`.
fn commit(repository: &Repository, tree: ObjectId) {
    let commit = repository.git(&["commit-tree", "-m", "x", &tree.to_string()]);
    repository.git(&["update-ref", "refs/heads/main", String::from_utf8(commit).unwrap().trim()]);
}

fn folder(name: String, oid: ObjectId) -> Entry {
    Entry { mode: EntryKind::Tree.into(), filename: name.into(), oid }
}

/// This many trees, each of which contains the previous one under all these names.
fn nested(repository: &Repository, depth: usize, names: &[String]) {
    let opened = gix::open_opts(repository.path(), gix::open::Options::isolated()).unwrap();
    let file =
        Entry { mode: EntryKind::Blob.into(), filename: "file".into(), oid: opened.write_blob("x").unwrap().detach() };
    let mut tree = opened.write_object(Tree { entries: vec![file] }).unwrap().detach();
    for _ in 0..depth {
        let entries = names.iter().map(|name| folder(name.clone(), tree)).collect();
        tree = opened.write_object(Tree { entries }).unwrap().detach();
    }
    commit(repository, tree);
}

fn refused(repository: &Repository) -> ArchiveError {
    let (opened, head) = repository.open();
    write_zip(&opened, head, &Options::default(), None, &AtomicBool::new(false), std::io::sink()).unwrap_err()
}

#[test]
fn ten_billion_repeated_files_are_refused() {
    let repository = Repository::new();
    let names: Vec<_> = (0..10).map(|number| number.to_string().repeat(6_000)).collect();
    nested(&repository, 10, &names);
    assert!(matches!(refused(&repository), ArchiveError::TooMany { .. }));
}

#[test]
fn tree_ten_thousand_deep_is_refused() {
    let repository = Repository::new();
    nested(&repository, 10_000, &["d".to_owned()]);
    assert!(matches!(refused(&repository), ArchiveError::Path { .. }));
}

#[test]
fn huge_file_is_copied_never_converted() {
    let repository = Repository::new();
    // 257 MiB of zeros, which compress to a quarter of one.
    let file = std::fs::File::create(repository.path().join("zeros.bin")).unwrap();
    file.set_len(257 << 20).unwrap();
    repository.git(&["-c", "core.compression=1", "add", "zeros.bin"]);
    repository.git(&["commit", "-q", "-m", "x"]);
    repository.repack(&["--depth=0"]);
    let (opened, head) = repository.open();
    let summary =
        write_zip(&opened, head, &Options::default(), None, &AtomicBool::new(false), std::io::sink()).unwrap();
    assert_eq!((summary.copied, summary.compressed), (1, 0));
    assert!(summary.bytes < 3 << 20, "{}", summary.bytes);

    repository.write(".gitattributes", "*.bin text eol=crlf\n");
    repository.git(&["add", ".gitattributes"]);
    repository.git(&["commit", "-q", "-m", "x"]);
    let error = refused(&repository);
    assert!(matches!(&error, ArchiveError::TooLarge { path, .. } if path == "zeros.bin"), "{error:?}");
}

#[test]
fn pattern_with_many_double_stars_matches() {
    let repository = Repository::new();
    let deep = "a/".repeat(100);
    let file = |path: String, content: &[u8]| (path, "100644", content.to_vec());
    repository.import(&[
        file(".gitattributes".into(), ("**/a/".repeat(32) + "b export-ignore\n").as_bytes()),
        file(format!("{deep}b"), b"left out"),
        file(format!("{deep}c"), b"kept"),
    ]);
    let (zip, _) = repository.zip().unwrap();
    let names = names(&zip);
    assert!(names.contains(&format!("{deep}c")) && !names.contains(&format!("{deep}b")), "{names:?}");
}
