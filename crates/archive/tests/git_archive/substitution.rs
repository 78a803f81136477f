//! `$Format:...$` expands to the same text as in git.

use archive::{Options, Pushed};
use git_repository::{check_same, tree};

use crate::repository::Repository;

/// One file per format, so that a difference names it.
fn check(repository: &Repository, formats: &[&str]) {
    repository.write(".gitattributes", "format-* export-subst\n");
    for (n, format) in formats.iter().enumerate() {
        repository.write(&format!("format-{n}"), format!("<$Format:{format}$>\n"));
    }
    repository.git(&["add", "-A"]);
    repository.git(&["commit", "-q", "--amend", "--no-edit"]);
    repository.check();
}

const FORMATS: [&str; 98] = [
    "%H",
    "%h",
    "%T",
    "%t",
    "%P",
    "%p",
    "%an",
    "%aN",
    "%ae",
    "%aE",
    "%al",
    "%aL",
    "%ad",
    "%aD",
    "%at",
    "%ai",
    "%aI",
    "%as",
    "%cn",
    "%cN",
    "%ce",
    "%cE",
    "%cl",
    "%cL",
    "%cd",
    "%cD",
    "%ct",
    "%ci",
    "%cI",
    "%cs",
    "%s",
    "%f",
    "%b",
    "%B",
    "%e",
    "%d",
    "%D",
    "%n",
    "%%",
    "%x41",
    "%x4",
    "%x+1",
    "%",
    "%q",
    "a%Hb%hc",
    "%+s",
    "%-e",
    "% e",
    "%n%-e",
    "x%n%n%-ey",
    "%+e",
    "% s",
    "%+d",
    "%H %",
    "",
    "a\nb %s\n",
    "%(describe",
    "%a",
    "%c",
    "%ax",
    "%%H",
    "100% %s",
    "%m",
    "%+m",
    "%gd|%gD|%gs|%gn|%gN|%ge|%gE",
    "%+gd",
    "%-gd",
    "%gx",
    "%g",
    "%S",
    "%Cred%h%Creset",
    "%Cgreen%Cblue",
    "%Cyellow",
    "%C",
    "%C(red)x%C(reset)",
    "%C(auto)%d",
    "%C(nonsense)x",
    "%C(red",
    "%(decorate)",
    "%+(decorate)",
    "%(decorate:)",
    "%(decorate:prefix=,suffix=)",
    "%(decorate:prefix=<,suffix=>,separator=;,pointer=~,tag=T)",
    "%(decorate:separator=%x2C%n%%%x)",
    "%(decorate:prefix)",
    "%(decorate:prefix=a,prefix=b)",
    "%(decorate:nonsense=1)",
    "%(decorate:prefix=a,)",
    "%(decorate:prefix=a,,suffix=b)",
    "%(decorate:prefix==)",
    "%(decorate:prefixes=a)",
    "%(decorate",
    "%(decorates)",
    "%(decorate )",
    "%(decorate:tag=)%(decorate)",
    "%(nonsense)",
    "%(",
    "%()",
];

#[test]
fn every_placeholder_is_expanded() {
    let repository = Repository::new();
    repository.write("file", "x");
    repository.write(".mailmap", "Proper Name <proper@example.org> <author@example.com>\n");
    repository.commit();
    repository.git(&["checkout", "-q", "-b", "other"]);
    repository.git(&["commit", "-q", "--allow-empty", "-m", "other"]);
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&[
        "merge",
        "-q",
        "--no-ff",
        "-m",
        "  Merge: two -- things..\nsecond line  \n\n\nbody one\n\nbody two",
        "other",
    ]);
    check(&repository, &FORMATS);
}

#[test]
fn names_are_in_gits_order() {
    let repository = Repository::new();
    repository.write(".gitattributes", "format export-subst\n");
    repository.write("format", "$Format:%d|%D$ and $Format:unfinished");
    repository.commit();
    repository.git(&["tag", "v1"]);
    repository.git(&["tag", "-a", "-m", "x", "v2"]);
    for name in ["refs/remotes/origin/main", "refs/heads/zz", "refs/heads/aa/b", "refs/pull/1/head"] {
        repository.git(&["update-ref", name, "HEAD"]);
    }
    repository.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    repository.check();
    repository.git(&["pack-refs", "--all"]);
    repository.git(&["checkout", "-q", "--detach"]);
    repository.check();
}

