//! Archives in the providers' formats: git's own (GitHub, GitLab, Bitbucket, Gitea), Java's,
//! .NET's, Python's, Info-ZIP's.

use contract::{CommitId, Retry};
use git_repository::{Repository, Tree, text, tree};
use provider_zip::{ProviderError, ProviderZip, TopFolder, copy_zip};

use crate::{
    hand::{Entry, FOLDER, SIGNED, UTF8, zip},
    takeover::{FLAT, TOP, refused, run, take, taken},
};

/// Everything that a tree can contain.
fn repository() -> Repository {
    let repository = Repository::init();
    repository.write("README", text(1, 5000));
    repository.write("empty", "");
    repository.write("folder/deeper/grüße 世界", "ä");
    repository.write("folder/a b 'quoted' \"twice\"", text(2, 100));
    repository.write("folder.txt", "sorts between folder and folder/");
    repository.write("back\\slash", "a character like others");
    repository.write("run", "#!/bin/sh\n");
    repository.write(".gitattributes", "*.crlf eol=crlf\nleft-out export-ignore\nsubst export-subst\n");
    repository.write("x.crlf", "one\ntwo\n");
    repository.write("left-out/file", "x");
    repository.write("subst", "$Format:%H$");
    repository.git(&["add", "-A"]);
    repository.git(&["update-index", "--chmod=+x", "run"]);
    let link = repository.git_with(&["hash-object", "-w", "--stdin"], b"folder/deeper");
    let link = String::from_utf8(link).unwrap();
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("120000,{},link", link.trim())]);
    let submodule = format!("160000,{},sub/module", "1".repeat(40));
    repository.git(&["update-index", "--add", "--cacheinfo", &submodule]);
    repository.git(&["commit", "-q", "-m", "subject"]);
    repository
}

fn head(repository: &Repository) -> CommitId {
    String::from_utf8(repository.git(&["rev-parse", "HEAD"])).unwrap().trim().parse().unwrap()
}

/// The tree of git's own zip, which that of gitpull's is, too: `archive` is held to that.
fn gits_tree(repository: &Repository) -> Tree {
    tree(&repository.git(&["archive", "--format=zip", "HEAD"]))
}

/// Our zip of `git archive`'s archive with these options has the same tree as our zip of the
/// repository.
fn check_git(repository: &Repository, options: &[&str], top_folder: TopFolder) {
    let commit = head(repository);
    let archive = repository.git(&[options, &["archive", "--format=zip"], &[prefix(&top_folder), "HEAD"]].concat());
    let expected = ProviderZip { top_folder, commit: Some(&commit), ..TOP };
    let (zip, summary) = take(&archive, &expected).unwrap();
    assert_eq!(tree(&zip), gits_tree(repository));
    assert_eq!(summary.commit.as_ref(), Some(&commit));
    let python = "import sys,io,zipfile; z=zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())); \
                  assert z.testzip() is None; sys.stdout.buffer.write(z.comment)";
    assert_eq!(run("python3", &["-c", python], &zip), commit.to_string().as_bytes());
}

fn prefix(top_folder: &TopFolder) -> &'static str {
    match top_folder {
        TopFolder::Always | TopFolder::Named(_) => "--prefix=top-1a2b3c/",
        TopFolder::Never => "--prefix=",
    }
}

#[test]
fn git_archive_honors_top_folder_option() {
    let repository = repository();
    check_git(&repository, &[], TopFolder::Always);
    check_git(&repository, &[], TopFolder::Named("top-1a2b3c".to_owned()));
    check_git(&repository, &[], TopFolder::Never);
}

#[test]
fn git_that_streams_has_descriptors() {
    let repository = repository();
    let archive = repository.git(&["-c", "core.bigFileThreshold=10", "archive", "--format=zip", "HEAD"]);
    assert!(archive.windows(4).any(|window| window == b"PK\x07\x08"));
    check_git(&repository, &["-c", "core.bigFileThreshold=10"], TopFolder::Always);
}

