//! `working-tree-encoding` for every name that iconv knows.

use git_repository::tree;
use std::process::Command;

use crate::repository::{Repository, bundle};

/// Texts of several kinds. Unencodable text must be kept, as in git.
const TEXTS: [&str; 25] = [
    "plain\n",
    "~{}[]\\|^$#@`\t\r\n\u{7f}",
    "Gr\u{fc}\u{df}e \u{e9}\u{e8}\u{f1}\u{e5}\u{e6}\u{f8}\n",
    "\u{20ac}\n",
    "\u{10d}\u{159}\u{17e}\u{142}\u{151}\u{163}\n",
    "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}\n",
    "\u{3ba}\u{3b1}\u{3bb}\u{3ac}\n",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}\n",
    "\u{645}\u{631}\u{62d}\u{628}\u{627}\n",
    "\u{e2a}\u{e27}\u{e31}\u{e2a}\u{e14}\u{e35}\n",
    "\u{65e5}\u{672c}\u{8a9e} abc \u{30c6}\u{30b9}\u{30c8}\n",
    "\u{4e2d}\u{6587}\u{5b57}\n",
    "\u{d55c}\u{ad6d}\u{c5b4}\n",
    "\u{2460}\u{2160}\u{3231}\u{ff5e}\u{301c}\u{2212}\u{ff0d}\u{2014}\u{2015}\u{2225}\n",
    "\u{2500}\u{2502}\u{2588}\u{2591}\n",
    "\u{ff71}\u{ff72}\u{ff73}\n",
    "\u{1f980}\n",
    "\u{20021} \u{2000b}\n",
    "a\u{e0041}b\n",
    "\u{feff}x\n",
    "\u{1ea1}\u{1ed1} e\u{301} \u{ca}\u{304} \u{304b}\u{309a}\n",
    "+a+\u{fc}+-\u{fc}-\u{fc}a\n",
    "\u{a5}a\\~\u{203e}b\u{65e5}\u{a5}\u{65e5}c\n",
    "\u{a5}\n",
    "\u{535}\u{580} \u{10d0}\u{10d1} \u{4d8}\u{49b} \u{1e02}\u{175}\n",
];

/// Encodings that aren't supported, because the bytes of a character depend on its neighbours.
const NOT_MADE: [&str; 15] = [
    "CSISO2022CN",
    "ISO-2022-CN",
    "ISO2022CN",
    "CSISO2022JP2",
    "ISO-2022-JP-2",
    "ISO2022JP2",
    "CSISO2022KR",
    "ISO-2022-KR",
    "ISO2022KR",
    "ISO-2022-CN-EXT",
    "ISO2022CNEXT",
    "ISO-2022-JP-3",
    "TSCII",
    "UTF-7-IMAP",
    "x",
];

fn check(names: &[&str], texts: &[&str]) {
    let repository = Repository::new();
    let mut attributes = Vec::new();
    let mut files = Vec::new();
    for (n, name) in names.iter().enumerate() {
        attributes.push(format!("{n}/* working-tree-encoding={name}\n"));
        files
            .extend(texts.iter().enumerate().map(|(t, text)| (format!("{n}/{t}"), "100644", text.as_bytes().to_vec())));
    }
    files.push((".gitattributes".into(), "100644", attributes.concat().into_bytes()));
    repository.import(&files);
    let (ours, gits) =
        (tree(&repository.zip().unwrap().0), tree(&repository.git(&["archive", "--format=zip", "HEAD"])));
    assert!(ours.keys().eq(gits.keys()));
    let mut wrong = Vec::new();
    for (path, (_, expected)) in &gits {
        let (_, found) = &ours[path];
        if found != expected {
            let path = String::from_utf8_lossy(path).into_owned();
            let name = path.split('/').next().and_then(|n| names.get(n.parse::<usize>().ok()?));
            wrong.push(format!("{name:?} {path}: {found:02x?}, expected {expected:02x?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), gits.len(), wrong.join("\n"));
}

/// All names that iconv lists. Empty if it isn't that of the GNU C library.
fn known() -> Vec<String> {
    let Ok(version) = Command::new("iconv").arg("--version").output() else { return Vec::new() };
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    if !["GLIBC", "GNU libc"].iter().any(|name| version.contains(name)) {
        return Vec::new();
    }
    let listed = String::from_utf8(Command::new("iconv").arg("-l").output().unwrap().stdout).unwrap();
    let names = listed.lines().map(|line| line.trim().trim_end_matches('/').to_owned());
    names.filter(|name| !name.is_empty() && !NOT_MADE.contains(&name.as_str())).collect()
}

#[test]
fn every_name_of_iconv_is_converted() {
    let known = known();
    let names: Vec<_> = known.iter().map(String::as_str).collect();
    check(&names, &TEXTS);
}

#[test]
fn names_are_known_in_any_case() {
    check(
        &["cp932", "Latin9", "ucs-2be", "Windows-1252", "x-sjis", "iso_8859-1", "Cp437/", "nonsense", "utf-8"],
        &TEXTS,
    );
}

#[test]
fn a_file_in_cp932_is_converted() {
    bundle("cp932.bundle").check();
}
