//! `.gitattributes` have the same effect on our zips as on git's.

use git_repository::tree;
use proptest::prelude::*;

use crate::repository::Repository;

#[test]
fn attributes_are_applied() {
    let repository = Repository::new();
    repository.write(
        ".gitattributes",
        "*.bat text eol=crlf\n*.sh text eol=lf\n*.id ident\nsecret export-ignore\ndocs export-ignore\n\
         *.latin text working-tree-encoding=ISO-8859-1\n*.auto text=auto\n*.filtered filter=evil\nsub/*.keep -export-ignore\n",
    );
    repository.write("run.bat", "one\ntwo\n");
    repository.write("run.sh", "one\ntwo\n");
    repository.write("version.id", "$Id$\n");
    repository.write("secret", "left out");
    repository.write("docs/guide.md", "left out");
    repository.write("green.latin", b"gr\xfcn\n");
    repository.write("x.auto", "a\nb\n");
    repository.write("x.filtered", "unchanged\n");
    repository.write("sub/.gitattributes", "*.txt export-ignore\n");
    repository.write("sub/a.txt", "left out");
    repository.write("sub/a.keep", "kept");
    repository.commit();
    repository.check();
    repository.git(&["gc", "-q"]);
    let (zip, _) = repository.zip().unwrap();
    repository.check();
    assert!(!tree(&zip).contains_key(b"docs/".as_slice()));
}

/// A repository with these `.gitattributes` and files.
fn with(attributes: &str, files: &[(&str, &[u8])]) -> Repository {
    let repository = Repository::new();
    let mut all = vec![(".gitattributes".to_owned(), "100644", attributes.as_bytes().to_vec())];
    all.extend(files.iter().map(|(path, content)| ((*path).to_owned(), "100644", content.to_vec())));
    repository.import(&all);
    repository
}

#[test]
fn line_endings_match_git_archive() {
    let attributes = "*.1 eol=crlf\n*.2 text eol=crlf\n*.3 -text eol=crlf\n*.4 text=auto eol=crlf\n*.5 binary eol=crlf\n\
        *.6 text\n*.7 text=auto\n*.8 crlf\n*.9 crlf eol=crlf\n*.10 -crlf eol=crlf\n*.11 crlf=input eol=crlf\n\
        *.12 text=input eol=crlf\n*.13 eol=lf\n*.14 eol=crlf\n*.14 !eol\n*.15 eol\n*.16 text=foo eol=crlf\n\
        [attr]dos text eol=crlf\n*.17 dos\n*.18 -text crlf eol=crlf\n*.19 !text eol=crlf\n";
    let contents: [&[u8]; 7] = [b"", b"a\nb", b"a\nb\r\n", b"a\rb\n", b"\0\n", b"\r\n", b"\n\n\x1a"];
    let files: Vec<_> = (1..=19)
        .flat_map(|kind| contents.iter().enumerate().map(move |(n, content)| (format!("{n}.{kind}"), *content)))
        .collect();
    let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
    with(attributes, &files).check();
}

#[test]
fn encodings_are_those_of_a_checkout() {
    let labels = [
        "UTF-16",
        "utf16",
        "UTF-16LE",
        "UTF-16BE",
        "UTF-16LE-BOM",
        "utf-16be-bom",
        "UTF-32",
        "UTF-32LE",
        "utf-32be",
        "UTF-8",
        "ISO-8859-1",
        "latin1",
        "US-ASCII",
        "ISO-8859-2",
        "Windows-1252",
        "Shift_JIS",
        "GBK",
        "KOI8-R",
        "nonsense",
    ];
    let line = |label: &&str| format!("*.{label} working-tree-encoding={label}\n");
    let attributes = labels.iter().map(line).collect::<Vec<_>>().concat();
    let contents: [&[u8]; 6] =
        [b"", b"plain\n", "gr\u{fc}n\n".as_bytes(), "\u{65e5}\u{672c}\n".as_bytes(), "\u{1f980}".as_bytes(), b"\xff\n"];
    let names: Vec<_> =
        labels.iter().flat_map(|label| (0..contents.len()).map(move |n| format!("{n}.{label}"))).collect();
    let files: Vec<_> =
        names.iter().zip(contents.iter().cycle()).map(|(name, content)| (name.as_str(), *content)).collect();
    with(&attributes, &files).check();
}