#[test]
fn commit_is_described_by_its_tags() {
    let repository = Repository::new();
    for tag in ["v0.1", "nightly/1", "v0.2-rc1"] {
        repository.git(&["commit", "-q", "--allow-empty", "-m", tag]);
        repository.git(&["tag", "-a", "-m", tag, tag]);
        repository.git(&["tag", &format!("light-{}", tag.replace('/', "-"))]);
    }
    repository.git(&["commit", "-q", "--allow-empty", "-m", "later"]);
    for format in [
        "%(describe)",
        "%(describe:tags)",
        "%(describe:tags=true,match=light-v*)",
        "%(describe:match=v*,exclude=*-rc*)",
        "%(describe:match=nightly*)",
        "%(describe:abbrev=0)",
        "%(describe:abbrev=12)",
        "%(describe:tags=no)",
        "%(describe:match=none)",
        "%(describe:nonsense)",
        "%(describe:abbrev=x)",
        "%(describe%H",
        "%(describe:match=v0.1,match=nightly/*)",
        "%(describe:exclude=v*,exclude=n*)",
    ] {
        check(&repository, &[format]);
    }
    // Only the first of two is described.
    check(&repository, &["%(describe)", "%(describe) %(describe)"]);
    repository.git(&["tag", "-a", "-m", "x", "exact"]);
    repository.git(&["tag", "light-exact"]);
    repository.check();
}

#[test]
fn shallow_clone_archives_like_its_origin() {
    let origin = Repository::new();
    origin.write("file", "x");
    origin.commit();
    origin.write(".gitattributes", "format export-subst\n");
    origin.write("format", "$Format:%H|%P|%p|%h|%D$ $Format:%(describe:tags)$\n");
    origin.commit();
    origin.git(&["tag", "v1"]);
    let clone = Repository::new();
    clone.git(&["fetch", "-q", "--depth=1", &format!("file://{}", origin.path().display()), "main", "tag", "v1"]);
    clone.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
    let expected = tree(&origin.git(&["archive", "--format=zip", "HEAD"]));
    assert_eq!(tree(&clone.zip().unwrap().0), expected);
}

#[test]
fn relative_dates_and_notes_stay_unexpanded() {
    let repository = Repository::new();
    repository.write(".gitattributes", "format export-subst\n");
    repository.write("format", "$Format:%ar %cr %ah %N$\n");
    repository.commit();
    let (zip, _) = repository.zip().unwrap();
    assert_eq!(tree(&zip)[b"format".as_slice()].1, b"%ar %cr %ah %N\n");
}

/// A repository with history, and the expected values of its commits.
fn released() -> Repository {
    let repository = Repository::new();
    repository.write("format", "$Format:%d|%D|%(describe:tags,match=v*)$\n");
    repository.write("annotated", "$Format:%(describe)$\n");
    repository.write("excluded", "$Format:%(describe:exclude=v*,tags)$\n");
    repository.write("short", "$Format:%(describe:abbrev=0,tags)$\n");
    repository.write(
        ".git_archival.txt",
        "node: $Format:%H$\nref-names: $Format:%D$\ndescribe-name: $Format:%(describe:tags=true,match=*[0-9]*)$\n",
    );
    repository.write(".gitattributes", "* export-subst\n");
    repository.commit();
    repository
}

/// Compares the zip of a pushed reference with that of `git archive`.
fn check_pushed(repository: &Repository, reference: &str) {
    let origin = format!("file://{}", repository.path().display());
    let id = |name: &str| String::from_utf8(repository.git(&["rev-parse", name])).unwrap().trim().parse().unwrap();
    let pushed = Some(Pushed { reference: reference.parse().unwrap(), target: id(reference) });
    // Like a worker's clone: without history and references.
    let clone = Repository::new();
    clone.git(&["fetch", "-q", "--no-tags", "--depth=1", &origin, reference]);
    clone.git(&["update-ref", "--no-deref", "HEAD", "FETCH_HEAD^{commit}"]);
    let found = tree(&clone.zip_with(&Options { pushed, ..Options::default() }).unwrap().0);
    for attempt in [reference, reference.rsplit('/').next().unwrap()] {
        check_same(&found, &tree(&repository.git(&["archive", "--format=zip", attempt])));
    }
}

