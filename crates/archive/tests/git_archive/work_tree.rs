//! A zip with a `.git` folder, unpacked by unzip and checked by git, and one with only some of the
//! files.

use std::{path::Path, process::Command};

use archive::{DotGit, Options};
use git_repository::{text, tree};
use tempfile::TempDir;

use crate::repository::Repository;

pub(crate) fn git(dir: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(dir).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let out = git.output().unwrap();
    let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).trim().to_owned();
    assert!(out.status.success(), "git {arguments:?}: {said}");
    said
}

fn options(branch: Option<&str>, paths: &str) -> Options {
    let url = "ssh://git@git.example:7999/octo/hel\"lo.git".to_owned();
    Options {
        paths: paths.parse().unwrap(),
        dot_git: Some(DotGit { branch: branch.map(str::to_owned), url }),
        ..Options::default()
    }
}

/// Unpacks the zip of `HEAD`, and checks that git considers it a clean work tree of that commit.
fn unpacked(repository: &Repository, options: &Options) -> TempDir {
    let (zip, summary) = repository.zip_with(options).unwrap();
    assert_eq!(summary.entries, tree(&zip).len() as u64);
    assert_eq!(zip, repository.zip_with(options).unwrap().0, "another time, another zip");
    let folder = TempDir::new().unwrap();
    let file = folder.path().with_extension("zip");
    std::fs::write(&file, zip).unwrap();
    let out = Command::new("unzip").arg("-qq").arg(&file).arg("-d").arg(folder.path()).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let head = String::from_utf8(repository.git(&["rev-parse", "HEAD"])).unwrap();
    assert_eq!(git(folder.path(), &["status", "--porcelain", "--ignored"]), "");
    assert_eq!(git(folder.path(), &["log", "--format=%H", "-1"]), head.trim());
    assert_eq!(git(folder.path(), &["rev-list", "--count", "HEAD"]), "1");
    assert_eq!(git(folder.path(), &["fsck", "--full", "--strict"]), "");
    assert_eq!(git(folder.path(), &["remote", "get-url", "origin"]), "ssh://git@git.example:7999/octo/hel\"lo.git");
    folder
}

/// Two commits with everything that a tree may contain. The older one has something that the newer
/// one must not reveal.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.write("secret", "of an older commit");
    repository.commit();
    std::fs::remove_file(repository.path().join("secret")).unwrap();
    repository.write("a.txt", text(1, 5000));
    repository.write("src/deep/b.rs", text(2, 3000));
    repository.write("src/c.md", "c\n");
    repository.write("empty", "");
    repository.write("notes/internal", "left out of archives\n");
    repository.write("dos.txt", "one\ntwo\n");
    repository.write("version", "$Format:%H$\n");
    repository.write(".gitattributes", "notes export-ignore\ndos.txt eol=crlf\nversion export-subst\n");
    repository.write("run.sh", "#!/bin/sh\n");
    std::os::unix::fs::symlink("src/c.md", repository.path().join("link")).unwrap();
    repository.git(&["add", "-A"]);
    repository.git(&["update-index", "--chmod=+x", "run.sh"]);
    repository.git(&["commit", "-q", "-m", "x"]);
    repository
}

#[test]
fn unpacked_work_tree_is_clean_clone() {
    let repository = repository();
    for packed in [false, true] {
        if packed {
            repository.git(&["gc", "-q"]);
        }
        let folder = unpacked(&repository, &options(Some("refs/heads/release/1"), ""));
        assert_eq!(git(folder.path(), &["symbolic-ref", "HEAD"]), "refs/heads/release/1");
        assert_eq!(std::fs::read(folder.path().join("dos.txt")).unwrap(), b"one\r\ntwo\r\n");
        assert_eq!(std::fs::read(folder.path().join("version")).unwrap(), b"$Format:%H$\n");
        assert!(folder.path().join("notes/internal").exists());
    }
}

#[test]
fn checkout_without_branch_is_detached() {
    let folder = unpacked(&repository(), &options(None, ""));
    assert_eq!(git(folder.path(), &["rev-parse", "--abbrev-ref", "HEAD"]), "HEAD");
}

#[test]
fn git_folder_holds_only_its_commit() {
    let repository = repository();
    let folder = unpacked(&repository, &options(Some("refs/heads/main"), ""));
    let objects = git(folder.path(), &["cat-file", "--batch-check", "--batch-all-objects"]);
    let older = String::from_utf8(repository.git(&["rev-parse", "HEAD~1:secret"])).unwrap();
    assert!(!objects.contains(older.trim()));
    let mut files: Vec<_> =
        std::fs::read_dir(folder.path().join(".git")).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["HEAD", "config", "index", "objects", "refs", "shallow"]);
}