#[test]
fn byte_order_mark_matches_git() {
    let files: [(&str, &[u8]); 3] = [("a", b"x\n"), ("b", b"x\n"), ("c", b"x\n")];
    for mark in ["\u{feff}", "\u{feff} ", "\u{feff}\n", "\n\u{feff}", "\u{feff}\u{feff}"] {
        with(&format!("{mark}a export-ignore\nb export-ignore\n"), &files).check();
        with(&format!("{mark}[attr]x export-ignore\na x\nb export-ignore\n"), &files).check();
    }
}

#[test]
fn overlong_attribute_lines_match_git() {
    for length in [2046, 2047, 2048, 2049, 5000] {
        let filled = |line: &str, with: &str| format!("{line}{}\n", with.repeat(length - line.len()));
        let attributes = [
            filled("a export-ignore", " "),
            filled("b export-ignore", "\t"),
            filled("c eol=crlf ", "z"),
            filled("[attr]m export-ignore ", "z"),
            format!("{}d export-ignore\n", " ".repeat(length - 15)),
            filled("# ", "x"),
            "e m\nf export-ignore\n".to_owned(),
        ];
        let files = ["a", "b", "c", "d", "e", "f"].map(|path| (path, b"x\n".as_slice()));
        with(&attributes.concat(), &files).check();
    }
}

#[test]
fn macros_expand_as_gits_do() {
    let attributes = "[attr]crlf-text text eol=crlf\n[attr]out export-ignore\n[attr]both out crlf-text ident\n[attr]binary -text ident\n\
        [attr]self self export-ignore\n[attr]one two\n[attr]two one export-ignore\n[attr]-bad export-ignore\n[attr] spaced export-ignore\n\
        [attr]late later\n[attr]later export-ignore\n[attr]no -out eol=crlf\n[attr]value=1 export-ignore\n\
        *.1 crlf-text\n*.2 out\n*.3 both -out\n*.4 binary eol=crlf\n*.5 self\n*.6 one\n*.7 -bad\n*.8 spaced\n*.9 late\n*.10 no\n\
        *.11 both\n*.11 !export-ignore\n*.12 -both\n*.13 !out\n*.14 out=1\n*.15 both !out\n*.16 -out both\n*.17 binary -binary text eol=crlf\n";
    let names: Vec<_> = (1..=17).flat_map(|n| ["a", "sub/a"].map(|path| format!("{path}.{n}"))).collect();
    let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), b"$Id$\na\n".as_slice())).collect();
    files.push(("sub/.gitattributes", b"[attr]out eol=crlf\n[attr]inner export-ignore\n*.1 inner\n*.2 -out\n"));
    with(attributes, &files).check();
}

#[test]
fn conversions_work_together() {
    let attributes = "*.a ident eol=crlf\n*.b ident working-tree-encoding=UTF-16LE-BOM\n*.c ident export-subst eol=crlf\n\
        *.d export-subst working-tree-encoding=UTF-16LE\n";
    let content = b"one $Id$\ntwo $Format:%H$\n$Id: abc $\n".as_slice();
    with(attributes, &[("x.a", content), ("x.b", content), ("x.c", content), ("x.d", content)]).check();
}

#[test]
fn export_ignore_on_folders_matches_git() {
    let attributes = "a/b export-ignore\nc/* export-ignore\nd/e/f/ export-ignore\nmodule/ export-ignore\nk export-ignore\n\
        k/kept -export-ignore\n\"l m\" export-ignore\nn/**/o export-ignore\n**/p export-ignore\nq/ export-ignore\n";
    let files = [
        "a/b/x",
        "c/x",
        "c/y",
        "d/e/f/x",
        "d/e/z/y/x",
        "g/h/i/x",
        "j",
        "k/kept",
        "l m/x",
        "n/1/2/o/x",
        "r/s/p/x",
        "t/p",
        "q",
    ];
    let files: Vec<_> = files.iter().map(|path| (*path, b"x".as_slice())).collect();
    let repository = with(attributes, &files);
    let commit = String::from_utf8(repository.git(&["rev-parse", "HEAD"])).unwrap();
    for module in ["module", "other", "c/module"] {
        let entry = format!("160000,{},{module}", commit.trim());
        repository.git(&["read-tree", "HEAD"]);
        repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
        repository.git(&["commit", "-q", "-m", module]);
    }
    repository.check();
}