#[test]
fn a_pushed_tag_names_its_commit() {
    // `git archive` describes only once per archive, so one tag is tested at a time. Nothing is
    // checked out.
    let repository = released();
    repository.git(&["tag", "v1.1"]);
    repository.git(&["commit", "-q", "--allow-empty", "-m", "later"]);
    repository.git(&["tag", "-a", "-m", "x", "v1.2"]);
    repository.git(&["commit", "-q", "--allow-empty", "-m", "last"]);
    check_pushed(&repository, "refs/tags/v1.1");
    check_pushed(&repository, "refs/tags/v1.2");
}

#[test]
fn a_pushed_branch_is_checked_out() {
    let repository = released();
    check_pushed(&repository, "refs/heads/main");
    repository.git(&["checkout", "-q", "-b", "release/1"]);
    repository.git(&["commit", "-q", "--allow-empty", "-m", "later"]);
    let pushed = Some(Pushed { reference: "refs/heads/release/1".parse().unwrap(), target: repository.open().1 });
    let found = tree(&repository.zip_with(&Options { pushed, ..Options::default() }).unwrap().0);
    check_same(&found, &tree(&repository.git(&["archive", "--format=zip", "release/1"])));
}

#[test]
fn pushed_tag_description_follows_options() {
    for kind in [&["tag", "v1.2"][..], &["tag", "-a", "-m", "x", "v1.2"]] {
        for options in
            ["", ":tags", ":match=v*", ":match=x*", ":exclude=v*", ":abbrev=0", ":abbrev=12", ":tags=no", ":x"]
        {
            let repository = Repository::new();
            repository.write("format", format!("$Format:%(describe{options})$\n"));
            repository.write(".gitattributes", "format export-subst\n");
            repository.commit();
            repository.git(kind);
            check_pushed(&repository, "refs/tags/v1.2");
        }
    }
}

#[test]
fn pushed_renamed_tag_matches_git() {
    for options in ["", ":tags", ":match=v*", ":match=other*", ":exclude=other*", ":abbrev=0", ":abbrev=12", ":tags=no"]
    {
        let repository = Repository::new();
        repository.write("format", format!("$Format:%d|%D|%(describe{options})$\n"));
        repository.write(".gitattributes", "format export-subst\n");
        repository.commit();
        repository.git(&["tag", "-a", "-m", "x", "v1.2"]);
        repository.git(&["tag", "-a", "-m", "x", "nested", "v1.2"]);
        repository.git(&["update-ref", "refs/tags/other", "refs/tags/v1.2"]);
        repository.git(&["update-ref", "refs/tags/other-nested", "refs/tags/nested"]);
        repository.git(&["commit", "-q", "--allow-empty", "-m", "later"]);
        for (reference, others) in
            [("other", ["v1.2", "nested", "other-nested"]), ("other-nested", ["v1.2", "nested", "other"])]
        {
            let copy = Repository::new();
            copy.git(&["fetch", "-q", "-u", &repository.path().to_string_lossy(), "+refs/*:refs/*"]);
            for name in others {
                copy.git(&["update-ref", "-d", &format!("refs/tags/{name}")]);
            }
            check_pushed(&copy, &format!("refs/tags/{reference}"));
        }
    }
}

#[test]
fn description_from_renamed_tag_matches_git() {
    let repository = Repository::new();
    repository.write(".gitattributes", "format export-subst\n");
    repository.write("format", "$Format:%(describe:abbrev=0)$\n");
    repository.commit();
    repository.git(&["tag", "-a", "-m", "x", "v1.2"]);
    repository.git(&["update-ref", "refs/tags/other", "refs/tags/v1.2"]);
    repository.git(&["tag", "-d", "v1.2"]);
    for format in ["%(describe)", "%(describe:abbrev=0)", "%(describe:abbrev=12)"] {
        // At first, it is the tagged commit itself.
        repository.check();
        repository.write(".gitattributes", "format export-subst\n");
        repository.write("format", format!("$Format:{format}$\n"));
        repository.commit();
        repository.check();
    }
}
