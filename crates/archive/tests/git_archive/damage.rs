//! Any damage in a repository gives an error or the right tree, and never a zip that only looks
//! complete.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use archive::ArchiveError;
use git_repository::{Tree, text, tree};

use crate::repository::Repository;

/// Three files, of which two are similar.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.write("folder/one", text(3, 3000));
    repository.write("folder/two", [text(3, 2900), b"other end".to_vec()].concat());
    repository.write("three", "short");
    repository.commit();
    repository
}

/// The results of damaging a file in many ways.
#[derive(Debug, Default)]
struct Found {
    refused: usize,
    unharmed: usize,
}

/// Damages `file` in each of these ways, and zips.
fn check(repository: &Repository, file: &Path, broken: impl Iterator<Item = Vec<u8>>) -> Found {
    let expected: Tree = tree(&repository.zip().unwrap().0);
    let whole = std::fs::read(file).unwrap();
    let write = |content: &[u8]| {
        // A new file: the old one is read-only, and may be mapped.
        std::fs::remove_file(file).unwrap();
        std::fs::write(file, content).unwrap();
    };
    let mut found = Found::default();
    for (n, content) in broken.enumerate() {
        write(&content);
        match repository.zip() {
            Ok((zip, _)) => {
                assert!(tree(&zip) == expected, "{} broken in way {n} gives another tree", file.display());
                found.unharmed += 1;
            }
            Err(ArchiveError::Object { .. } | ArchiveError::Damaged { .. } | ArchiveError::Pack { .. }) => {
                found.refused += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    write(&whole);
    found
}

fn flipped(file: &Path, step: usize) -> impl Iterator<Item = Vec<u8>> {
    let whole = std::fs::read(file).unwrap();
    (0..whole.len()).step_by(step).map(move |at| {
        let mut broken = whole.clone();
        broken[at] ^= 0x41;
        broken
    })
}

fn cut(file: &Path, step: usize) -> impl Iterator<Item = Vec<u8>> {
    let whole = std::fs::read(file).unwrap();
    (0..whole.len()).step_by(step).map(move |end| whole[..end].to_vec())
}

#[test]
fn damaged_undeltified_pack_never_changes_tree() {
    let repository = repository();
    let pack = repository.repack(&["--depth=0", "--window=0"]);
    let found = check(&repository, &pack, flipped(&pack, 1));
    assert!(found.refused > 1000 && found.unharmed < 40, "{found:?}");
}

#[test]
fn damaged_delta_pack_never_changes_tree() {
    let repository = repository();
    let pack = repository.repack(&["--depth=50"]);
    assert_eq!(repository.zip().unwrap().1.compressed, 1);
    let found = check(&repository, &pack, flipped(&pack, 1));
    assert!(found.refused > 600 && found.unharmed < 40, "{found:?}");
}

/// The pack that a fetch would have left, instead of git's.
fn received(repository: &Repository) -> PathBuf {
    let gits = repository.repack(&["--depth=50"]);
    let aside = tempfile::tempdir().unwrap();
    let opened = gix::open_opts(repository.path(), gix::open::Options::isolated()).unwrap();
    let mut input = std::io::BufReader::new(std::fs::File::open(&gits).unwrap());
    let received = pack::receive(&mut input, aside.path(), &opened.objects, &AtomicBool::new(false)).unwrap().unwrap();
    let kept = gits.with_file_name(received.file_name().unwrap());
    for extension in ["pack", "idx", "rev"] {
        std::fs::remove_file(gits.with_extension(extension)).ok();
    }
    for extension in ["crc32", "pack", "idx"] {
        std::fs::copy(received.with_extension(extension), kept.with_extension(extension)).unwrap();
    }
    kept
}

#[test]
fn damaged_received_pack_never_changes_tree() {
    let repository = repository();
    let pack = received(&repository);
    // A former delta is copied, because it was resolved when it was received.
    assert_eq!((repository.check().compressed, repository.check().copied), (0, 3));
    let found = check(&repository, &pack, flipped(&pack, 1));
    assert!(found.refused > 600 && found.unharmed < 60, "{found:?}");
    let index = pack.with_extension("idx");
    let found = check(&repository, &index, flipped(&index, 1));
    assert!(found.refused > 100, "{found:?}");
    let sums = pack.with_extension("crc32");
    let found = check(&repository, &sums, flipped(&sums, 1).chain(cut(&sums, 1)));
    assert!(found.refused == 0 && found.unharmed > 40, "{found:?}");
}

#[test]
fn a_byte_of_a_packs_index() {
    let repository = repository();
    let index = repository.repack(&[]).with_extension("idx");
    let found = check(&repository, &index, flipped(&index, 1));
    assert!(found.refused > 100, "{found:?}");
}

/// The position of an object's offset in the index: after eight bytes and 256 counts come the IDs,
/// the CRC-32s and the offsets (gitformat-pack).
fn offset_of(index: &[u8], id: &[u8]) -> std::ops::Range<usize> {
    const IDS: usize = 8 + 256 * 4;
    let count = u32::from_be_bytes(index[IDS - 4..IDS].try_into().unwrap()) as usize;
    let id = gix::ObjectId::from_hex(id.trim_ascii()).unwrap();
    let number = index[IDS..].chunks(20).take(count).position(|known| known == id.as_bytes()).unwrap();
    let start = IDS + count * (20 + 4) + number * 4;
    start..start + 4
}

#[test]
fn index_with_swapped_blobs_is_refused() {
    let repository = repository();
    let index = repository.repack(&["--depth=0", "--window=0"]).with_extension("idx");
    let mut bytes = std::fs::read(&index).unwrap();
    let [one, two] =
        ["HEAD:folder/one", "HEAD:folder/two"].map(|path| offset_of(&bytes, &repository.git(&["rev-parse", path])));
    let (first, second) = (bytes[one.clone()].to_vec(), bytes[two.clone()].to_vec());
    bytes[one].copy_from_slice(&second);
    bytes[two].copy_from_slice(&first);
    let found = check(&repository, &index, std::iter::once(bytes));
    assert_eq!(found.refused, 1);
}

#[test]
fn a_pack_that_ends_too_early() {
    let repository = repository();
    let pack = repository.repack(&[]);
    let found = check(&repository, &pack, cut(&pack, 7));
    assert!(found.refused > 80 && found.unharmed < 4, "{found:?}");
}

#[test]
fn a_byte_of_loose_objects() {
    let repository = repository();
    let mut found = Found::default();
    for file in loose(&repository) {
        let one = check(&repository, &file, flipped(&file, 3));
        found.refused += one.refused;
        found.unharmed += one.unharmed;
    }
    assert!(found.refused > 400 && found.unharmed < 40, "{found:?}");
}

#[test]
fn a_missing_object_of_any_kind() {
    let repository = repository();
    let objects = loose(&repository);
    assert_eq!(objects.len(), 6);
    for file in objects {
        let content = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(repository.zip(), Err(ArchiveError::Object { .. })), "{}", file.display());
        std::fs::write(&file, content).unwrap();
    }
    repository.check();
}

#[test]
fn blob_instead_of_commit_is_refused() {
    let repository = repository();
    let blob = repository.git(&["rev-parse", "HEAD:three"]);
    let blob = gix::ObjectId::from_hex(blob.trim_ascii()).unwrap();
    let opened = gix::open_opts(repository.path(), gix::open::Options::isolated()).unwrap();
    let error =
        archive::write_zip(&opened, blob, &archive::Options::default(), None, &AtomicBool::new(false), std::io::sink())
            .unwrap_err();
    assert!(matches!(error, ArchiveError::Object { id, .. } if id == blob));
}

fn loose(repository: &Repository) -> Vec<PathBuf> {
    let folders =
        std::fs::read_dir(repository.path().join(".git/objects")).unwrap().map(|folder| folder.unwrap().path());
    let folders = folders.filter(|folder| folder.file_name().unwrap().len() == 2);
    folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path())).collect()
}
