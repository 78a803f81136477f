//! Malicious archives: each is refused for the stated reason, and never becomes a zip of ours.

use contract::Retry;
use provider_zip::{ProviderError, ProviderZip, TopFolder};

use crate::{
    hand::{DEFLATED, Entry, LINK, SIGNED, STORED, UTF8, extra, zip, zip64},
    takeover::{TOP, refused, taken},
};

fn check(name: &str, archive: &[u8], expected: &ProviderZip<'_>, message: &str) {
    let error = refused(archive, expected);
    assert_eq!(error.to_string(), message, "{name}");
    assert_eq!(error.retry(), Retry::Never, "{name}");
}

/// An entry with this full name.
fn named(name: &[u8]) -> Entry {
    Entry::new("", b"x").both(|header| header.name = name.to_vec())
}

fn a() -> Entry {
    Entry::new("a", b"content of a")
}

#[test]
fn a_name_that_leads_out() {
    for name in [
        "../x",
        "x/../../y",
        "x/..",
        "..",
        ".",
        "./x",
        "x/./y",
        "/etc/passwd",
        "//x",
        "x//y",
        "",
        "/",
        "x//",
        "x/\0",
        "x\0/../y",
        "..\\x",
        "x\\..\\y",
        "x/\\y",
        "\\\\server\\share",
        "x\\",
        ".git/config",
        "x/.git/hooks/post-checkout",
        "x/.GIT/config",
        "x/git~1/config",
        "x/.git./config",
        "x/.git ",
        "x/.git::$INDEX_ALLOCATION/config",
        "x/.g\u{200c}it/config",
        ".git/",
    ] {
        for top_folder in [TopFolder::Always, TopFolder::Never, TopFolder::Named("x".to_owned())] {
            let archive = zip(&[named(name.as_bytes()).both(|header| header.flags = UTF8)]);
            let error = refused(&archive, &ProviderZip { top_folder, ..TOP });
            assert!(matches!(&error, ProviderError::Path { path } if path == name), "{name:?}: {error:?}");
            assert_eq!(error.retry(), Retry::Never);
        }
    }
}

#[test]
fn unsafe_top_folder_is_refused() {
    for top in ["..", ".git", "", "."] {
        let archive = zip(&[named(format!("{top}/x").as_bytes())]);
        assert!(matches!(refused(&archive, &TOP), ProviderError::Path { .. }), "{top:?}");
    }
}

