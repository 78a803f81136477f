//! The zip against the real thing: its tree has to equal what `git archive` gives of the same commit, as independent
//! readers see it.
#![allow(clippy::unwrap_used, reason = "a test that can't set up its repository has failed")]

use std::{
    collections::BTreeMap,
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

use archive::{ArchiveError, Summary, write_zip};
use proptest::prelude::*;
use tempfile::TempDir;

/// A path's mode (kind and executable bit) and content.
type Tree = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

/// A repository that only this test knows.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(TempDir::new().unwrap());
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn git(&self, arguments: &[&str]) -> Vec<u8> {
        self.git_with(arguments, &[])
    }

    fn git_with(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("git");
        command.current_dir(self.path()).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        for (name, value) in [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_AUTHOR_NAME", "A U Thor"),
            ("GIT_AUTHOR_EMAIL", "author@example.com"),
            ("GIT_AUTHOR_DATE", "1700000001 +0100"),
            ("GIT_COMMITTER_NAME", "C O Mitter"),
            ("GIT_COMMITTER_EMAIL", "committer@example.com"),
            ("GIT_COMMITTER_DATE", "1700000003 -0230"),
            ("TZ", "UTC"),
        ] {
            command.env(name, value);
        }
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || std::io::Write::write_all(&mut stdin, input).unwrap());
            child.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "git {arguments:?}");
        output.stdout
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "subject\n\nbody"]);
    }

    /// Commits these files without a work tree, as fast as git can.
    fn import(&self, files: &[(String, &str, Vec<u8>)]) {
        let mut stream = b"commit refs/heads/main\ncommitter C <c@example.com> 1700000000 +0000\ndata 1\nx\n".to_vec();
        for (path, mode, content) in files {
            stream.extend(format!("M {mode} inline {path}\ndata {}\n", content.len()).bytes());
            stream.extend(content);
            stream.push(b'\n');
        }
        self.git_with(&["fast-import", "--quiet", "--force"], &stream);
    }

    fn zip(&self) -> Result<(Vec<u8>, Summary), ArchiveError> {
        let repository = gix::open_opts(self.path(), gix::open::Options::isolated()).unwrap();
        let mut zip = Vec::new();
        let summary = write_zip(&repository, repository.head_id().unwrap().detach(), &mut zip)?;
        Ok((zip, summary))
    }

    /// Compares our zip with git's, and gives what was written.
    fn check(&self) -> Summary {
        let (ours, summary) = self.zip().unwrap();
        let gits = self.git(&["archive", "--format=zip", "HEAD"]);
        assert_eq!(ours.len() as u64, summary.bytes);
        let (our_tree, git_tree) = (tree(&ours), tree(&gits));
        assert_eq!(our_tree.keys().collect::<Vec<_>>(), git_tree.keys().collect::<Vec<_>>());
        for (path, entry) in &git_tree {
            assert_eq!(our_tree[path], *entry, "{}", String::from_utf8_lossy(path));
        }
        assert_eq!(summary.entries, git_tree.len() as u64);
        summary
    }
}

/// What a zip holds, as the zip crate reads it. git leaves the mode out where it is that of a plain file or a folder.
fn tree(zip: &[u8]) -> Tree {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let entries = (0..zip.len()).map(|index| {
        let mut entry = zip.by_index(index).unwrap();
        let mode = entry.unix_mode().unwrap_or(0o100_644);
        let mode = match mode & 0o170_000 {
            0o120_000 => 0o120_000,
            _ if entry.is_dir() => 0o040_000,
            _ => 0o100_000 | mode & 0o100,
        };
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.name_raw().to_vec(), (mode, content))
    });
    entries.collect()
}

/// About as compressible as source code is.
fn text(seed: usize, bytes: usize) -> Vec<u8> {
    let lines =
        (0..).map(|line: usize| format!("let value_{} = compute({});\n", line * 7 + seed, (line * seed) % 9973));
    lines.flat_map(String::into_bytes).take(bytes).collect()
}

#[test]
fn modes_links_names_and_empty_files() {
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

#[test]
fn attributes_are_applied() {
    let repository = Repository::new();
    repository.write(
        ".gitattributes",
        "*.bat text eol=crlf\n*.sh text eol=lf\n*.id ident\nsecret export-ignore\ndocs export-ignore\n\
         *.latin text working-tree-encoding=ISO-8859-1\n*.auto text=auto\n*.filtered filter=evil\nsub/*.keep -export-ignore\n",
    );
    repository.write("run.bat", "one\ntwo\n");
    repository.write("run.sh", "one\ntwo\n");
    repository.write("version.id", "$Id$\n");
    repository.write("secret", "left out");
    repository.write("docs/guide.md", "left out");
    repository.write("green.latin", b"gr\xfcn\n");
    repository.write("x.auto", "a\nb\n");
    repository.write("x.filtered", "unchanged\n");
    repository.write("sub/.gitattributes", "*.txt export-ignore\n");
    repository.write("sub/a.txt", "left out");
    repository.write("sub/a.keep", "kept");
    repository.commit();
    repository.check();
    repository.git(&["gc", "-q"]);
    let (zip, _) = repository.zip().unwrap();
    repository.check();
    assert!(!tree(&zip).contains_key(b"docs/".as_slice()));
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
fn an_empty_tree_is_an_empty_zip() {
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
fn a_fetched_tree_of_git_gits_size_is_copied_and_not_compressed_again() {
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
fn unzip_agrees_and_the_comment_is_the_commit() {
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
    for name in ["..", ".", ".git", ".GIT", "git~1"] {
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

#[test]
fn damaged_data_is_noticed() {
    let repository = Repository::new();
    repository.write("file", text(3, 50_000));
    repository.commit();
    repository.git(&["repack", "-adq", "--depth=0"]);
    let packs = std::fs::read_dir(repository.path().join(".git/objects/pack")).unwrap();
    let pack =
        packs.map(|file| file.unwrap().path()).find(|path| path.extension().is_some_and(|e| e == "pack")).unwrap();
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::remove_file(&pack).unwrap();
    std::fs::write(&pack, bytes).unwrap();
    assert!(matches!(repository.zip(), Err(ArchiveError::Damaged { .. } | ArchiveError::Object { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]
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
