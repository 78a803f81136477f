//! Zips as providers, libraries and attackers write them.

use std::{
    collections::BTreeMap,
    io::{self, Cursor},
};

use ::zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};
use proptest::prelude::*;

use gix::bstr::BString;

use super::*;

fn expected(top_folder: TopFolder) -> Expected<'static> {
    Expected { top_folder, commit: None, max_bytes: 1 << 40 }
}

fn copy(zip: &[u8], top_folder: TopFolder) -> Result<Vec<u8>, ProviderError> {
    let mut out = Vec::new();
    let copied = copy_zip(zip, &expected(top_folder), &mut out)?;
    assert_eq!((copied.received, copied.bytes), (zip.len() as u64, out.len() as u64));
    Ok(out)
}

/// What a zip holds, as a library reads it: name to mode and content.
fn read(zip: &[u8]) -> BTreeMap<Vec<u8>, (Option<u32>, Vec<u8>)> {
    let mut zip = ZipArchive::new(Cursor::new(zip)).unwrap();
    let entries = (0..zip.len()).map(|index| {
        let mut entry = zip.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.name_raw().to_vec(), (entry.unix_mode(), content))
    });
    entries.collect()
}

/// A zip of these entries, as a library writes it: each below `x/`.
fn written(entries: &BTreeMap<String, (u32, Vec<u8>, bool)>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = |mode: u32, deflate: bool| {
        let method = if deflate { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        SimpleFileOptions::default().unix_permissions(mode).compression_method(method)
    };
    zip.add_directory("x", SimpleFileOptions::default()).unwrap();
    for (name, (mode, content, deflate)) in entries {
        zip.start_file(format!("x/{name}"), options(*mode, *deflate)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn small() -> Vec<u8> {
    let file = |content: &str, deflate| (0o644, content.as_bytes().to_vec(), deflate);
    written(&BTreeMap::from([
        ("a".to_owned(), file(&"a lot of text, ".repeat(20), true)),
        ("b/c".to_owned(), file("short", false)),
    ]))
}

#[test]
fn a_librarys_zip_is_copied_without_its_top_folder() {
    let out = copy(&small(), TopFolder::Always).unwrap();
    let names: Vec<_> = read(&out).into_keys().collect();
    assert_eq!(names, [b"a".to_vec(), b"b/c".to_vec()]);
    let kept: Vec<_> = read(&copy(&small(), TopFolder::Never).unwrap()).into_keys().collect();
    assert_eq!(kept, [b"x/".to_vec(), b"x/a".to_vec(), b"x/b/c".to_vec()]);
}

#[test]
fn an_empty_zip_stays_empty() {
    let empty = ZipWriter::new(Cursor::new(Vec::new())).finish().unwrap().into_inner();
    assert!(read(&copy(&empty, TopFolder::Always).unwrap()).is_empty());
}

#[test]
fn a_zip_that_is_cut_off_anywhere_is_refused_as_such() {
    let zip = small();
    for end in 0..zip.len() {
        let error = copy(&zip[..end], TopFolder::Always).unwrap_err();
        assert!(matches!(error, ProviderError::CutOff { .. }), "{end}: {error}");
    }
    let error = copy(&[&zip[..], b"x"].concat(), TopFolder::Always).unwrap_err();
    assert!(error.to_string().ends_with("something stands behind the zip"), "{error}");
    assert!(copy(&[b"x", &zip[..]].concat(), TopFolder::Always).is_err());
}

#[test]
fn a_changed_byte_is_noticed_or_changes_nothing() {
    let zip = small();
    let original = read(&copy(&zip, TopFolder::Always).unwrap());
    let mut refused = 0;
    for at in 0..zip.len() {
        for bit in [0, 3, 7] {
            let mut changed = zip.clone();
            changed[at] ^= 1 << bit;
            match copy(&changed, TopFolder::Always) {
                // Names and modes are the provider's to say; content isn't changed by what is said of it.
                Ok(out) => {
                    let contents = |zip: &BTreeMap<_, (_, Vec<u8>)>| -> Vec<Vec<u8>> {
                        zip.values().map(|(_, content)| content.clone()).collect()
                    };
                    assert_eq!(contents(&read(&out)), contents(&original), "byte {at}, bit {bit}");
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > zip.len() * 2, "{refused} of {}", zip.len() * 3);
}

/// Records written by hand, for zips that no library writes.
#[derive(Clone)]
struct Handmade {
    name: &'static [u8],
    data: Vec<u8>,
    flags: u16,
    method: u16,
    external: u32,
    descriptor: Vec<u8>,
    crc: u32,
    size: u32,
}

impl Handmade {
    fn stored(name: &'static [u8], data: &'static [u8]) -> Self {
        let size = u32::try_from(data.len()).unwrap();
        let crc = crc32fast::hash(data);
        Self {
            name,
            data: data.to_vec(),
            flags: 0,
            method: 0,
            external: 0o100_644 << 16,
            descriptor: Vec::new(),
            crc,
            size,
        }
    }

    fn numbers(&self) -> Vec<u8> {
        let packed = u32::try_from(self.data.len()).unwrap();
        [self.crc, packed, self.size].iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn common(&self, hide: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [20, self.flags, self.method, 0, 0x21] {
            bytes.extend(u16::to_le_bytes(number));
        }
        bytes.extend(if hide { vec![0; 12] } else { self.numbers() });
        bytes.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        bytes
    }
}

fn handmade(entries: &[Handmade]) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        directory.extend(b"PK\x01\x02\x2d\x03");
        directory.extend(entry.common(false));
        directory.extend([0; 2 + 6]);
        directory.extend(entry.external.to_le_bytes());
        directory.extend(u32::try_from(zip.len()).unwrap().to_le_bytes());
        directory.extend(entry.name);
        zip.extend(b"PK\x03\x04");
        zip.extend(entry.common(entry.flags & 8 != 0));
        zip.extend([0; 2]);
        zip.extend(entry.name);
        zip.extend(&entry.data);
        zip.extend(&entry.descriptor);
    }
    let end = zip::end(entries.len() as u64, zip.len() as u64, directory.len() as u64, b"");
    [zip, directory, end].concat()
}

#[test]
fn every_form_of_descriptor_is_read() {
    let content = b"hello hello hello";
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    deflate.write_all(content).unwrap();
    let data = deflate.finish().unwrap();
    let crc = crc32fast::hash(content).to_le_bytes();
    let (packed, size) = (u32::try_from(data.len()).unwrap(), 17u32);
    let short = [crc, packed.to_le_bytes(), size.to_le_bytes()].concat();
    let long = [&crc[..], &u64::from(packed).to_le_bytes(), &u64::from(size).to_le_bytes()].concat();
    let signed = |plain: &[u8]| [b"PK\x07\x08", plain].concat();
    let entry = |descriptor: Vec<u8>| Handmade {
        name: b"x/a",
        data: data.clone(),
        flags: 8,
        method: 8,
        external: 0,
        descriptor,
        crc: u32::from_le_bytes(crc),
        size,
    };
    for descriptor in [signed(&short), short.clone(), signed(&long), long] {
        let zip = handmade(&[entry(descriptor.clone()), Handmade::stored(b"x/b", b"after")]);
        let out = copy(&zip, TopFolder::Always).unwrap_or_else(|error| panic!("{descriptor:x?}: {error}"));
        let names: Vec<_> = read(&out).into_iter().map(|(name, (_, content))| (name, content)).collect();
        assert_eq!(names, [(b"a".to_vec(), content.to_vec()), (b"b".to_vec(), b"after".to_vec())]);
    }
    let mut wrong = signed(&short);
    wrong[6] ^= 1;
    let error = copy(&handmade(&[entry(wrong)]), TopFolder::Always).unwrap_err();
    assert!(matches!(error, ProviderError::Damaged { .. }), "{error}");
}

#[test]
fn links_and_programs_are_known_by_the_directory() {
    let with = |name, external: u32| Handmade { external, ..Handmade::stored(name, b"/etc/passwd") };
    let zip = handmade(&[with(b"x/link", 0o120_777 << 16), with(b"x/program", 0o100_755 << 16), with(b"x/file", 0)]);
    let out = read(&copy(&zip, TopFolder::Always).unwrap());
    let modes: Vec<_> = out.into_iter().map(|(name, (mode, _))| (name, mode.unwrap())).collect();
    let expected = [(b"file".to_vec(), 0o100_644), (b"link".to_vec(), 0o120_777), (b"program".to_vec(), 0o100_755)];
    assert_eq!(modes, expected);
    for kind in [0o060_644, 0o020_644, 0o010_644, 0o140_755] {
        let error = copy(&handmade(&[with(b"x/device", kind << 16)]), TopFolder::Always).unwrap_err();
        assert!(matches!(error, ProviderError::Unsupported { .. }), "{error}");
    }
    let error = copy(&handmade(&[with(b"x/folder", 0o040_755 << 16)]), TopFolder::Always).unwrap_err();
    assert!(matches!(error, ProviderError::Disagreement { field: "kind", .. }), "{error}");
}

#[test]
fn names_that_lead_astray_or_meet_twice_are_refused() {
    let check = |names: &[&'static [u8]]| {
        let entries: Vec<_> = names.iter().map(|name| Handmade::stored(name, b"")).collect();
        copy(&handmade(&entries), TopFolder::Never)
    };
    for name in [
        &b"../a"[..],
        b"/etc/passwd",
        b"a/../../b",
        b"a//b",
        b".git/config",
        b"a/.GIT/hooks/x",
        b"a\\..\\..\\b",
        b"a\0b",
        b"",
    ] {
        let error = check(&[name]).unwrap_err();
        assert!(matches!(error, ProviderError::Name { .. }), "{name:?}: {error}");
    }
    for names in [&[&b"a"[..], b"a"][..], &[b"a", b"b", b"a"], &[b"a", b"a/b"], &[b"a/b", b"a"], &[b"a!", b"a/b", b"a"]]
    {
        let error = check(names).unwrap_err();
        assert!(matches!(error, ProviderError::Conflict { .. }), "{names:?}: {error}");
    }
    check(&[b"a/b", b"a!", b"a/c", b"b"]).unwrap();
}

#[test]
fn an_entry_below_a_link_is_refused() {
    let link = Handmade { external: 0o120_777 << 16, ..Handmade::stored(b"etc", b"/etc") };
    let error = copy(&handmade(&[link, Handmade::stored(b"etc/passwd", b"root")]), TopFolder::Never).unwrap_err();
    assert!(matches!(error, ProviderError::Conflict { .. }), "{error}");
}

#[test]
fn what_an_archive_never_has_is_refused_by_name() {
    let check = |flags, method, what: &str| {
        let entry = Handmade { flags, method, ..Handmade::stored(b"x/a", b"data") };
        let error = copy(&handmade(&[entry]), TopFolder::Always).unwrap_err().to_string();
        assert_eq!(error, format!("the archive's entry \"x/a\" is {what}, which isn't supported"));
    };
    check(1, 0, "encrypted");
    check(1 << 13, 0, "of a kind");
    check(8, 0, "stored without its length in front");
    check(0, 12, "compressed by another method than deflate");
}

#[test]
fn entry_and_directory_have_to_say_the_same() {
    let zip = handmade(&[Handmade::stored(b"x/a", b"data")]);
    let directory = zip.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    for (at, field) in [
        (8, "flags"),
        (10, "method"),
        (16, "CRC-32"),
        (20, "packed length"),
        (24, "length"),
        (42, "place"),
        (48, "name"),
    ] {
        let mut changed = zip.clone();
        changed[directory + at] ^= 8;
        match copy(&changed, TopFolder::Always).unwrap_err() {
            ProviderError::Disagreement { field: found, .. } => assert_eq!(found, field),
            other => panic!("{field}: {other}"),
        }
    }
}

#[test]
fn the_comment_has_to_name_the_commit_that_was_asked_for() {
    let with = |comment: &str, commit: Option<&str>| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("x/a", SimpleFileOptions::default()).unwrap();
        zip.set_raw_comment(comment.as_bytes().into()).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        let expected = Expected { commit, ..expected(TopFolder::Always) };
        let mut out = Vec::new();
        copy_zip(&zip[..], &expected, &mut out).map(|copied| (copied.commit, out))
    };
    let (one, other) = ("a".repeat(40), "b".repeat(40));
    assert_eq!(with(&one, Some(&one)).unwrap().0, Some(one.clone()));
    assert_eq!(with(&one, None).unwrap().0, Some(one.clone()));
    assert_eq!(with("made by hand", Some(&one)).unwrap().0, None);
    assert!(matches!(with(&other, Some(&one)), Err(ProviderError::OtherCommit { .. })));
    let (_, out) = with("", Some(&one)).unwrap();
    assert_eq!(ZipArchive::new(Cursor::new(out)).unwrap().comment(), one.as_bytes());
}

#[test]
fn a_zip_that_is_too_long_is_given_up_as_soon_as_that_is_known() {
    let zip = small();
    let expected = |max_bytes| Expected { max_bytes, ..expected(TopFolder::Always) };
    assert!(copy_zip(&zip[..], &expected(zip.len() as u64), Vec::new()).is_ok());
    let error = copy_zip(&zip[..], &expected(zip.len() as u64 - 1), Vec::new()).unwrap_err();
    assert!(matches!(error, ProviderError::TooLarge { .. }), "{error}");
    // An endless entry ends there too.
    let head = zip.get(..zip.len() / 2).unwrap().to_vec();
    let endless = Cursor::new(head).chain(io::repeat(0));
    assert!(copy_zip(endless, &expected(1 << 20), io::sink()).is_err());
}

/// Remembers the last bytes that were written.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend(&bytes[bytes.len().saturating_sub(1024)..]);
        self.0.drain(..self.0.len().saturating_sub(1024));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_of_more_than_four_gigabytes_streams_through() {
    const SIZE: u64 = (4 << 30) + 5;
    let mut crc = crc32fast::Hasher::new();
    let (block, mut left) = (vec![0; 1 << 20], SIZE);
    while left > 0 {
        let length = left.min(1 << 20);
        crc.update(&block[..usize::try_from(length).unwrap()]);
        left -= length;
    }
    let line = entries::Line {
        flags: 0,
        method: 0,
        dos_time: 0x21_0000,
        modified: None,
        crc: crc.finalize(),
        packed: SIZE,
        size: SIZE,
        came_at: 0,
        lies_at: 0,
    };
    let header = |name: &str, line: &entries::Line| {
        let entries::Line { flags, method, dos_time, modified, crc, packed, size, .. } = *line;
        let name: BString = name.into();
        records::Local {
            name: name.clone(),
            at: 0,
            flags,
            method,
            dos_time,
            modified,
            crc,
            packed,
            size,
            is_large: false,
        }
        .header(name.as_ref())
    };
    let record = |name: &str, line: &entries::Line| {
        entries::Entry { name: name.into(), kept: Some(name.into()), line }.directory_record(entries::Mode::File)
    };
    let first = header("x/zeros", &line);
    let lies_at = first.len() as u64 + SIZE;
    let behind = entries::Line { crc: crc32fast::hash(b"behind"), packed: 6, size: 6, lies_at, ..line.clone() };
    let second = [&header("x/behind", &behind)[..], b"behind"].concat();
    let directory = [record("x/zeros", &line), record("x/behind", &behind)].concat();
    let start = lies_at + second.len() as u64;
    let end = zip::end(2, start, directory.len() as u64, b"");
    let zip = Cursor::new(first).chain(io::repeat(0).take(SIZE)).chain(Cursor::new([second, directory, end].concat()));

    let mut tail = Tail::default();
    let copied = copy_zip(zip, &expected(TopFolder::Always), &mut tail).unwrap();
    assert_eq!((copied.entries, copied.bytes), (2, copied.received - 8));
    // The same records, but for the folder and what it moves.
    let line = entries::Line { lies_at: lies_at - 2, ..behind };
    let moved = record("behind", &line);
    assert!(tail.0.windows(moved.len()).any(|window| window == moved));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_a_library_writes_is_read_as_it_was(
        entries in prop::collection::btree_map(r"([a-zä ]{1,4}/){0,2}[a-z]{1,6}!", (
            prop::sample::select(vec![0o644u32, 0o755]), prop::collection::vec(any::<u8>(), 0..2000), any::<bool>(),
        ), 0..12),
    ) {
        let out = copy(&written(&entries), TopFolder::Always).unwrap();
        let read = read(&out);
        prop_assert_eq!(read.len(), entries.len());
        for (name, (mode, content, _)) in &entries {
            prop_assert_eq!(&read[name.as_bytes()], &(Some(0o100_000 | mode), content.clone()));
        }
    }

    #[test]
    fn nothing_makes_it_panic_or_give_a_zip_that_cannot_be_read(
        bytes: Vec<u8>,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut: prop::sample::Index,
    ) {
        drop(copy(&bytes, TopFolder::Always));
        let mut zip = small();
        for (at, byte) in changes {
            let at = at.index(zip.len());
            zip[at] = byte;
        }
        if let Ok(out) = copy(&zip, TopFolder::Never) {
            read(&out);
        }
        let cut = cut.index(zip.len());
        drop(copy(&zip[cut..], TopFolder::Always));
    }
}
