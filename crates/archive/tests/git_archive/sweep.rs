//! All kinds of attributes at once, at several levels and in unusual spellings, with all kinds of
//! content: finds interactions that nobody thinks of.

use proptest::{prelude::*, sample::select};

use crate::repository::Repository;

type File = (String, &'static str, Vec<u8>);

/// Places of `.gitattributes`, and of files.
const FOLDERS: [&str; 5] = ["", "a/", "a/b/", "c/", "a/b/d e/"];
const NAMES: [&str; 9] = ["x", "y.txt", "z.bin", "a", "b", "\u{fc}.txt", "with space", "README", ".hidden"];

const PATTERNS: [&str; 30] = [
    "*",
    "*.txt",
    "x",
    "/x",
    "a/x",
    "a/",
    "a/**",
    "**/x",
    "b/*",
    "/a/b",
    "*.bin",
    "[xy]*",
    "?",
    "\"with space\"",
    "with*",
    "\"\\303\\274.txt\"",
    "\u{fc}*",
    "d*",
    "c",
    "\"d e/\"",
    ".*",
    "!x",
    "\\!x",
    "#x",
    "\"#x\"",
    "a/b/../x",
    "**",
    "/",
    "README*",
    "b",
];

/// Not an encoding that is only set or unset: `git archive` fails then.
const ATTRIBUTES: [&str; 60] = [
    "text",
    "-text",
    "!text",
    "text=auto",
    "text=input",
    "text=nonsense",
    "eol=lf",
    "eol=crlf",
    "-eol",
    "!eol",
    "eol",
    "eol=nonsense",
    "crlf",
    "-crlf",
    "crlf=input",
    "binary",
    "-binary",
    "!binary",
    "ident",
    "-ident",
    "!ident",
    "ident=x",
    "export-subst",
    "-export-subst",
    "!export-subst",
    "export-subst=x",
    "export-ignore",
    "-export-ignore",
    "!export-ignore",
    "export-ignore=yes",
    "working-tree-encoding=UTF-16",
    "working-tree-encoding=utf-16le",
    "working-tree-encoding=UTF-16LE-BOM",
    "working-tree-encoding=UTF-32",
    "working-tree-encoding=ISO-8859-1",
    "working-tree-encoding=CP932",
    "working-tree-encoding=cp1252",
    "working-tree-encoding=UTF-8",
    "working-tree-encoding=UTF-7",
    "working-tree-encoding=latin-1",
    "working-tree-encoding=ISO-2022-JP",
    "working-tree-encoding=IBM037",
    "working-tree-encoding=nonsense",
    "!working-tree-encoding",
    "working-tree-encoding=",
    "filter=x",
    "-filter",
    "diff=x",
    "merge=union",
    "m1",
    "-m1",
    "!m1",
    "m1=x",
    "m2",
    "-m2",
    "m3",
    "!m3",
    "x=y=z",
    "-x=y",
    "=x",
];

/// Unusual lines.
const ODD: [&str; 15] = [
    "",
    "# x text",
    "   ",
    "x",
    "\tx\ttext\t",
    "   *.txt   text    eol=crlf   ",
    "x text\r",
    "\r",
    "\"x text",
    "\"\" text",
    "\u{feff}x export-ignore",
    "x -",
    "x builtin_x",
    "[attr]",
    "[attr]x",
];

const CONTENTS: [&[u8]; 20] = [
    b"",
    b"a\nb\n",
    b"a\r\nb\r\n",
    b"a\r\nb\n",
    b"a\rb",
    b"no end",
    b"\n\n",
    b"\0\n",
    b"$Id$ $Id: x $ $Id$\n",
    b"$Id: no end\n$Id$\r\n",
    b"$Format:%H$ $Format:%s%n%an$\r\n",
    b"$Format:%d$ \xc3\xbc $Format:no end",
    "gr\u{fc}n\n".as_bytes(),
    "\u{65e5}\u{672c}\n$Id$\n".as_bytes(),
    "\u{1f980}\n".as_bytes(),
    "\u{feff}mark\n".as_bytes(),
    b"\xff\xfe\n",
    b"\xc3",
    b"\x1a\n",
    b"+a~\\ \xc2\xa5\n",
];

/// A line of attributes, or something similar.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let attributes = prop::collection::vec(select(&ATTRIBUTES[..]), 1..5).prop_map(|some| some.join(" "));
    let spaced = (
        select(&PATTERNS[..]),
        select(&[" ", "  ", "\t"][..]),
        attributes.clone(),
        select(&["", " ", "\r", " #x"][..]),
    );
    let spaced = spaced.prop_map(|(pattern, space, attributes, end)| format!("{pattern}{space}{attributes}{end}"));
    let made = (select(&["m1", "m2", "m3", "binary", "text", "-m"][..]), attributes)
        .prop_map(|(name, some)| format!("[attr]{name} {some}"));
    // The longest line that Git accepts, or a little longer.
    let long =
        (select(&PATTERNS[..]), select(&ATTRIBUTES[..]), 2040..2056_usize).prop_map(|(pattern, attribute, length)| {
            format!("{pattern:<length$}", length = length - attribute.len()) + attribute
        });
    prop_oneof![12 => spaced, 3 => made, 2 => select(&ODD[..]).prop_map(str::to_owned), 1 => long]
        .prop_map(String::into_bytes)
}

fn attributes() -> impl Strategy<Value = Vec<u8>> {
    let ends = select(&["\n", "\n", "\n", "\r\n", ""][..]);
    let begins = select(&["", "", "", "", "\u{feff}", "\u{feff}\u{feff}"][..]);
    (begins, prop::collection::vec(line(), 0..8), ends)
        .prop_map(|(begin, lines, end)| [begin.as_bytes(), &lines.join(&b'\n'), end.as_bytes()].concat())
}

fn files() -> impl Strategy<Value = Vec<File>> {
    let modes = || select(&["100644", "100644", "100644", "100755", "120000"][..]);
    let control = prop::collection::btree_map(
        select(&FOLDERS[..]),
        (select(&["100644", "100644", "100755"][..]), attributes()),
        1..5,
    );
    let file = (select(&FOLDERS[..]), select(&NAMES[..])).prop_map(|(folder, name)| format!("{folder}{name}"));
    let file = file.prop_filter("it is a folder", |path| !matches!(path.as_str(), "a" | "a/b"));
    let ordinary = prop::collection::btree_map(file, (modes(), select(&CONTENTS[..])), 1..16);
    (control, ordinary).prop_map(|(control, ordinary)| {
        let control =
            control.into_iter().map(|(folder, (mode, content))| (format!("{folder}.gitattributes"), mode, content));
        let quoted = |path: String| if path.contains(' ') { format!("\"{path}\"") } else { path };
        let all = control.chain(ordinary.into_iter().map(|(path, (mode, content))| (path, mode, content.to_vec())));
        // Neither git nor we can write a link with an empty target.
        let all = all.filter(|(_, mode, content)| *mode != "120000" || !content.is_empty() && !content.contains(&0));
        all.map(|(path, mode, content)| (quoted(path), mode, content)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, max_shrink_iters: 400, ..ProptestConfig::with_cases(tally::cases(60))
    })]
    #[test]
    fn combined_attributes_match_git_archive(files in files()) {
        let repository = Repository::new();
        repository.import(&files);
        repository.check();
    }
}
