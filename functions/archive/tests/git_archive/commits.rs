//! Commits that no Git of today would write, and that are in repositories all the same: what `git archive` takes becomes the
//! same zip, and what it refuses is called by its name.

use archive::ArchiveError;

use crate::repository::{Repository, bundle};

/// A file that says all of a commit.
const FORMATS: [&str; 26] = [
    "%an", "%aN", "%ae", "%aE", "%al", "%aL", "%ad", "%aD", "%at", "%ai", "%aI", "%as", "%cn", "%ce", "%cd", "%ct",
    "%ci", "%cI", "%s", "%f", "%b", "%B", "%e", "%P", "%T", "%H",
];

/// A repository whose `HEAD` is a commit with these lines below its tree.
fn with(headers: &[u8]) -> Repository {
    let repository = Repository::new();
    let line =
        |(n, format): (usize, &&str)| (format!("f{n:02}"), "100644", format!("<$Format:{format}$>").into_bytes());
    let mut files: Vec<_> = FORMATS.iter().enumerate().map(line).collect();
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

#[test]
fn what_git_takes_for_no_commit_is_not_called_damaged() {
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
