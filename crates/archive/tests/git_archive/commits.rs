//! Commits that no current Git would create, but that exist in repositories: those that
//! `git archive` accepts give the same zip, and those that it refuses give an error with their ID.

use archive::ArchiveError;

use crate::repository::{Repository, bundle};

/// A file with all placeholders of a commit.
const FORMATS: [&str; 26] = [
    "%an", "%aN", "%ae", "%aE", "%al", "%aL", "%ad", "%aD", "%at", "%ai", "%aI", "%as", "%cn", "%ce", "%cd", "%ct",
    "%ci", "%cI", "%s", "%f", "%b", "%B", "%e", "%P", "%T", "%H",
];

/// Files with other content before it: git converts the whole result so far to the commit's
/// encoding.
const MIXED: [(&str, &str); 8] = [
    ("f-before", "\u{fc}\u{65e5} <$Format:%s$>\n"),
    ("f-behind", "<$Format:%an$> \u{fc}\u{41f}\n"),
    ("f-often", "\u{fc} $Format:%s$ a $Format:%an$ \u{fc} $Format:%B$ \u{e9}$Format:%H$\n"),
    ("f-nothing", "\u{fc}\u{41f}\u{65e5}\u{1f980}\n$Format:$ $Format:x$\n"),
    ("f-within", "$Format:\u{fc}\u{65e5}$ $Format:%h$ \u{fc}\n"),
    (
        "f-odd",
        "\u{fc}$Format:%n%x41%C(red)%gd%m%d$ $Format:%q$ \u{fc}$Format:%x4$ \u{fc}$Format:%$ \u{e9}$Format:%+q%%$ \u{e9}$Format:% e$\n",
    ),
    ("f-trimmed", "x$Format:%s%n%n%n%n$$Format:%-gd\u{e9}%s$\n\n$Format:%-gd\u{fc}%an$\n"),
    ("f-none", "\u{fc} $Format:%s\n"),
];

/// A repository whose `HEAD` is a commit with these lines after its tree.
fn with(headers: &[u8]) -> Repository {
    let repository = Repository::new();
    let line =
        |(n, format): (usize, &&str)| (format!("f{n:02}"), "100644", format!("<$Format:{format}$>").into_bytes());
    let mut files: Vec<_> = FORMATS.iter().enumerate().map(line).collect();
    files.extend(MIXED.map(|(name, content)| (name.to_owned(), "100644", content.as_bytes().to_vec())));
    files.push((".gitattributes".into(), "100644", b"f* export-subst\n".to_vec()));
    repository.import(&files);
    let tree = repository.git(&["rev-parse", "HEAD^{tree}"]);
    let commit = [b"tree ".as_slice(), tree.trim_ascii(), b"\n", headers].concat();
    let id = repository.git_with(&["hash-object", "-t", "commit", "-w", "--stdin", "--literally"], &commit);
    repository.write(".git/refs/heads/main", id);
    repository
}

#[test]
fn strange_commits_become_gits_zip() {
    let headers: [&[u8]; 28] = [
        b"author A 1282910542 +0200\ncommitter A 1282910542 +0200\n\nsubject\n",
        b"author A <a@example.com> 1 +0000\ncommitter C <c@example.com> 1700000000 +0130\nencoding UTF-8\n\nx\n",
        b"author A <a@example.com> 1 +0000\ncommitter C <c@example.com> 1700000000 -0130\n\n\n  \nsubject \t\nmore\n \n\nbody\n\n",
        b"\nno headers\n",
        b"committer C <c@example.com> 1700000000 +0000\n\nno author\n",
        b"author A <a@example.com> 1700000000 +0000\n\nno committer\n",
        b"committer C <c> 1700000000 +0000\nauthor A <a> 1600000000 +0000\n\nreversed\n",
        b"author A <a> 1 +0000\nauthor B <b> 2 +0000\ncommitter C <c> 3 +0000\ncommitter D <d> 4 +0000\n\ndoubled\n",
        b"author A <a> 1700000001 +0000\r\ncommitter C <c> 1700000000 +0000\r\n\r\nsubject\r\n\r\nbody\r\n",
        b"author A <a> 1700000001 +0000\ncommitter C <c> 1700000000 +0000\n\nsubject\r\nmore\r\n\r\nbody\r\n",
        b"author  A  B  < a > 1700000001 +0000\ncommitter <> 1700000000 +0000\n\nx",
        b"author A <a> <b> 1700000001 +0000\ncommitter C <c>> 1700000000 +0000\n\nx",
        b"author A <a>\ncommitter C <c>\n\nx",
        b"author A <a> x\ncommitter C <c> 17 x\n\nx",
        b"author A <a> 1700000001\ncommitter C <c> 1700000000\n\nx",
        b"author A <a> 1700000001 +9999\ncommitter C <c> 1700000000 -2560\n\nx",
        b"author A <a> 1700000001 +51800\ncommitter C <c> 1700000000 +1\n\nx",
        b"author A <a> 99999999999999999999 +0000\ncommitter C <c> 1700000000 +0000\n\nx",
        b"author A <a> 0 +0000\ncommitter C <c> 0 +0000\n\nx",
        b"author A <a> 253402300800 +0000\ncommitter C <c> 951827696 +0000\n\nx",
        b"author A <a> 1700000001 +0000\ncommitter C <c> 1700000000 +0000\nmergetag object x\n type commit\n\nx",
        b"author A <a> 1700000001 +0000\ncommitter C <c> 1700000000 +0000\ngpgsig -----BEGIN\n \n -----END\nencoding\n\nx",
        b"mergetag x\nauthor A <a> 1700000001 +0000\ncommitter C <c> 1700000000 +0000\n\nx",
        b"author A <a> 1700000001 +0000\ncommitter C <c> 1700000000 +0000\nencoding nonsense\n\n\xfc\n",
        b"author \xfc <\xfc@example.com> 1700000001 +0000\ncommitter C <c> 1700000000 +0000\n\n\xfc\n",
        b"author A <a> 1700000001 +0000\ncommitter C <c> 1700000000 +0000\n\n",
        b"author A <a> 1700000001 +0000\ncommitter C <c> 1700000000 +0000\nencoding ISO-8859-1\nencoding UTF-8\n\nsubject\n",
        b"author A \xfc <a> 1700000001 +0000\ncommitter C <c> 1700000000 +0000\nencoding ISO-8859-1\n\nGr\xfc\xdfe\n",
    ];
    for headers in headers {
        eprintln!("{}", String::from_utf8_lossy(headers));
        with(headers).check();
    }
}

