//! Random input: a valid zip is converted without changes, and anything else never becomes one.
//! `PROPTEST_CASES` is the number of cases: a hundred thousand take about a minute.

use std::io::{Cursor, Write};

use git_repository::{Tree, tree};
use proptest::{collection::vec, prelude::*, sample::select};
use provider_zip::{ProviderZip, TopFolder, copy_zip};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    hand::{DEFLATED, DESCRIBED, End, Entry, STORED, Shape, UTF8, Zip64End, zip_with, zip64},
    takeover::{FLAT, MAX, TOP, take, taken},
};

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// A zip of these by the zip crate, which can't seek back when it streams.
fn by_the_crate(files: &Tree, prefix: &str, deflated: bool, streams: bool) -> Vec<u8> {
    fn add<W: Write + std::io::Seek>(writer: &mut ZipWriter<W>, files: &Tree, prefix: &str, method: CompressionMethod) {
        for (path, (mode, content)) in files {
            let path = format!("{prefix}{}", String::from_utf8_lossy(path));
            let mode = if mode & 0o100 == 0 { 0o644 } else { 0o755 };
            let options = SimpleFileOptions::default().compression_method(method).unix_permissions(mode);
            writer.start_file(path, options).unwrap();
            writer.write_all(content).unwrap();
        }
    }
    let method = if deflated || streams { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    if streams {
        let mut writer = ZipWriter::new_stream(Vec::new());
        add(&mut writer, files, prefix, method);
        writer.finish().unwrap().into_inner()
    } else {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        add(&mut writer, files, prefix, method);
        writer.finish().unwrap().into_inner()
    }
}

/// Files in folders whose names differ from those of files.
fn files() -> impl Strategy<Value = Tree> {
    let path = r"([D-Fü]{1,2}/){0,3}[a-c][ä' .]{0,2}\\?[x-z]";
    let file = (select(vec![0o100_000u32, 0o100_100]), vec(any::<u8>(), 0..200));
    prop::collection::btree_map(path.prop_map(String::into_bytes), file, 0..12)
}

fn without_folders(mut tree: Tree) -> Tree {
    tree.retain(|_, (mode, _)| *mode != 0o040_000);
    tree
}

/// A field that is true, random, or a number with a special meaning.
fn lie() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![4 => Just(None), 1 => any::<u32>().prop_map(Some), 2 => select(vec![0, 1, 8, 30, u32::MAX]).prop_map(Some)]
}

/// An entry with any wrong field, and a name that may collide.
fn entry() -> impl Strategy<Value = Entry> {
    let name = select(vec!["a", "a/", "a/b", "b", "b/c/", "b/c/d", "../x", ".git/x", "ü", "x\\y"]);
    let content = vec(any::<u8>(), 0..40);
    let shape = prop::option::of((any::<bool>(), any::<bool>()));
    let mode = select(vec![0, 0o100_644, 0o100_755, 0o120_777, 0o040_755, 0o020_000]);
    let fields = (vec(lie(), 6), any::<bool>(), any::<bool>(), 0..10u8);
    (name, content, any::<bool>(), shape, mode, fields).prop_map(|(name, content, deflated, shape, mode, lies)| {
        let (lies, zip64_field, twice, chance) = lies;
        let entry = if deflated { Entry::deflated(name, &content) } else { Entry::new(name, &content) };
        let entry = match shape {
            Some((signed, wide)) => entry.described(Shape { signed, wide }),
            None => entry,
        };
        entry.with(|entry| entry.mode = mode).with(|entry| {
            if chance > 2 {
                return;
            }
            if zip64_field {
                entry.line.extra = zip64(&[entry.line.size.into(), entry.line.packed.into()]);
                (entry.line.size, entry.line.packed) = (u32::MAX, u32::MAX);
            }
            let headers: &mut [_] =
                if twice { &mut [&mut entry.header, &mut entry.line] } else { &mut [&mut entry.header] };
            for header in headers {
                let fields = [&mut header.crc, &mut header.packed, &mut header.size];
                for (field, lie) in fields.into_iter().zip(&lies) {
                    *field = lie.unwrap_or(*field);
                }
                let flags = [0, DESCRIBED, UTF8, 1, STORED, DEFLATED];
                header.flags ^= lies[3].map_or(0, |lie| flags[lie as usize % flags.len()]);
                header.method = lies[4].map_or(header.method, |lie| [STORED, DEFLATED, 9][lie as usize % 3]);
            }
            entry.offset = lies[5];
        })
    })
}

/// A possibly inconsistent archive is refused, or converted to a complete zip with what other
/// readers see in the archive.
fn lies_do_not_get_through(archive: &[u8], expected: &ProviderZip<'_>) -> Result<bool, TestCaseError> {
    let Ok((zip, _)) = take(archive, expected) else { return Ok(false) };
    for path in tree(&zip).into_keys() {
        for part in path.strip_suffix(b"/").unwrap_or(&path).split(|byte| *byte == b'/') {
            prop_assert!(!matches!(part, b"" | b"." | b".." | b".git"), "{:?}", path);
        }
    }
    let theirs: Vec<_> = without_folders(tree(archive)).into_values().map(|(_, content)| content).collect();
    let ours: Vec<_> = without_folders(tree(&zip)).into_values().map(|(_, content)| content).collect();
    prop_assert_eq!(ours, theirs);
    // The result is itself an archive, and is converted without changes.
    prop_assert_eq!(taken(&zip, &FLAT), tree(&zip));
    Ok(true)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_zips_keep_their_files(files in files(), deflated: bool, streams: bool, top: bool) {
        let archive = by_the_crate(&files, if top { "top folder/" } else { "" }, deflated, streams);
        let expected = if top { TOP } else { FLAT };
        prop_assert_eq!(without_folders(taken(&archive, &expected)), files);
    }

    #[test]
    fn any_bytes_are_refused(bytes in vec(any::<u8>(), 0..300), entry: bool) {
        let bytes = if entry { [b"PK\x03\x04".as_slice(), &bytes].concat() } else { bytes };
        prop_assert!(copy_zip(bytes.as_slice(), &FLAT, std::io::sink()).is_err());
    }

    #[test]
    fn any_lies_are_found(entries in vec(entry(), 0..4), end in (0..8u8, any::<u8>(), lie())) {
        let (kind, byte, number) = end;
        let mut end = End { zip64: (kind & 4 != 0).then(Zip64End::default), ..End::default() };
        match kind & 3 {
            1 => end.behind = vec![byte],
            2 => end.start = number.unwrap_or_default(),
            _ => end.comment = vec![byte],
        }
        lies_do_not_get_through(&zip_with(&entries, &end), &TOP)?;
    }

    #[test]
    fn any_damage_is_found(
        files in files(),
        deflated: bool,
        streams: bool,
        damage in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..4),
    ) {
        let mut archive = by_the_crate(&files, "", deflated, streams);
        for (at, to, byte, kind) in damage {
            let (at, to) = (at.index(archive.len()), to.index(archive.len()));
            let range = at.min(to)..at.max(to);
            match kind {
                0 => archive[at] = byte,
                1 => archive.insert(at, byte),
                2 if range.len() < 40 => drop(archive.drain(range)),
                _ => archive.extend_from_within(range.start..range.end.min(range.start + 60)),
            }
        }
        for top_folder in [TopFolder::Always, TopFolder::Never] {
            lies_do_not_get_through(&archive, &ProviderZip { top_folder, commit: None, max_bytes: MAX })?;
        }
    }
}
