//! Archives with wrong lengths, or with misplaced parts.

use contract::{CommitId, Retry};
use provider_zip::{INFLATED, ProviderError, ProviderZip, TopFolder};

use crate::{
    hand::{DESCRIBED, End, Entry, SIGNED, Shape, Zip64End, deflate, descriptor, zip, zip_with, zip64},
    takeover::{FLAT, TOP, refused, take, taken},
};

const COMMIT: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";

fn a() -> Entry {
    Entry::deflated("a", &b"content of a".repeat(9))
}

fn damaged(name: &str, entry: Entry, expected: &str) {
    match refused(&zip(&[entry, Entry::new("z", b"")]), &TOP) {
        ProviderError::Damaged { reason, .. } => assert_eq!(reason, expected, "{name}"),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn mismatched_entry_data_is_refused() {
    damaged("CRC-32", a().both(|header| header.crc ^= 1), "its CRC-32 is another");
    damaged("size", a().both(|header| header.size += 1), "its length is another");
    damaged("packed", a().both(|header| header.packed -= 1), "it ends too early");
    damaged("no deflate", a().with(|entry| entry.data[0] = 0xff), "it is no deflate stream");
    damaged("stored size", Entry::new("a", b"x").both(|header| header.size = 2), "its length is another");
    damaged("folder", Entry::new("a/", b"x").with(|entry| entry.mode = 0), "it is a folder with content");
    let longer = [deflate(b"one"), b"two".to_vec()].concat();
    damaged("behind the stream", Entry::new("a", b"one").packed(longer), "it ends before its length");
    damaged("two streams", Entry::new("a", b"").packed(deflate(b"").repeat(2)), "it ends before its length");
    let other = a().described(SIGNED).with(|entry| entry.descriptor[5] ^= 1);
    damaged("descriptor", other, "the descriptor behind it tells other sums");
    let none = a().described(SIGNED).with(|entry| entry.descriptor.clear());
    damaged("no descriptor", none, "the descriptor behind it tells other sums");
    let told = a().described(SIGNED).with(|entry| entry.header.size = entry.line.size + 1);
    damaged("in front of a descriptor", told, "its length is another");
    let told = a().described(SIGNED).with(|entry| entry.header.crc = entry.line.crc ^ 1);
    damaged("in front of a descriptor", told, "its CRC-32 is another");
}

const FEWER: &str = "its directory doesn't list all that came before it";

fn malformed(name: &str, archive: &[u8], expected: &str) {
    match refused(archive, &TOP) {
        error @ ProviderError::Malformed { reason, .. } => {
            assert_eq!(reason, expected, "{name}");
            assert_eq!(error.retry(), Retry::Never);
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn something_else_than_a_zip() {
    const ELSE: &str = "there is something else than entries and their directory";
    let archive = zip(&[a()]);
    malformed("a page", b"<!DOCTYPE html><title>Sign in</title>", ELSE);
    malformed("an error", br#"{"message": "Not Found"}"#, ELSE);
    malformed("text in front", &[b"#!/bin/sh\n", archive.as_slice()].concat(), ELSE);
    malformed("a split zip's mark", &[b"PK\x07\x08", archive.as_slice()].concat(), ELSE);
    malformed("text behind", &[archive.as_slice(), b"\n"].concat(), "it goes on behind its end");
    malformed("two zips", &archive.repeat(2), "it goes on behind its end");
    let comment = End { behind: b"text".to_vec(), comment: b"comment".to_vec(), ..End::default() };
    malformed("a comment longer than told", &zip_with(&[a()], &comment), "it goes on behind its end");
    let gap = End { before_directory: b"gap!".to_vec(), ..End::default() };
    malformed("a gap before the directory", &zip_with(&[a()], &gap), FEWER);
    malformed("a gap between entries", &zip(&[a().with(|entry| entry.descriptor = b"gap!".to_vec()), a()]), FEWER);
}

#[test]
fn inconsistent_central_directory_is_refused() {
    const END: &str = "its end tells of another directory";
    let lies: [fn(&mut End); 4] =
        [|end| end.disk = 1, |end| end.lines = 1, |end| end.size = 1, |end| end.start = u32::MAX];
    for (n, lie) in lies.into_iter().enumerate() {
        for zip64 in [None, Some(Zip64End::default())] {
            let mut end = End { zip64, ..End::default() };
            lie(&mut end);
            malformed(&format!("lie {n}"), &zip_with(&[a()], &end), END);
        }
    }
    // Refers to the zip64 end, which is missing.
    for (from, to) in [(14, 10), (10, 6), (6, 2)] {
        for zip64 in [None, Some(Zip64End::default())] {
            let is_there = zip64.is_some();
            let mut archive = zip_with(&[a()], &End { zip64, ..End::default() });
            let field = archive.len() - from..archive.len() - to;
            archive[field].fill(0xff);
            if is_there {
                assert_eq!(taken(&archive, &TOP).len(), 1);
            } else {
                malformed("no zip64", &archive, END);
            }
        }
    }
    let [one, two] = [a(), Entry::new("b", b"")];
    let mut both = zip(&[one.clone(), two.clone()]);
    let line = both.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    both.drain(line..both.len() - 22);
    malformed("a line less", &both, FEWER);
    let whole = zip(&[one, two]);
    let line = whole.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    let more = [&whole[..whole.len() - 22], &whole[line..]].concat();
    malformed("a line more", &more, "its directory lists more than came before it");
}

#[test]
fn lies_of_zip64() {
    const NOWHERE: &str = "a length or an offset is in no zip64 field";
    let lies: [fn(&mut Zip64End); 6] = [
        |end| end.length = 8,
        |end| end.lines = 1,
        |end| end.size = 1,
        |end| end.start = 1 << 40,
        |end| end.locator = 1,
        |end| end.disks = 1,
    ];
    for (n, lie) in lies.into_iter().enumerate() {
        let mut end = Zip64End::default();
        lie(&mut end);
        let reason =
            if n < 4 { "its zip64 end tells of another directory" } else { "its zip64 end isn't where its end says" };
        malformed(&format!("lie {n}"), &zip_with(&[a()], &End { zip64: Some(end), ..End::default() }), reason);
    }
    malformed("no field", &zip(&[a().both(|header| header.size = u32::MAX)]), NOWHERE);
    let half = a().both(|header| (header.size, header.packed, header.extra) = (u32::MAX, u32::MAX, zip64(&[108])));
    malformed("half a field", &zip(&[half]), NOWHERE);
    let two = a().both(|header| header.extra = [zip64(&[1]), zip64(&[2])].concat());
    malformed("two fields", &zip(&[two]), "there are two zip64 fields");
    let cut = a().both(|header| header.extra = b"\x01\0\x09\0".to_vec());
    malformed("a cut field", &zip(&[cut]), "an extra field is longer than all of them");
    damaged(
        "another length",
        a().both(|header| (header.size, header.extra) = (u32::MAX, zip64(&[5 << 30]))),
        "its length is another",
    );
}

#[test]
fn more_than_is_allowed() {
    let archive = zip(&[a()]);
    for (max_bytes, fits) in [(archive.len() as u64, true), (archive.len() as u64 - 1, false), (1, false)] {
        match take(&archive, &ProviderZip { max_bytes, ..TOP }) {
            Ok(_) => assert!(fits),
            Err(error) => {
                assert!(!fits && matches!(error, ProviderError::TooLong { max } if max == max_bytes));
                assert_eq!(error.retry(), Retry::Never);
            }
        }
    }
}

#[test]
fn zip_bomb_is_refused() {
    let zeros = vec![0; 1 << 20];
    let bomb: Vec<_> = (0..64).map(|n| Entry::deflated(&n.to_string(), &zeros)).collect();
    let archive = zip(&bomb);
    assert!(archive.len() < 100_000);
    assert_eq!(taken(&archive, &ProviderZip { max_bytes: 4 << 20, ..TOP }).len(), 64);
    let error = refused(&archive, &ProviderZip { max_bytes: (4 << 20) - 1, ..TOP });
    assert!(matches!(error, ProviderError::Bomb { max } if max == ((4 << 20) - 1) * INFLATED), "{error:?}");
    assert_eq!(error.retry(), Retry::Never);
    // With overlapping entries: the second begins inside the first.
    let over = Entry::new("b", &zeros).with(|entry| entry.offset = Some(0));
    let overlapping = refused(&zip(&[Entry::new("a", b""), over]), &TOP);
    assert!(matches!(overlapping, ProviderError::Contradiction { field: "offset", .. }));
}

/// What is written before an error isn't a zip of ours, but may contain the end of another one: it
/// must not be kept.
#[test]
fn nested_zip_is_ordinary_file() {
    let inner = zip(&[Entry::deflated("inner", b"content")]);
    let outer = Entry::new("a", &inner);
    assert_eq!(taken(&zip(std::slice::from_ref(&outer)), &TOP)[b"a".as_slice()].1, inner);
    let cut = zip(&[outer, a()]);
    let cut = &cut[..inner.len() + 60];
    let error = provider_zip::copy_zip(cut, &TOP, std::io::sink()).unwrap_err();
    assert!(matches!(error, ProviderError::CutOff { received } if received == cut.len() as u64));
}

#[test]
fn entry_name_memory_is_limited() {
    let deep = "d/".repeat(2000);
    let entries: Vec<_> = (0..60).map(|n| Entry::new(&format!("{n}/{deep}{}", "x".repeat(60_000)), b"")).collect();
    let error = refused(&zip(&entries), &TOP);
    assert!(matches!(error, ProviderError::TooMany), "{error:?}");
    assert_eq!(error.retry(), Retry::Never);
    let long = "x".repeat(4096);
    assert_eq!(taken(&zip(&[Entry::new(&long, b"")]), &TOP).into_keys().collect::<Vec<_>>(), [long.as_bytes()]);
    let endless = Entry::new(&"d/".repeat(2048), b"");
    assert!(matches!(refused(&zip(&[endless]), &TOP), ProviderError::Path { .. }));
}

#[test]
fn a_comment_that_names_a_commit() {
    let commit: CommitId = COMMIT.parse().unwrap();
    let of = |comment: &str| zip_with(&[a()], &End { comment: comment.into(), ..End::default() });
    let expected = ProviderZip { commit: Some(&commit), ..TOP };
    for (comment, said) in [(COMMIT, true), (&COMMIT.to_uppercase(), true), ("", false), ("a comment", false)] {
        let (zip, summary) = take(&of(comment), &expected).unwrap();
        assert!(zip.ends_with(COMMIT.as_bytes()));
        assert_eq!(summary.commit, said.then(|| commit.clone()), "{comment:?}");
    }
    for other in ["2".repeat(40), "0".repeat(40), "A".repeat(64), format!("{COMMIT}{}", "0".repeat(24))] {
        let error = refused(&of(&other), &expected);
        let message = format!("the archive is of the commit {}, expected {COMMIT}", other.to_lowercase());
        assert_eq!((error.to_string(), error.retry()), (message, Retry::Never));
    }
    // A caller that doesn't know the commit gets it.
    let (zip, summary) = take(&of(COMMIT), &TOP).unwrap();
    assert!(zip.ends_with(COMMIT.as_bytes()) && summary.commit == Some(commit));
    assert_eq!(take(&of("words"), &TOP).unwrap().1.commit, None);
}

#[test]
fn unshared_top_folder_is_not_dropped() {
    let other = Entry::new("", b"").both(|header| header.name = b"other/b".to_vec());
    let mixed = zip(&[a(), other]);
    let bare = zip(&[Entry::new("", b"").both(|header| header.name = b"README".to_vec()), a()]);
    let longer = zip(&[a(), Entry::new("", b"").both(|header| header.name = b"topology/b".to_vec())]);
    let named = ProviderZip { top_folder: TopFolder::Named("top".to_owned()), ..TOP };
    for (archive, path, folder) in [(&mixed, "other/b", "top"), (&bare, "README", ""), (&longer, "topology/b", "top")] {
        let error = refused(archive, &TOP);
        let message = format!("the archive's entry {path:?} is not in the folder {folder:?}");
        assert_eq!((error.to_string(), error.retry()), (message, Retry::Never));
        assert!(matches!(error, ProviderError::TopFolderNotShared { .. }));
        assert!(taken(archive, &FLAT).contains_key(path.as_bytes()));
    }
    assert!(matches!(refused(&mixed, &named), ProviderError::TopFolderNotShared { .. }));
    // An archive that begins without it has none.
    assert_eq!(taken(&bare, &named).into_keys().collect::<Vec<_>>(), [b"README".as_slice(), b"top/", b"top/a"]);
    assert_eq!(taken(&zip(&[a()]), &named).into_keys().collect::<Vec<_>>(), [b"a"]);
    let in_capitals = ProviderZip { top_folder: TopFolder::Named("ToP".to_owned()), ..TOP };
    assert_eq!(taken(&zip(&[a()]), &in_capitals).into_keys().collect::<Vec<_>>(), [b"a"]);
    let elsewhere = ProviderZip { top_folder: TopFolder::Named("to".to_owned()), ..TOP };
    assert!(taken(&zip(&[a()]), &elsewhere).contains_key(b"top/a".as_slice()));
}

#[test]
fn descriptors_of_every_shape_are_accepted() {
    let shapes = [(true, true), (true, false), (false, true), (false, false)];
    for (signed, wide) in shapes {
        let shape = Shape { signed, wide };
        let empty = Entry::deflated("empty", b"").described(shape);
        let stored = Entry::new("stored", b"known").with(|entry| {
            entry.descriptor = descriptor(&entry.line, shape);
            (entry.header.flags, entry.line.flags) = (DESCRIBED, DESCRIBED);
        });
        let folder = Entry::deflated("folder/", b"").described(shape).with(|entry| entry.mode = 0o040_755);
        let nothing = Entry::new("nothing", b"").described(shape);
        let tree = taken(
            &zip(&[
                a().described(shape),
                empty,
                stored,
                folder,
                nothing,
                a().both(|header| header.name = b"top/z".to_vec()),
            ]),
            &TOP,
        );
        assert_eq!(tree.len(), 6, "{shape:?}");
        assert_eq!(tree[b"stored".as_slice()].1, b"known");
    }
}
