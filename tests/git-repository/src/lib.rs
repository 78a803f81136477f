//! A repository that real git makes for a test, and what a zip holds: the tree that git's own zip
//! is compared in.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    reason = "what fails here fails a test"
)]

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// A path's mode (kind and executable bit) and content.
pub type Tree = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

/// A repository that only this test knows.
#[derive(Debug)]
pub struct Repository(TempDir);

impl Repository {
    /// An empty one, in a folder that goes with it.
    pub fn init() -> Self {
        let repository = Self(TempDir::new().unwrap());
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    /// Its work tree.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// What git writes, in a world without configuration and with one time.
    pub fn git(&self, arguments: &[&str]) -> Vec<u8> {
        self.git_with(arguments, &[])
    }

    /// The same with something to read.
    pub fn git_with(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
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

    /// Writes a file of the work tree, with the folders that it is in.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Commits the work tree as it is.
    pub fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "subject\n\nbody"]);
    }

    /// Commits these files without a work tree, as fast as git can.
    pub fn import(&self, files: &[(String, &str, Vec<u8>)]) {
        let mut stream = b"commit refs/heads/main\ncommitter C <c@example.com> 1700000000 +0000\ndata 1\nx\n".to_vec();
        for (path, mode, content) in files {
            stream.extend(format!("M {mode} inline {path}\ndata {}\n", content.len()).bytes());
            stream.extend(content);
            stream.push(b'\n');
        }
        self.git_with(&["fast-import", "--quiet", "--force"], &stream);
    }

    /// The pack that `git repack` with these options makes of everything.
    pub fn repack(&self, options: &[&str]) -> PathBuf {
        self.git(&[&["repack", "-adfq"], options].concat());
        let files = std::fs::read_dir(self.path().join(".git/objects/pack")).unwrap();
        let mut packs: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        packs.retain(|path| path.extension().is_some_and(|extension| extension == "pack"));
        assert_eq!(packs.len(), 1);
        packs.remove(0)
    }
}

/// Compares two trees. Of a path at which they differ, only the beginning is shown.
pub fn check_same(ours: &Tree, expected: &Tree) {
    assert!(ours.keys().eq(expected.keys()));
    for (path, (mode, content)) in expected {
        let (path, ours) = (String::from_utf8_lossy(path), &ours[path]);
        let shown = |content: &[u8]| String::from_utf8_lossy(&content[..content.len().min(300)]).into_owned();
        assert!(ours == &(*mode, content.clone()), "{path}: {:?}, expected {:?}", shown(&ours.1), shown(content));
    }
}

/// The paths in a zip, in its own order.
pub fn names(zip: &[u8]) -> Vec<String> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let count = zip.len();
    let name = |index| String::from_utf8_lossy(zip.by_index_raw(index).unwrap().name_raw()).into_owned();
    (0..count).map(name).collect()
}

/// What a zip holds, as the zip crate reads it. git leaves the mode out where it is that of a plain
/// file or a folder.
pub fn tree(zip: &[u8]) -> Tree {
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
pub fn text(seed: usize, bytes: usize) -> Vec<u8> {
    let lines =
        (0..).map(|line: usize| format!("let value_{} = compute({});\n", line * 7 + seed, (line * seed) % 9973));
    lines.flat_map(String::into_bytes).take(bytes).collect()
}