#[test]
fn git_of_seventy_thousand_files() {
    let repository = Repository::init();
    let file = |n: usize| (format!("{}/{n}", n / 1000), "100644", n.to_string().into_bytes());
    repository.import(&(0..70_000).map(file).collect::<Vec<_>>());
    let archive = repository.git(&["archive", "--format=zip", "--prefix=top/", "HEAD"]);
    assert!(archive.windows(4).any(|window| window == b"PK\x06\x06"));
    let mut zip = Vec::new();
    let summary = copy_zip(archive.as_slice(), &TOP, &mut zip).unwrap();
    assert_eq!(summary.entries, 70_000 + 70);
    assert!(tree(&zip) == gits_tree(&repository));
}

/// An unpacked `git archive` of one branch, to be zipped by others.
fn unpacked(repository: &Repository) -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().unwrap();
    let tar = repository.git(&["archive", "--format=tar", "--prefix=top/", "HEAD"]);
    tar::Archive::new(tar.as_slice()).unpack(folder.path()).unwrap();
    folder
}

/// The zip that Python's zipfile creates of the given folder.
const PYTHON: &str = r#"
import os, sys, io, zipfile
class Pipe(io.RawIOBase):
    def writable(self): return True
    def write(self, data): return sys.stdout.buffer.write(data)
mode, method, top = sys.argv[1:4]
out = Pipe() if mode == "pipe" else io.BytesIO()
with zipfile.ZipFile(out, "w", getattr(zipfile, method)) as z:
    for folder, folders, files in os.walk(top):
        for name in sorted(files) + sorted(folders):
            path = os.path.join(folder, name)
            kept = os.path.relpath(path, os.path.dirname(top))
            if os.path.islink(path):
                info = zipfile.ZipInfo(kept)
                info.external_attr, info.create_system = 0o120777 << 16, 3
                info.compress_type = getattr(zipfile, method)
                z.writestr(info, os.readlink(path))
            elif os.path.isfile(path) and mode == "zip64":
                with open(path, "rb") as file, z.open(zipfile.ZipInfo.from_file(path, kept), "w", force_zip64=True) as entry:
                    entry.write(file.read())
            else:
                z.write(path, kept)
if mode != "pipe": sys.stdout.buffer.write(out.getvalue())
"#;

#[test]
fn supported_python_zips_are_accepted() {
    let repository = repository();
    let folder = unpacked(&repository);
    let expected = gits_tree(&repository);
    let top = folder.path().join("top");
    for (mode, method) in
        [("file", "ZIP_DEFLATED"), ("file", "ZIP_STORED"), ("pipe", "ZIP_DEFLATED"), ("zip64", "ZIP_DEFLATED")]
    {
        let archive = run("python3", &["-c", PYTHON, mode, method, top.to_str().unwrap()], b"");
        let descriptors = archive.windows(4).any(|window| window == b"PK\x07\x08");
        assert_eq!(descriptors, mode == "pipe");
        assert_eq!(taken(&archive, &TOP), expected, "{mode} {method}");
    }
    let endless = run("python3", &["-c", PYTHON, "pipe", "ZIP_STORED", top.to_str().unwrap()], b"");
    let error = refused(&endless, &TOP);
    assert!(matches!(error, ProviderError::Unsupported { .. }) && error.retry() == Retry::Never, "{error:?}");
    let error = refused(&run("python3", &["-c", PYTHON, "file", "ZIP_LZMA", top.to_str().unwrap()], b""), &TOP);
    assert!(error.to_string().ends_with("is compressed by LZMA"), "{error}");
}

#[test]
fn info_zip_that_streams() {
    let repository = Repository::init();
    repository.write("folder/text", text(1, 20_000));
    repository.write("grüße", "ä");
    repository.write("run", "#!/bin/sh\n");
    repository.write("noise", (0..200u8).map(|n| n.wrapping_mul(n) ^ 0x5a).collect::<Vec<_>>());
    repository.git(&["add", "-A"]);
    repository.git(&["update-index", "--chmod=+x", "run"]);
    repository.git(&["commit", "-q", "-m", "subject"]);
    let folder = unpacked(&repository);
    let top = folder.path().to_str().unwrap();
    let archive = run("sh", &["-c", "cd \"$1\" && zip -qry - top | cat", "sh", top], b"");
    assert!(archive.windows(4).any(|window| window == b"PK\x07\x08"));
    assert_eq!(taken(&archive, &TOP), gits_tree(&repository));
}