#[test]
fn ambiguous_names_are_refused_or_dropped() {
    let latin = named(b"top/\xff").both(|header| header.flags = UTF8);
    check("no UTF-8", &zip(&[latin]), &TOP, r#"the archive has an entry that no zip may have: "top/\xff""#);
    // Info-ZIP's field with a second name is dropped.
    let second = [&[1], crc32fast::hash(b"top/a").to_le_bytes().as_slice(), b"../b"].concat();
    let unicode = a().both(|header| header.extra = extra(0x7075, &second));
    assert_eq!(taken(&zip(&[unicode]), &TOP).into_keys().collect::<Vec<_>>(), [b"a"]);
}

#[test]
fn names_that_collide() {
    let folder = |name| Entry::new(name, b"").with(|entry| entry.mode = 0o040_755);
    let link = |name| Entry::new(name, b"/etc").with(|entry| entry.mode = LINK);
    for (first, second) in [
        (a(), a()),
        (folder("a/"), folder("a/")),
        (a(), folder("a/")),
        (folder("a/"), a()),
        (Entry::new("a/b", b""), a()),
        (a(), Entry::new("a/b", b"")),
        (a(), Entry::new("a/b/c/d", b"")),
        (link("a"), Entry::new("a/passwd", b"")),
        (Entry::new("a/passwd", b""), link("a")),
        (link("a"), folder("a/b/")),
        (link("a"), a()),
    ] {
        // With others between them, and one that sorts between a folder's name and its content.
        let between = [Entry::new("a-b", b""), Entry::new("b", b"")];
        let path = String::from_utf8(second.line.name.clone()).unwrap();
        let archive = zip(&[&[first], between.as_slice(), &[second]].concat());
        let message = format!("the archive's entry {path:?} collides with one before it");
        check(&path, &archive, &TOP, &message);
    }
    let both = [Entry::new("a/b", b""), folder("a/"), Entry::new("a/c", b"")];
    assert_eq!(taken(&zip(&both), &TOP).len(), 3);
}

#[test]
fn a_directory_that_says_something_else() {
    type Lie = fn(&mut Entry);
    let lies: [(&str, Lie); 13] = [
        ("name", |entry| entry.line.name = b"top/b".to_vec()),
        ("name", |entry| entry.line.name = b"top/a/".to_vec()),
        ("name", |entry| entry.line.name = b"a".to_vec()),
        ("name", |entry| entry.line.flags = UTF8),
        ("CRC-32", |entry| entry.line.crc ^= 1),
        ("length", |entry| entry.line.size += 1),
        ("length", |entry| entry.line.packed -= 1),
        ("length", |entry| (entry.line.size, entry.line.packed) = (0, 0)),
        ("length", |entry| (entry.line.size, entry.line.extra) = (u32::MAX, zip64(&[1 << 40]))),
        ("method", |entry| entry.line.method = DEFLATED),
        ("offset", |entry| entry.offset = Some(0)),
        ("offset", |entry| entry.offset = Some(1 << 20)),
        ("offset", |entry| (entry.offset, entry.line.extra) = (Some(u32::MAX), zip64(&[1 << 40]))),
    ];
    for (field, lie) in lies {
        let archive = zip(&[Entry::new("first", b"1"), a().with(lie), Entry::new("last", b"2")]);
        let message = format!("the archive's directory contradicts the entry \"top/a\": its {field} is another");
        check(field, &archive, &TOP, &message);
    }
    // Two entries are swapped in the directory, or share data.
    let [one, two] = [Entry::new("a", b"one"), Entry::new("b", b"two")];
    let swapped = zip(&[
        one.clone().with(|entry| entry.line = two.line.clone()),
        two.clone().with(|entry| entry.line = one.line.clone()),
    ]);
    check("swapped", &swapped, &TOP, r#"the archive's directory contradicts the entry "top/a": its name is another"#);
}

#[test]
fn a_mode_that_is_no_gits() {
    let is = |mode: u32, name: &str| Entry::new(name, b"").with(|entry| entry.mode = mode);
    for (name, mode) in [("a/", 0o120_777), ("a/", 0o100_644), ("a/", 0o020_666)] {
        let message = "the archive's entry \"top/a/\" is a folder by its name and something else by its mode";
        check(name, &zip(&[is(mode, name)]), &TOP, message);
    }
    for mode in [0o040_755, 0o020_666, 0o060_666, 0o010_644, 0o140_755] {
        let message = "the archive's entry \"top/a\" is neither a file nor a link by its mode";
        check("device", &zip(&[is(mode, "a")]), &TOP, message);
    }
    // Set-user-id and write permission for all are dropped, and DOS modes are ignored.
    for (mode, system, expected) in
        [(0o106_777, 3, 0o100_100), (0o100_666, 3, 0o100_000), (0o120_777, 0, 0o100_000), (0o120_777, 19, 0o120_000)]
    {
        let archive = zip(&[is(mode, "a").with(|entry| entry.system = system)]);
        assert_eq!(taken(&archive, &TOP)[b"a".as_slice()].0, expected, "{mode:o}");
    }
}

#[test]
fn features_that_are_not_taken_over() {
    for (method, flags, reason) in [
        (STORED, 1, "is encrypted"),
        (DEFLATED, 0x41, "is encrypted"),
        (99, 0, "is encrypted by AES"),
        (9, 0, "is compressed by deflate64"),
        (12, 0, "is compressed by bzip2"),
        (14, 0, "is compressed by LZMA"),
        (93, 0, "is compressed by Zstandard"),
        (1, 0, "is compressed by a method of the eighties"),
        (1234, 0, "is compressed by a method that isn't known here"),
        (DEFLATED, 0x20, "has features that aren't known here"),
        (STORED, 0x2000, "has features that aren't known here"),
    ] {
        let entry = a().both(|header| (header.method, header.flags) = (method, flags));
        check(reason, &zip(&[entry]), &TOP, &format!("the archive's entry \"top/a\" {reason}"));
    }
    let endless = a().described(SIGNED);
    let message = "the archive's entry \"top/a\" is stored without its length in front of it: its end can't be found";
    check("stored, described", &zip(&[endless]), &TOP, message);
    let disk = a().with(|entry| entry.disk = 1);
    assert!(refused(&zip(&[disk]), &TOP).to_string().ends_with("it has more than one disk"));
}
