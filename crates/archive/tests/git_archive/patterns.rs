//! Patterns of `.gitattributes` match exactly like git's.

use proptest::prelude::*;

use crate::repository::Repository;

/// Files to match, relative to the folder of the `.gitattributes`.
const PATHS: [&str; 14] =
    ["a", "b", "ab", "*", "[a]", "-", "aa/b", "b/a", "b/ab/a", "b/a/a/b", "a.b/x", "x/y\\z", "x/!b", "x/y/b"];

/// A repository with a folder for each pattern, in which only the pattern decides.
fn check(lines: &[Vec<u8>]) {
    let repository = Repository::new();
    let mut files = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        files.push((format!("{n}/.gitattributes"), "100644", line.clone()));
        let quoted = |path: &str| format!("\"{n}/{}\"", path.replace('\\', "\\\\"));
        files.extend(PATHS.iter().map(|path| (quoted(path), "100644", b"$Id$".to_vec())));
    }
    repository.import(&files);
    repository.check();
}

#[test]
fn rare_patterns_match_like_git() {
    let patterns = [
        "**",
        "***",
        "a**",
        "**a",
        "a**/b",
        "b**/a",
        "b/**/a",
        "b/**/b",
        "**/b",
        "**/a/",
        "/**/b",
        "b/**",
        "b/**/",
        "**/**/b",
        "**\\/b",
        "*/**/b",
        "b/*/a",
        "?",
        "??",
        "b?a",
        "[!a]",
        "[^a]",
        "[a-b]",
        "[]a]",
        "[[]a]",
        "[a",
        "[!]",
        "[-]",
        "[a-]b",
        "[[:alpha:]]",
        "[[:nothing:]]",
        "[[:punct:]]",
        "\\a",
        "\\*",
        "\\[a\\]",
        "x/y\\\\z",
        "x/y\\z",
        "\\!b",
        "x/\\!b",
        "a\\",
        "/",
        "//",
        "/a",
        "a/",
        "/b/",
        "b//",
        "./a",
        "../a",
        "*.b/",
        "*b",
        "*",
        "/*",
        "b/",
        "x/y",
        "x/*/b",
        "*a*",
        "x/[!y]",
        "x[/]y",
        "x?y",
    ];
    check(&patterns.map(|pattern| format!("{pattern} ident\n").into_bytes()));
}

#[test]
fn rare_attribute_lines_match_git() {
    let long = |length: usize| format!("a{}ident\n", " ".repeat(length - 6)).into_bytes();
    let lines: [&[u8]; 32] = [
        b"\xef\xbb\xbfa ident\n",
        b"b\n\xef\xbb\xbfa ident\n",
        b"a ident\n\0b ident\n",
        b"a ident\0 -ident\n",
        b"a\tident\r\nb ident\r\n",
        b"\r\t a ident\n",
        b"a ident",
        b"  # ident\n#a ident\n\\#a ident\n",
        b"!a ident\n",
        b"\"a\" ident\n",
        b"\"a\"ident\n",
        b"\"a\\142\" ident\n",
        b"\"\\141\\000b\" ident\n",
        b"\"a\\x\" ident\n",
        b"\"a ident\n",
        b"\"\" ident\n",
        b"\"!a\" ident\n",
        b"\"a \" ident\n",
        b"a -\n",
        b"a ident -\n",
        b"a ident =x\n",
        b"a ident -ident\n",
        b"a -ident ident\n",
        b"a ident builtin_x\n",
        b"a ident builtin_\n",
        b"a ident x=\n",
        b"a ident=\n",
        b"a -ident=x\n",
        b"a --ident\n",
        b"[attr]m ident\na m\n",
        b"[attr] ident\n",
        b"a ident \xff\n",
    ];
    let mut lines = lines.map(<[u8]>::to_vec).to_vec();
    lines.extend([long(2046), long(2047), long(2048), long(2049)]);
    check(&lines);
}

#[test]
fn attribute_macros_match_git() {
    let roots = [
        "[attr]m ident\na m\n",
        "a m\n[attr]m ident\n",
        "[attr]m ident\n[attr]m text\na m\n",
        "[attr]m n -ident\n[attr]n ident text\na m\n",
        "[attr]m -ident n\n[attr]n ident text\na m\n",
        "[attr]m m ident\na m\n",
        "[attr]m n ident\n[attr]n m\na m\n",
        "[attr]m ident\na -m\n",
        "[attr]m ident\na m\na -m\n",
        "[attr]m ident\na m\na !m\n",
        "[attr]m ident\na m=x\n",
        "[attr]binary ident\na binary\n",
        "[attr]ident eol=crlf\na ident\n",
        "[attr]m ident\n[attr]m -\na m\n",
        "[attr]-m ident\na -m\n",
        "[attr]builtin_m ident\na builtin_m\n",
        "\"[attr]m\" ident\na m\n",
        "\"[attr] m x\" ident\na m\n",
        "[attr]m eol=crlf\nb/* m\nb/a ident -m\nb/b m -eol\n",
    ];
    for root in roots {
        let repository = Repository::new();
        let mut files = vec![(".gitattributes".to_owned(), "100644", root.as_bytes().to_vec())];
        files.extend(["a", "b/a", "b/b"].map(|path| (path.to_owned(), "100644", b"$Id$\n".to_vec())));
        files.push(("b/.gitattributes".to_owned(), "100644", b"[attr]m -ident\n* x\nb m\n".to_vec()));
        repository.import(&files);
        repository.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]
    #[test]
    fn random_patterns_match_like_git(patterns in prop::collection::vec(
        prop::collection::vec(prop::sample::select(vec![
            "*", "**", "**/", "/**", "/", "a", "b", "?", "[", "]", "!", "-", "[a-b]", "[!b]", "\\", "x/", "y", ".", "[:", ":]", "alpha",
        ]), 1..6), 300)
    ) {
        let line = |pattern: Vec<&str>| format!("{} ident\n", pattern.concat()).into_bytes();
        check(&patterns.into_iter().map(line).collect::<Vec<_>>());
    }
}