/// Bitbucket Data Center uses Java: folders are deflated to two bytes, everything has a descriptor,
/// nothing has a mode.
#[test]
fn java_zip_layout_is_accepted() {
    let java = |name: &str, content: &[u8]| {
        Entry::deflated(name, content).described(SIGNED).both(|header| header.flags |= UTF8).with(|entry| {
            (entry.system, entry.mode) = (0, 0);
            entry.line.name.drain(..FOLDER.len());
            entry.header.name.drain(..FOLDER.len());
        })
    };
    let archive = zip(&[java("folder/", b""), java("folder/a", b"1"), java("b", &text(1, 300)), java("c", b"")]);
    let expected: Tree = [
        ("folder/", 0o040_000, b"".to_vec()),
        ("folder/a", 0o100_000, b"1".to_vec()),
        ("b", 0o100_000, text(1, 300)),
        ("c", 0o100_000, Vec::new()),
    ]
    .map(|(path, mode, content)| (path.as_bytes().to_vec(), (mode, content)))
    .into();
    assert_eq!(taken(&archive, &FLAT), expected);
}

/// Azure DevOps uses C#: no entries for folders, and Unix modes with `zipForUnix`.
#[test]
fn dot_nets_layout() {
    let net = |name: &str, content: &[u8], mode| {
        let entry =
            if content.is_empty() { Entry::new(name, b"") } else { Entry::deflated(name, content).described(SIGNED) };
        entry.with(|entry| entry.mode = mode)
    };
    let archive = zip(&[
        net("src/deep/a", b"1", 0o100_644),
        net("src/deep/run", b"2", 0o100_755),
        net("src/link", b"deep/a", 0o120_777),
        net("z", b"", 0),
    ]);
    let expected = [
        ("src/", 0o040_000),
        ("src/deep/", 0o040_000),
        ("src/deep/a", 0o100_000),
        ("src/deep/run", 0o100_100),
        ("src/link", 0o120_000),
        ("z", 0o100_000),
    ];
    let (zip, _) = take(&archive, &TOP).unwrap();
    let modes: Vec<_> =
        tree(&zip).into_iter().map(|(path, (mode, _))| (String::from_utf8(path).unwrap(), mode)).collect();
    assert_eq!(modes, expected.map(|(path, mode)| (path.to_owned(), mode)));
}

#[test]
fn an_empty_tree() {
    let repository = Repository::init();
    repository.commit();
    check_git(&repository, &[], TopFolder::Always);
    check_git(&repository, &[], TopFolder::Never);
}

/// Including links, modes and times, except links' times, which unzip doesn't set.
#[test]
fn unzip_unpacks_copy_like_original() {
    const SCRIPT: &str = r#"
        cd "$1" && export LC_ALL=C.UTF-8 || exit
        for zip in ours gits; do
            unzip -q $zip.zip -d $zip && cd $zip && find . -mindepth 1 \( -type l -printf '%P %l\n' -o -printf '%P %M %T@\n' \) | sort > ../$zip.list && cd .. || exit
        done
        diff gits.list ours.list && diff -r --no-dereference gits ours && wc -l < ours.list"#;
    let repository = repository();
    let folder = tempfile::TempDir::new().unwrap();
    // unzip converts backslashes to slashes.
    let git = |prefix| repository.git(&["archive", "--format=zip", prefix, "HEAD", ".", ":!back*"]);
    std::fs::write(folder.path().join("ours.zip"), take(&git("--prefix=top/"), &TOP).unwrap().0).unwrap();
    std::fs::write(folder.path().join("gits.zip"), git("--prefix=")).unwrap();
    let entries = run("sh", &["-c", SCRIPT, "sh", folder.path().to_str().unwrap()], b"");
    assert_eq!(String::from_utf8(entries).unwrap().trim(), "14");
}