/// Messages in encodings, by the names in their headers.
const MESSAGES: [(&str, &[u8]); 33] = [
    ("ISO-8859-1", b"Gr\xfc\xdfe aus\nK\xf6ln\n\nmehr \xe9\n"),
    ("iso-8859-1", b"plain\n"),
    ("latin1", b"\xc3\xa9 doubled\n"),
    ("latin-1", b"Gr\xfc\xdfe\n"),
    ("ISO-8859-15", b"\xa4 is euro\n"),
    ("ISO-8859-2", b"P\xf8\xedli\xb9 \xbelu\xbbou\xe8k\xfd\n"),
    ("windows-1252", b"\x80 \x93quoted\x94\n"),
    ("CP1252", b"\x81 is not there\n"),
    ("windows-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2\n\n\xec\xe8\xf0\n"),
    ("KOI8-R", b"\xf0\xd2\xc9\xd7\xc5\xd4\n"),
    ("Shift_JIS", b"\x93\xfa\x96\x7b\x8c\xea \x83\x5c\x83\x7c.\n\n\x83\x5c\x0a"),
    ("SJIS", b"\xb1\xb2\xb3 \x81\x60\n"),
    ("CP932", b"\x87\x40 \x81\x60\x81\x7c \xfa\x40\n"),
    ("EUC-JP", b"\xc6\xfc\xcb\xdc\xb8\xec \x8e\xb1 \xa1\xc1\n"),
    ("ISO-2022-JP", b"\x1b$BF|K\\8l\x1b(B abc\n\n\x1b$BF|\x1b(B\n"),
    ("csISO2022JP", b"\x1b$B!A!]\x1b(J\\~\x1b(B\\~ \x1b$BF|\x1b(B\n"),
    ("ISO-2022-JP", b"\x1b(I123\x1b(B broken\n"),
    ("csShiftJIS", b"\\~ \x81\x50 \x81\x5f\n"),
    ("GBK", b"\xd6\xd0\xce\xc4 \x81\x40\n"),
    ("GB18030", b"\xd6\xd0 \x81\x30\x84\x36\n"),
    ("GB2312", b"\xd6\xd0\xce\xc4\n"),
    ("Big5", b"\xa4\xa4\xa4\xe5 \xa5\x5c\n"),
    ("EUC-KR", b"\xc7\xd1\xb1\xb9\n"),
    ("CP949", b"\xc7\xd1\xb1\xb9 \x81\x41\n"),
    ("UTF-8", b"\xc3\xbc\n"),
    ("utf8", b"\xc3\xbc \xff\n"),
    ("nonsense", b"\xfc\n"),
    ("US-ASCII", b"plain\n"),
    ("ASCII", b"\xfc\n"),
    ("Shift_JIS", b"\xff\xff broken \x93\n"),
    ("EUC-JP", b"\xc6 broken\n"),
    ("TIS-620", b"\xca\xc7\xd1\xca\xb4\xd5\n"),
    ("CP437", b"\x81 \xe1\n"),
];

#[test]
fn messages_in_other_encodings_become_gits() {
    for (label, message) in MESSAGES {
        eprintln!("{label} {message:02x?}");
        let name = message.split(|byte| *byte == b'\n').next().unwrap();
        let author = [b"author ", name, b" <a@example.com> 1700000001 +0000\n"].concat();
        let committer = b"committer C <c@example.com> 1700000000 +0000\n";
        let encoding = format!("encoding {label}\n\n").into_bytes();
        with(&[&author, committer.as_slice(), &encoding, message].concat()).check();
    }
}

#[test]
fn malformed_commit_is_not_called_damaged() {
    for headers in [&b"parent x\n\nx"[..], b"parent 1234\n\nx"] {
        let error = with(headers).zip().unwrap_err();
        assert!(matches!(error, ArchiveError::Malformed { .. }), "{error:?}");
    }
}

#[test]
fn a_commit_without_email_is_zipped() {
    bundle("commit-without-email.bundle").check();
}

#[test]
fn a_message_in_latin1_is_zipped() {
    bundle("message-in-latin1.bundle").check();
}