#[test]
fn excluded_paths_do_not_look_deleted() {
    let folder = unpacked(&repository(), &options(Some("refs/heads/main"), "src, *.txt, !src/deep"));
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, [".git", "a.txt", "dos.txt", "src"]);
    assert!(folder.path().join("src/c.md").exists() && !folder.path().join("src/deep").exists());
}

#[test]
fn paths_limit_what_an_archive_holds() {
    let repository = repository();
    let names = |paths: &str| {
        let options = Options { paths: paths.parse().unwrap(), ..Options::default() };
        let (zip, _) = repository.zip_with(&options).unwrap();
        tree(&zip).into_keys().map(|name| String::from_utf8(name).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(names("src/deep"), ["src/", "src/deep/", "src/deep/b.rs"]);
    assert_eq!(names("**/*.md"), ["src/", "src/c.md"]);
    assert_eq!(names("notes"), Vec::<String>::new());
    assert!(names("").contains(&"a.txt".to_owned()));
}

#[test]
fn converted_checkout_is_clean() {
    let repository = Repository::new();
    repository.write("auto.txt", "one\ntwo\n");
    repository.write("utf16.txt", b"\xff\xfea\0\n\0".as_slice());
    repository.write("version.c", "/* $Id$ */\n");
    repository.write("pointer", "version https://git-lfs.github.com/spec/v1\n");
    repository.write("sub/empty", "");
    repository.write(
        ".gitattributes",
        "*.txt text=auto eol=crlf\nutf16.txt text working-tree-encoding=UTF-16LE-BOM\n*.c ident\npointer filter=lfs -text\n",
    );
    repository.git(&["add", "-A"]);
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{},module", "1".repeat(40))]);
    repository.git(&["commit", "-q", "-m", "x"]);
    let folder = unpacked(&repository, &options(Some("refs/heads/main"), ""));
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("auto.txt"), b"one\r\ntwo\r\n");
    assert_eq!(read("utf16.txt"), b"\xff\xfea\0\r\0\n\0");
    let blob = String::from_utf8(repository.git(&["rev-parse", "HEAD:version.c"])).unwrap();
    assert_eq!(read("version.c"), format!("/* $Id: {} $ */\n", blob.trim()).as_bytes());
    assert!(std::fs::read_dir(folder.path().join("module")).unwrap().next().is_none());
}

/// A file of which a pack has one version whole and the other as a delta, with their IDs.
fn versions() -> (Repository, [String; 2]) {
    let repository = Repository::new();
    let ids = [text(1, 60_000), [text(1, 60_000), text(2, 100)].concat()].map(|version| {
        repository.write("large.txt", version);
        repository.commit();
        String::from_utf8(repository.git(&["rev-parse", "HEAD:large.txt"])).unwrap().trim().to_owned()
    });
    repository.git(&["repack", "-q", "-a", "-d", "-f"]);
    (repository, ids)
}

#[test]
fn whole_objects_are_copied_deltas_resolved() {
    let (repository, ids) = versions();
    let mut packed_as = Vec::new();
    for (back, id) in [1, 0].into_iter().zip(ids) {
        let commit = format!("HEAD~{back}");
        repository.git(&["checkout", "-q", &commit]);
        let folder = unpacked(&repository, &options(None, ""));
        let shape = |dir: &Path| {
            let format = "--batch-check=%(objectname) %(objectsize:disk) %(deltabase)";
            let all = git(dir, &["cat-file", format, "--batch-all-objects"]);
            all.lines().find(|line| line.starts_with(&id)).unwrap().to_owned()
        };
        let (here, there) = (shape(repository.path()), shape(folder.path()));
        assert!(there.ends_with(&"0".repeat(40)), "{there}");
        let is_whole = here.ends_with(&"0".repeat(40));
        assert!(!is_whole || here == there, "{here} became {there}");
        packed_as.push(is_whole);
        repository.git(&["checkout", "-q", "main"]);
    }
    packed_as.sort_unstable();
    assert_eq!(packed_as, [false, true]);
}

#[test]
fn a_damaged_pack_gives_no_clone() {
    let (repository, _) = versions();
    let packs = repository.path().join(".git/objects/pack");
    let pack = std::fs::read_dir(packs).unwrap().map(|file| file.unwrap().path());
    let pack = pack.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "pack")).unwrap();
    let whole = std::fs::read(&pack).unwrap();
    std::fs::remove_file(&pack).unwrap();
    let mut refused = 0;
    for at in (whole.len() / 4..whole.len() - 20).step_by(whole.len() / 16) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&pack, damaged).unwrap();
        // Besides the tree's files, there are only files that no archive contains.
        refused += usize::from(repository.zip_with(&options(Some("refs/heads/main"), "nothing")).is_err());
    }
    assert!(refused >= 8, "{refused}");
}
