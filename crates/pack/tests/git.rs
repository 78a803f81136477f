//! Receives packs of real git: git finds no error in the result, and every object is unchanged.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::AtomicBool,
};

use pack::{PackError, Packs};
use tempfile::TempDir;

static NEVER: AtomicBool = AtomicBool::new(false);

fn git(folder: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_AUTHOR_NAME", "A U Thor"),
        ("GIT_AUTHOR_EMAIL", "author@example.com"),
        ("GIT_COMMITTER_NAME", "C O Mitter"),
        ("GIT_COMMITTER_EMAIL", "committer@example.com"),
    ] {
        command.env(name, value);
    }
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "git {arguments:?}");
    output.stdout
}

/// A text of this many lines, similar to others with the same seed.
fn text(seed: u32, lines: u32) -> Vec<u8> {
    (0..lines)
        .flat_map(|n| format!("line {n} of {}\n", n.wrapping_mul(2_654_435_761).wrapping_add(seed)).into_bytes())
        .collect()
}

/// A repository with three commits whose files become deltas of one another.
fn source() -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    git(path, &["init", "-q", "-b", "main"], b"");
    for round in 0..3_u32 {
        std::fs::create_dir_all(path.join("deep/er")).unwrap();
        for n in 0..20 {
            let mut content = text(n % 4, 200 + n);
            content.extend(format!("round {round}\n").repeat(usize::try_from(round + n % 3).unwrap()).bytes());
            std::fs::write(path.join(format!("deep/er/{n}")), content).unwrap();
        }
        std::fs::write(path.join("empty"), b"").unwrap();
        std::fs::write(path.join("zeros"), vec![0; 300_000]).unwrap();
        git(path, &["add", "-A"], b"");
        git(path, &["commit", "-q", "-m", &format!("round {round}")], b"");
    }
    git(path, &["tag", "-a", "-m", "a tag", "v1"], b"");
    folder
}

fn objects(folder: &Path) -> BTreeMap<String, String> {
    let check = ["cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype) %(objectsize)"];
    let all = String::from_utf8(git(folder, &check, b"")).unwrap();
    all.lines().map(|line| line.split_once(' ').unwrap()).map(|(id, rest)| (id.to_owned(), rest.to_owned())).collect()
}

/// An empty clone.
fn clone() -> (TempDir, gix::Repository) {
    let folder = TempDir::new().unwrap();
    git(folder.path(), &["init", "-q", "--bare"], b"");
    let repository = gix::open_opts(folder.path(), gix::open::Options::isolated()).unwrap();
    (folder, repository)
}

fn receive(repository: &gix::Repository, pack: &[u8]) -> Result<Option<PathBuf>, PackError> {
    let directory = repository.git_dir().join("objects/pack");
    pack::receive(&mut Cursor::new(pack), &directory, &repository.objects, &NEVER)
}

fn whole_pack(source: &Path, options: &[&str]) -> Vec<u8> {
    git(source, &[&["pack-objects", "--stdout", "--all", "--revs", "-q"], options].concat(), b"")
}

/// Receives a pack and compares the result with the source.
fn check(source: &Path, pack: &[u8]) -> (TempDir, gix::Repository) {
    let (folder, repository) = clone();
    let kept = receive(&repository, pack).unwrap().unwrap();
    git(folder.path(), &["fsck", "--full", "--strict"], b"");
    assert_eq!(objects(folder.path()), objects(source));
    let verified = git(folder.path(), &["verify-pack", "-v", kept.with_extension("idx").to_str().unwrap()], b"");
    assert!(!String::from_utf8(verified).unwrap().contains("chain length"), "all is kept whole");
    let names: Vec<_> =
        std::fs::read_dir(kept.parent().unwrap()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "no temporary file is left: {names:?}");
    (folder, repository)
}

#[test]
fn every_pack_form_is_received() {
    let source = source();
    let forms: [&[&str]; 4] =
        [&["--depth=0", "--window=0"], &["--depth=50"], &["--depth=50", "--delta-base-offset"], &["--compression=0"]];
    for form in forms {
        let pack = whole_pack(source.path(), form);
        let (_folder, repository) = check(source.path(), &pack);
        let packs = Packs::open(&repository).unwrap();
        let mut blobs = 0;
        for (id, line) in objects(source.path()) {
            let Some(size) = line.strip_prefix("blob ") else { continue };
            let blob = packs.blob(id.parse().unwrap()).unwrap();
            let content = git(source.path(), &["cat-file", "blob", &id], b"");
            assert_eq!(blob.size.to_string(), size);
            assert_eq!(blob.content_crc, Some(crc32fast::hash(&content)), "{id}");
            let mut zlib = vec![0; usize::try_from(blob.length).unwrap()];
            assert_eq!(blob.read_at(0, &mut zlib).unwrap(), zlib.len());
            let mut inflated = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(&zlib[..]), &mut inflated).unwrap();
            assert!(
                inflated == content && blob.packed_crc == Some(crc32fast::hash(&[blob.header.clone(), zlib].concat()))
            );
            blobs += 1;
        }
        assert!(blobs > 50, "{blobs}");
    }
}

#[test]
fn thin_pack_uses_clone_objects() {
    let source = source();
    let first = git(source.path(), &["pack-objects", "--stdout", "--revs", "-q"], b"main~1\n");
    let thin = git(source.path(), &["pack-objects", "--stdout", "--revs", "--thin", "-q"], b"main\nv1\n^main~1\n");
    let (folder, repository) = clone();
    receive(&repository, &first).unwrap().unwrap();
    receive(&repository, &thin).unwrap().unwrap();
    git(folder.path(), &["fsck", "--full", "--strict"], b"");
    assert_eq!(objects(folder.path()), objects(source.path()));

    let (_folder, empty) = clone();
    assert!(matches!(receive(&empty, &thin), Err(PackError::NoBase { .. })));
}

#[test]
fn a_pack_without_objects_is_none() {
    let source = source();
    let none = git(source.path(), &["pack-objects", "--stdout", "-q"], b"");
    assert_eq!(receive(&clone().1, &none).unwrap(), None);
}

#[test]
fn broken_pack_is_refused_without_leftovers() {
    let source = source();
    let pack = whole_pack(source.path(), &["--depth=50"]);
    let (folder, repository) = clone();
    let (mut tried, step) = (0, pack.len() / 400);
    let mut refused = |broken: &[u8], what: &str| {
        assert!(receive(&repository, broken).is_err(), "{what}");
        assert_eq!(std::fs::read_dir(folder.path().join("objects/pack")).unwrap().count(), 0, "{what}");
        tried += 1;
    };
    for at in (0..pack.len()).step_by(step) {
        let mut broken = pack.clone();
        broken[at] ^= 0x41;
        refused(&broken, &format!("byte {at} changed"));
        refused(&pack[..at], &format!("cut at {at}"));
    }
    let interrupted = AtomicBool::new(true);
    let directory = folder.path().join("objects/pack");
    let stopped = pack::receive(&mut Cursor::new(&pack), &directory, &repository.objects, &interrupted);
    assert!(matches!(stopped, Err(PackError::Interrupted)) && tried > 700, "{tried}");
}