#[test]
fn executable_and_linked_gitattributes_match_git() {
    let repository = Repository::new();
    repository.import(&[
        (".gitattributes".into(), "100755", b"a export-ignore\n".to_vec()),
        ("sub/.gitattributes".into(), "100644", b"[attr]macro export-ignore\na macro\nb export-ignore\n".to_vec()),
        ("sub/a".into(), "100644", b"x".to_vec()),
        ("sub/b".into(), "100644", b"x".to_vec()),
        ("a".into(), "100644", b"x".to_vec()),
        ("link/.gitattributes".into(), "120000", b"c export-ignore".to_vec()),
        ("link/c".into(), "100644", b"x".to_vec()),
        ("c".into(), "100644", b"x".to_vec()),
    ]);
    repository.check();
}

#[test]
fn local_configuration_and_filters_are_ignored() {
    let attributes = "* filter=evil\nkept text=auto\n";
    let repository = with(attributes, &[("kept", b"a\nb\n"), ("x", b"x")]);
    let (before, _) = repository.zip().unwrap();
    let marker = repository.path().join("filter-has-run");
    let command = format!("touch '{}'; cat", marker.display());
    for (key, value) in [
        ("core.autocrlf", "true"),
        ("core.eol", "crlf"),
        ("core.ignorecase", "true"),
        ("filter.evil.smudge", &command),
        ("filter.evil.required", "true"),
        ("filter.evil.process", &command),
    ] {
        repository.git(&["config", key, value]);
    }
    repository.write(".git/info/attributes", "kept export-ignore\nx eol=crlf\n");
    repository.write(".gitattributes", "* export-ignore\n");
    assert!(repository.zip().unwrap().0 == before);
    assert!(!marker.exists());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]
    #[test]
    fn random_attributes_match_git_archive(
        lines in prop::collection::vec((
            prop::sample::select(vec!["*", "a", "b/", "/a", "b/*", "**/c", "a/**", "*.x", "[ab]", "b/c", "d*", "./a", "b/**/a"]),
            prop::collection::vec(prop::sample::select(vec![
                "export-ignore", "-export-ignore", "!export-ignore", "export-subst", "ident", "-ident", "text", "text=auto",
                "-text", "eol=crlf", "eol=lf", "!eol", "binary", "working-tree-encoding=UTF-16", "export-ignore=yes",
            ]), 1..4),
        ), 0..6),
        nested in prop::collection::vec((
            prop::sample::select(vec!["*", "a", "/c", "*.x"]),
            prop::sample::select(vec!["export-ignore", "-export-ignore", "-text", "eol=crlf", "!ident"]),
        ), 0..3),
        paths in prop::collection::btree_set(
            prop::sample::select(vec!["a", "b/a", "b/c/a", "b/c/d.x", "c/a", "d.x", "d/b/c", "e/a/b", "a.x"]), 1..9),
    ) {
        let line = |(pattern, attributes): &(&str, Vec<&str>)| format!("{pattern} {}\n", attributes.join(" "));
        let attributes = lines.iter().map(line).collect::<Vec<_>>().concat();
        let line = |(pattern, attribute): &(&str, &str)| format!("{pattern} {attribute}\n");
        let nested = nested.iter().map(line).collect::<Vec<_>>().concat();
        let content = b"$Id$\n$Format:%H$\nx\n".as_slice();
        let mut files: Vec<_> = paths.iter().map(|path| (*path, content)).collect();
        files.push(("b/.gitattributes", nested.as_bytes()));
        with(&attributes, &files).check();
    }
}
