//! Any damage in transit gives an error or the right tree, and never a zip that only looks
//! complete.

use contract::{CommitId, Retry};
use git_repository::{Repository, Tree, text, tree};
use provider_zip::{ProviderError, ProviderZip};

use crate::{
    hand::{DEFLATED, End, Entry, LINK, SIGNED, STORED, Shape, Zip64End, zip_with, zip64},
    takeover::{TOP, refused, take, taken},
};

const COMMIT: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";

/// A zip with everything.
fn archive() -> Vec<u8> {
    let wide = Entry::deflated("wide", &text(4, 400)).with(|entry| {
        entry.header.extra = zip64(&[entry.header.size.into(), entry.header.packed.into()]);
        (entry.header.size, entry.header.packed) = (u32::MAX, u32::MAX);
    });
    let entries = [
        Entry::new("", b"").with(|entry| entry.mode = 0o040_755),
        Entry::new("run", b"#!/bin/sh\n").with(|entry| entry.mode = 0o100_755),
        Entry::deflated("folder/text", &text(1, 700)),
        Entry::deflated("folder/streamed", &text(2, 600)).described(SIGNED),
        Entry::deflated("folder/unsigned", &text(3, 500)).described(Shape { signed: false, wide: false }),
        wide,
        Entry::new("link", b"folder/text").with(|entry| entry.mode = LINK),
        Entry::new("empty", b""),
        Entry::deflated("grüße", b"deflated to more than it was").both(|header| assert_eq!(header.method, DEFLATED)),
    ];
    assert!(entries.iter().any(|entry| entry.header.method == STORED));
    let end = End { zip64: Some(Zip64End::default()), comment: COMMIT.into(), ..End::default() };
    zip_with(&entries, &end)
}

fn commit() -> CommitId {
    COMMIT.parse().unwrap()
}

/// The modes in the directory: the system that created the entry, and the mode itself.
fn modes(archive: &[u8]) -> Vec<usize> {
    let lines = (0..archive.len()).filter(|at| archive[*at..].starts_with(b"PK\x01\x02"));
    lines.flat_map(|line| [line + 5, line + 40, line + 41]).collect()
}

fn without_modes(tree: Tree) -> Vec<(Vec<u8>, Vec<u8>)> {
    tree.into_iter().map(|(path, (_, content))| (path, content)).collect()
}

#[test]
fn truncated_archive_is_retryable() {
    let commit = commit();
    let archive = archive();
    let expected = ProviderZip { commit: Some(&commit), ..TOP };
    assert_eq!(taken(&archive, &expected).len(), 9);
    for end in 0..archive.len() {
        let error = refused(&archive[..end], &expected);
        assert!(matches!(error, ProviderError::CutOff { received } if received == end as u64), "{end}: {error:?}");
        assert_eq!(error.retry(), Retry::Again);
    }
}

#[test]
fn git_archive_truncation_is_detected() {
    let repository = Repository::init();
    repository.write("folder/file", text(1, 900));
    repository.write("run", "x");
    repository.commit();
    let archive = repository.git(&["archive", "--format=zip", "--prefix=x/", "HEAD"]);
    for end in 0..archive.len() {
        assert!(matches!(refused(&archive[..end], &TOP), ProviderError::CutOff { .. }), "{end}");
    }
}

/// A mode is stored only once, so nobody can detect a change.
#[test]
fn flipped_bits_never_change_file_contents() {
    let commit = commit();
    let whole = archive();
    let expected = ProviderZip { commit: Some(&commit), ..TOP };
    let tree_of = |archive: &[u8]| take(archive, &expected).map(|(zip, _)| tree(&zip));
    let right = tree_of(&whole).unwrap();
    let modes = modes(&whole);
    assert_eq!(modes.len(), 9 * 3);
    let (mut refused, mut unharmed) = (0, 0);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut broken = whole.clone();
            broken[at] ^= 1 << bit;
            match tree_of(&broken) {
                Err(error) => {
                    let kind = if matches!(error, ProviderError::CutOff { .. }) { Retry::Again } else { Retry::Never };
                    assert_eq!(error.retry(), kind);
                    refused += 1;
                }
                Ok(tree) if modes.contains(&at) => assert_eq!(without_modes(tree), without_modes(right.clone())),
                Ok(tree) => {
                    assert_eq!(tree, right, "bit {bit} of byte {at}");
                    unharmed += 1;
                }
            }
        }
    }
    // Irrelevant fields: versions, times, internal attributes, the lower half of external ones, and
    // a comment that isn't a commit any more.
    assert!(refused > 11_000 && unharmed < 1_600, "{refused} refused, {unharmed} unharmed");
}
