//! An interrupted zip ends soon and frees its thread.

use std::{
    error::Error,
    io::{self, Read, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use archive::{ArchiveError, DotGit, LargeFile, LargeFiles, Options, write_pack, write_zip};
use git_repository::text;

use crate::repository::Repository;

/// Sets the interrupt flag after this many bytes, and counts what follows.
struct Enough<'a> {
    flag: &'a AtomicBool,
    wanted: usize,
    after: usize,
}

impl Write for Enough<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.flag.load(Ordering::Relaxed) {
            self.after += bytes.len();
        }
        self.wanted = self.wanted.saturating_sub(bytes.len());
        self.flag.store(self.wanted == 0, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file of a megabyte that doesn't compress, small ones in folders, and a converted one.
fn repository() -> Repository {
    let repository = Repository::new();
    let mut number = 1_u32;
    let random = std::iter::repeat_with(|| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        number.to_be_bytes()[0]
    });
    repository.write("large", random.take(1 << 20).collect::<Vec<_>>());
    for n in 0..100 {
        repository.write(&format!("folder{}/{n}", n % 10), text(n, 3000));
    }
    repository.write("z/.gitattributes", "* ident text eol=crlf\n");
    repository.write("z/converted", text(7, 10_000));
    repository.commit();
    repository
}

/// Interrupts `write` at many positions: it always ends soon.
fn check(repository: &Repository, write: impl Fn(&AtomicBool, &mut dyn Write) -> Result<(), ArchiveError>) {
    let (mut bytes, mut interrupted) = (Vec::new(), 0);
    write(&AtomicBool::new(false), &mut bytes).unwrap();
    for part in 0..20 {
        let flag = AtomicBool::new(part == 0);
        let mut out = Enough { flag: &flag, wanted: 1 + part * bytes.len() / 20, after: 0 };
        match write(&flag, &mut out) {
            Err(ArchiveError::Interrupted) => interrupted += 1,
            // Only the directory remained to be written.
            other => assert!(other.is_ok() && part > 10, "{part}: {other:?} in {}", repository.path().display()),
        }
        assert!(out.after < 70_000, "{} bytes after {part}", out.after);
    }
    assert!(interrupted > 17, "{interrupted}");
}

#[test]
fn interrupted_zip_stops_soon() {
    let repository = repository();
    let dot_git = DotGit { branch: None, url: "git@host:o/r.git".to_owned() };
    for (packed, dot_git) in [(false, None), (true, None), (true, Some(dot_git))] {
        if packed {
            repository.repack(&[]);
        }
        let options = Options { dot_git, ..Options::default() };
        let (opened, head) = repository.open();
        check(&repository, |flag, out| write_zip(&opened, head, &options, None, flag, out).map(drop));
    }
}

#[test]
fn interrupted_pack_stops_soon() {
    let repository = repository();
    repository.repack(&[]);
    let (opened, head) = repository.open();
    check(&repository, |flag, out| write_pack(&opened, head, flag, out));
}

#[test]
fn lfs_and_submodule_listings_are_interruptible() {
    let repository = repository();
    let (opened, head) = repository.open();
    for enough in [false, true] {
        let flag = AtomicBool::new(enough);
        let listed = archive::large_files(&opened, head, &Options::default(), &flag);
        assert_eq!(matches!(listed, Err(ArchiveError::Interrupted)), enough);
        let pinned = archive::pinned_submodules(&opened, head, &Options::default(), "".into(), &flag);
        assert_eq!(matches!(pinned, Err(ArchiveError::Interrupted)), enough);
    }
}

/// Endless large files of zeros, which nobody reads completely.
struct Endless<'a>(&'a AtomicBool);

impl LargeFiles for Endless<'_> {
    fn open(&mut self, _: &LargeFile) -> Result<Box<dyn Read + '_>, Box<dyn Error + Send + Sync>> {
        self.0.store(true, Ordering::Relaxed);
        Ok(Box::new(io::repeat(0)))
    }
}

#[test]
fn endless_large_file_can_be_interrupted() {
    let repository = Repository::new();
    repository.write(".gitattributes", "*.bin filter=lfs\n");
    let (oid, size) = ("4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393", u64::MAX);
    repository.write("a.bin", format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n"));
    repository.commit();
    let (opened, head) = repository.open();
    let flag = AtomicBool::new(false);
    let written = write_zip(&opened, head, &Options::default(), Some(&mut Endless(&flag)), &flag, io::sink());
    assert!(matches!(written, Err(ArchiveError::Interrupted)), "{written:?}");
}
