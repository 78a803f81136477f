//! Modes, names, links, submodules, sizes: the zip contains what the tree contains.

use std::{
    collections::BTreeMap,
    os::unix::{ffi::OsStringExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use archive::ArchiveError;
use git_repository::{text, tree};
use proptest::prelude::*;

use crate::repository::Repository;

#[test]
fn attack_03_links_stay_links() {
    let repository = Repository::new();
    repository.write("plain.txt", "plain\n");
    repository.write("empty", "");
    repository.write("run.sh", "#!/bin/sh\n");
    repository.write("a folder/with 'quotes' \"and\" spaces", "x");
    repository.write("grüße/日本語.txt", "utf-8");
    repository.write(".github/workflows/ci.yml", "on: push\n");
    repository.write(".gitignore", "target\n");
    repository.write("a/b/c/d/e/f/g/deep", "deep");
    repository.write(
        "incompressible",
        (0..200u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<_>>(),
    );
    std::os::unix::fs::symlink("/etc/passwd", repository.path().join("link")).unwrap();
    std::os::unix::fs::symlink("../nowhere", repository.path().join("a/dangling")).unwrap();
    std::os::unix::fs::symlink("a", repository.path().join("folder-link")).unwrap();
    repository.git(&["add", "-A"]);
    repository.git(&["update-index", "--chmod=+x", "run.sh"]);
    repository.git(&["commit", "-q", "-m", "x"]);
    repository.check();
    repository.git(&["gc", "-q"]);
    repository.check();
}

/// Everything below a folder of a file system: modes, link targets, contents.
fn on_disk(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(current) = pending.pop() {
        for entry in std::fs::read_dir(current).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let content = if metadata.is_symlink() {
                std::fs::read_link(&path).unwrap().into_os_string().into_vec()
            } else if metadata.is_dir() {
                pending.push(path.clone());
                Vec::new()
            } else {
                std::fs::read(&path).unwrap()
            };
            // Modes in git's tar depend on its umask, except for the owner's part.
            let mode = metadata.mode() & 0o170_700;
            found.insert(path.strip_prefix(folder).unwrap().to_owned(), (mode, content));
        }
    }
    found
}

#[test]
fn unzip_matches_tar_of_git_archive() {
    let repository = Repository::new();
    repository.import(
        &[
            ("plain".into(), "100644", b"plain".to_vec()),
            ("empty".into(), "100644", Vec::new()),
            ("bin/run".into(), "100755", text(1, 9000)),
            ("bin/link".into(), "120000", b"run".to_vec()),
            ("dangling".into(), "120000", b"../../nowhere".to_vec()),
            ("a b/'q' \"d\"".into(), "100644", b"names".to_vec()),
            ("gr\u{fc}\u{df}e/\u{65e5}\u{672c}".into(), "100644", b"utf-8".to_vec()),
            ("unit\\x2dname".into(), "100644", b"backslash".to_vec()),
        ]
        .map(|(path, mode, content): (String, _, _)| (quoted(&path), mode, content)),
    );
    repository.check();
    repository.repack(&[]);
    let folder = tempfile::TempDir::new().unwrap();
    let (ours, gits) = (folder.path().join("ours"), folder.path().join("gits"));
    std::fs::create_dir(&ours).unwrap();
    std::fs::create_dir(&gits).unwrap();
    let (zip, summary) = repository.zip().unwrap();
    assert_eq!((summary.copied, summary.compressed, summary.stored), (5, 0, 3));
    let file = folder.path().join("zip");
    std::fs::write(&file, zip).unwrap();
    for arguments in [["-tq", "-d"], ["-q", "-d"]] {
        let output =
            Command::new("unzip").env("LC_ALL", "C.UTF-8").args(arguments).arg(&ours).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut tar = tar::Archive::new(std::io::Cursor::new(repository.git(&["archive", "--format=tar", "HEAD"])));
    tar.unpack(&gits).unwrap();
    let gits = on_disk(&gits);
    assert_eq!(gits.len(), 11);
    assert_eq!(on_disk(&ours), gits);
}

/// A path in fast-import's syntax.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

#[test]
fn non_utf8_names_are_kept() {
    let repository = Repository::new();
    repository
        .import(&[(r#""a\377b""#.into(), "100644", b"x".to_vec()), ("gr\u{fc}n".into(), "100644", b"x".to_vec())]);
    repository.check();
    let (zip, _) = repository.zip().unwrap();
    assert!(tree(&zip).contains_key(b"a\xffb".as_slice()));
}

/// Names that only some file systems refuse are the unpacker's concern: our zip contains them, like
/// that of git archive.
#[test]
fn unusual_file_names_are_kept() {
    let repository = Repository::new();
    let long = "n".repeat(4096);
    let names = [
        "a",
        "A",
        "\u{e4}",
        "a\u{308}",
        "NUL",
        "con.txt",
        "C:",
        "C:\u{2215}x",
        "a?*|<>b",
        "dot.",
        "space ",
        " ",
        "-rf",
        "~",
        "$(id)",
        "unit\\x2dname",
        "tab\there",
        "bell\u{7}",
        "escape\u{1b}[31m",
        "delete\u{7f}",
        "line\nfeed",
        "right\u{202e}left",
        &long,
    ];
    let escaped = |name: &str| quoted(name).replace('\n', "\\n").replace('\t', "\\t");
    let files: Vec<_> = names.iter().map(|name| (escaped(name), "100644", name.as_bytes().to_vec())).collect();
    repository.import(&files);
    assert_eq!(repository.check().entries, names.len() as u64);
}

#[test]
fn blobs_in_many_packs_are_found() {
    let repository = Repository::new();
    for round in 0..4 {
        repository.write(&format!("file{round}"), text(round, 3000));
        repository.commit();
        repository.git(&["repack", "-dq"]);
    }
    repository.write("loose", text(9, 3000));
    repository.commit();
    let summary = repository.check();
    assert_eq!((summary.copied, summary.compressed), (4, 1));
}

#[test]
fn tree_five_hundred_deep_is_zipped() {
    let repository = Repository::new();
    repository.import(&[(format!("{}file", "d/".repeat(500)), "100644", b"x".to_vec())]);
    assert_eq!(repository.check().entries, 501);
}

#[test]
fn a_submodule_is_an_empty_folder() {
    let repository = Repository::new();
    repository.write("file", "x");
    repository.commit();
    let head = String::from_utf8(repository.git(&["rev-parse", "HEAD"])).unwrap();
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{},module", head.trim())]);
    repository.git(&["commit", "-q", "-m", "module"]);
    repository.check();
}

#[test]
fn empty_tree_gives_empty_zip() {
    let repository = Repository::new();
    repository.commit();
    assert_eq!(repository.check().entries, 0);
}

#[test]
fn deltas_are_resolved() {
    let repository = Repository::new();
    let files = |round: usize| -> Vec<_> {
        let content = |n: usize| [text(n, 20_000), format!("{round}").into_bytes()].concat();
        (0..40).map(|n| (format!("src/{n}.rs"), "100644", content(n % 4))).collect()
    };
    for round in 0..5 {
        repository.import(&files(round));
    }
    repository.git(&["repack", "-adfq", "--depth=50"]);
    repository.check();
}

#[test]
fn fetched_tree_is_copied_without_recompression() {
    let repository = Repository::new();
    let path = |n: usize| format!("folder{}/sub{}/file{n}.c", n % 31, n % 7);
    let files: Vec<_> = (0..4847).map(|n| (path(n), "100644", text(n * 31 + 7, 200 + n * 37 % 12_000))).collect();
    repository.import(&files);
    repository.git(&["repack", "-adfq", "--depth=0", "--window=0"]);
    let summary = repository.check();
    assert_eq!((summary.copied, summary.compressed), (4847, 0));
}

#[test]
fn seventy_thousand_entries_need_zip64() {
    let repository = Repository::new();
    let files: Vec<_> = (0..70_000).map(|n| (format!("{}/{n}", n % 100), "100644", b"x".to_vec())).collect();
    repository.import(&files);
    assert_eq!(repository.check().entries, 70_100);
}

#[test]
fn python_reads_zip_and_commit_comment() {
    let repository = Repository::new();
    repository.write("a/file", text(1, 5000));
    std::os::unix::fs::symlink("file", repository.path().join("a/link")).unwrap();
    repository.commit();
    let (zip, _) = repository.zip().unwrap();
    let file = repository.path().join(".git/out.zip");
    std::fs::write(&file, &zip).unwrap();
    let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; \
                  print(z.comment.decode()); print(z.getinfo('a/file').date_time)";
    let output = Command::new("python3").args(["-c", script]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let head = String::from_utf8(repository.git(&["rev-parse", "HEAD"])).unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{head}(2023, 11, 14, 22, 13, 22)\n"));
}

#[test]
fn names_that_escape_are_refused() {
    let long = "x".repeat(70_000);
    for name in [
        "..",
        ".",
        ".git",
        ".GIT",
        "git~1",
        ".git ",
        ".git.",
        ".git::$INDEX_ALLOCATION",
        ".g\u{200c}it",
        "\\x",
        "a\\..\\x",
        "a\\.git",
        &long,
    ] {
        let repository = Repository::new();
        let blob = repository.git_with(&["hash-object", "-w", "--stdin"], b"x");
        let blob = String::from_utf8(blob).unwrap();
        let entry = format!("100644 blob {}\t{name}\0", blob.trim());
        let tree = repository.git_with(&["mktree", "-z"], entry.as_bytes());
        let commit = repository.git(&["commit-tree", "-m", "x", String::from_utf8(tree).unwrap().trim()]);
        repository.git(&["update-ref", "refs/heads/main", String::from_utf8(commit).unwrap().trim()]);
        assert!(matches!(repository.zip(), Err(ArchiveError::Path { .. })), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]
    #[test]
    fn any_tree_equals_git_archives(
        files in prop::collection::btree_map("[a-c]{1,2}(/[a-cä ]{1,3}){0,3}", (0..3usize, 0..400usize), 1..12),
        packed: bool,
    ) {
        let repository = Repository::new();
        let folder = |path: &String| files.keys().any(|other| other.starts_with(&format!("{path}/")));
        let modes = ["100644", "100755", "120000"];
        let files: Vec<_> = files.iter().filter(|(path, _)| !folder(path))
            .filter(|(path, _)| path.split('/').all(|part| !part.starts_with(' ')))
            .map(|(path, (mode, size))| (format!("\"{path}\""), modes[*mode], text(*size, size + 1))).collect();
        prop_assume!(!files.is_empty());
        repository.import(&files);
        if packed {
            repository.git(&["repack", "-adfq"]);
        }
        repository.check();
    }
}
