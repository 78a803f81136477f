//! A repository made by real git, with our zip and git's.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::AtomicBool,
};

use archive::{
    ArchiveError, LargeFiles, Options, Summary,
    provider::{ProviderZip, TopFolder, copy_zip},
    write_zip,
};
use tempfile::TempDir;

/// A path's mode (type and executable bit) and content.
pub(crate) type Tree = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

/// A repository for one test.
pub(crate) struct Repository(TempDir);

impl Repository {
    pub(crate) fn new() -> Self {
        let repository = Self(TempDir::new().unwrap());
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> Vec<u8> {
        self.git_with(arguments, &[])
    }

    pub(crate) fn git_with(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
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

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "subject\n\nbody"]);
    }

    /// Commits these files without a work tree, as fast as git can.
    pub(crate) fn import(&self, files: &[(String, &str, Vec<u8>)]) {
        let mut stream = b"commit refs/heads/main\ncommitter C <c@example.com> 1700000000 +0000\ndata 1\nx\n".to_vec();
        for (path, mode, content) in files {
            stream.extend(format!("M {mode} inline {path}\ndata {}\n", content.len()).bytes());
            stream.extend(content);
            stream.push(b'\n');
        }
        self.git_with(&["fast-import", "--quiet", "--force"], &stream);
    }

    pub(crate) fn zip(&self) -> Result<(Vec<u8>, Summary), ArchiveError> {
        self.zip_with(&Options::default())
    }

    pub(crate) fn zip_with(&self, options: &Options) -> Result<(Vec<u8>, Summary), ArchiveError> {
        self.zip_with_large(options, None)
    }

    pub(crate) fn zip_with_large(
        &self,
        options: &Options,
        large: Option<&mut dyn LargeFiles>,
    ) -> Result<(Vec<u8>, Summary), ArchiveError> {
        let (repository, head) = self.open();
        let mut zip = Vec::new();
        let summary = write_zip(&repository, head, options, large, &AtomicBool::new(false), &mut zip)?;
        Ok((zip, summary))
    }

    /// The repository and its `HEAD`.
    pub(crate) fn open(&self) -> (gix::Repository, gix::ObjectId) {
        let repository = gix::open_opts(self.path(), gix::open::Options::isolated()).unwrap();
        // Not resolved further: the commit may be damaged.
        let head = repository.head().unwrap().id().unwrap().detach();
        (repository, head)
    }

    /// The pack that `git repack` with these options creates.
    pub(crate) fn repack(&self, options: &[&str]) -> PathBuf {
        self.git(&[&["repack", "-adfq"], options].concat());
        let files = std::fs::read_dir(self.path().join(".git/objects/pack")).unwrap();
        let mut packs: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        packs.retain(|path| path.extension().is_some_and(|extension| extension == "pack"));
        assert_eq!(packs.len(), 1);
        packs.remove(0)
    }

    /// Compares our zip with git's, and returns the statistics.
    pub(crate) fn check(&self) -> Summary {
        let (ours, summary) = self.zip().unwrap();
        let gits = self.git(&["archive", "--format=zip", "HEAD"]);
        assert_eq!(ours.len() as u64, summary.bytes);
        let (our_tree, git_tree) = (tree(&ours), tree(&gits));
        assert_eq!(names(&ours), names(&gits));
        check_same(&our_tree, &git_tree);
        let folders = git_tree.values().filter(|(mode, _)| *mode == 0o040_000).count() as u64;
        assert_eq!(summary.entries, git_tree.len() as u64);
        assert_eq!(summary.entries, folders + summary.copied + summary.compressed + summary.stored);
        assert_eq!(tree(&self.provided()), git_tree);
        summary
    }

    /// Converts the zip that a provider would create.
    fn provided(&self) -> Vec<u8> {
        let zip = self.git(&["archive", "--format=zip", "--prefix=owner-name-1a2b3c4/", "HEAD"]);
        let head = String::from_utf8(self.git(&["rev-parse", "HEAD"])).unwrap().trim().parse().unwrap();
        let expected = ProviderZip { top_folder: TopFolder::Always, commit: Some(&head), max_bytes: 1 << 40 };
        let mut ours = Vec::new();
        let summary = copy_zip(&zip[..], &expected, &mut ours).unwrap();
        assert_eq!((summary.commit.as_ref(), summary.received), (Some(&head), zip.len() as u64));
        ours
    }
}

/// The repository in a bundle of this folder.
pub(crate) fn bundle(name: &str) -> Repository {
    let repository = Repository::new();
    let path = format!("{}/tests/git_archive/bundles/{name}", env!("CARGO_MANIFEST_DIR"));
    repository.git(&["fetch", "-q", "-u", &path, "main:main"]);
    repository
}

/// Compares two trees. Shows only the start of different content.
pub(crate) fn check_same(ours: &Tree, expected: &Tree) {
    assert!(ours.keys().eq(expected.keys()));
    for (path, (mode, content)) in expected {
        let (path, ours) = (String::from_utf8_lossy(path), &ours[path]);
        let shown = |content: &[u8]| String::from_utf8_lossy(&content[..content.len().min(300)]).into_owned();
        assert!(ours == &(*mode, content.clone()), "{path}: {:?}, expected {:?}", shown(&ours.1), shown(content));
    }
}

/// The paths in a zip, in order.
pub(crate) fn names(zip: &[u8]) -> Vec<String> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let count = zip.len();
    let name = |index| String::from_utf8_lossy(zip.by_index_raw(index).unwrap().name_raw()).into_owned();
    (0..count).map(name).collect()
}

/// The content of a zip, read by the zip crate. git omits the mode of plain files and folders.
pub(crate) fn tree(zip: &[u8]) -> Tree {
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

/// About as compressible as source code.
pub(crate) fn text(seed: usize, bytes: usize) -> Vec<u8> {
    let lines =
        (0..).map(|line: usize| format!("let value_{} = compute({});\n", line * 7 + seed, (line * seed) % 9973));
    lines.flat_map(String::into_bytes).take(bytes).collect()
}
