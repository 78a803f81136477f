//! Git LFS files, committed by git-lfs and compared with the result of `git archive` with git-lfs.

use std::{
    collections::VecDeque,
    error::Error,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use archive::{ArchiveError, DotGit, LargeFile, LargeFiles, Options, Submodule};

use git_repository::{check_same, names, text, tree};

use crate::{repository::Repository, work_tree::git};

/// git-lfs's storage, as a source that expects files to be requested in this order.
struct Kept {
    roots: Vec<PathBuf>,
    expected: VecDeque<LargeFile>,
}

impl LargeFiles for Kept {
    fn open(&mut self, file: &LargeFile) -> Result<Box<dyn Read + '_>, Box<dyn Error + Send + Sync>> {
        assert_eq!(self.expected.pop_front().as_ref(), Some(file));
        let oid = &file.pointer.oid;
        let paths = self.roots.iter().map(|root| root.join(&oid[..2]).join(&oid[2..4]).join(oid));
        let path = paths.into_iter().find(|path| path.exists()).ok_or("it isn't there")?;
        Ok(Box::new(File::open(path)?))
    }
}

fn objects(repository: &Repository) -> PathBuf {
    repository.path().join(".git/lfs/objects")
}

/// `large_files` lists exactly what `write_zip` requests.
fn zip(repository: &Repository, options: &Options, roots: Vec<PathBuf>) -> Result<Vec<u8>, ArchiveError> {
    let (opened, head) = repository.open();
    let expected = archive::large_files(&opened, head, options, &AtomicBool::new(false))?;
    let mut kept = Kept { roots, expected: expected.into() };
    let count = kept.expected.len() as u64;
    let (zip, summary) = repository.zip_with_large(options, Some(&mut kept))?;
    assert_eq!((kept.expected.len(), summary.large), (0, count));
    Ok(zip)
}

/// A repository in which git-lfs manages `*.bin`, with all special cases.
fn repository() -> Repository {
    let repository = Repository::new();
    // One process per file: the process for all files (filter-process) fails after a long file that
    // isn't a pointer.
    repository.git(&["config", "filter.lfs.clean", "git-lfs clean -- %f"]);
    repository.git(&["config", "filter.lfs.smudge", "git-lfs smudge -- %f"]);
    repository.git(&["config", "filter.lfs.required", "true"]);
    repository.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\nother/*.bin -filter\n*.txt text\n");
    repository.write("a.bin", text(3, 3 << 20));
    repository.write("a folder/b's \"file\".bin", text(4, 100));
    repository.write("a folder/same.bin", text(4, 100));
    repository.write("empty.bin", "");
    repository.write("one.bin", "x");
    repository.write("other/c.bin", "kept by Git itself");
    repository.write("plain.txt", "plain\n");
    repository.write("run.bin", "#!/bin/sh\n");
    std::os::unix::fs::symlink("a.bin", repository.path().join("link.bin")).unwrap();
    repository.git(&["add", "-A"]);
    repository.git(&["update-index", "--chmod=+x", "run.bin"]);
    // Files committed without git-lfs: a plain file, one that is nearly a pointer, unusually
    // formatted pointers.
    let pointer = String::from_utf8(repository.git(&["cat-file", "blob", ":a.bin"])).unwrap();
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let nothing = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{empty}\nsize 0\n");
    for (path, content) in [
        ("itself.bin", "never seen by git-lfs".to_owned()),
        ("nearly.bin", pointer.replace("sha256", "sha1")),
        ("long.bin", format!("{pointer}{}", "more\n".repeat(200))),
        ("crlf.bin", pointer.replace('\n', "\r\n")),
        ("old.bin", pointer.replace("git-lfs.github.com", "hawser.github.com")),
        ("nothing.bin", nothing),
    ] {
        let id = repository.git_with(&["hash-object", "-w", "--stdin", "--no-filters"], content.as_bytes());
        let id = String::from_utf8(id).unwrap();
        repository.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{},{path}", id.trim())]);
    }
    repository.git(&["commit", "-q", "-m", "x"]);
    repository
}

#[test]
fn lfs_zip_matches_git_archive() {
    let repository = repository();
    for packed in [false, true] {
        if packed {
            repository.git(&["gc", "-q"]);
        }
        let ours = zip(&repository, &Options::default(), vec![objects(&repository)]).unwrap();
        let gits = repository.git(&["archive", "--format=zip", "HEAD"]);
        assert_eq!(names(&ours), names(&gits));
        check_same(&tree(&ours), &tree(&gits));
        assert_eq!(tree(&ours)[b"a.bin".as_slice()].1, text(3, 3 << 20));
    }
}

#[test]
fn pointers_are_zipped_without_lfs() {
    let repository = repository();
    repository.git(&["config", "--remove-section", "filter.lfs"]);
    repository.check();
}

#[test]
fn submodule_large_files_are_included() {
    let (module, repository) = (repository(), repository());
    module.write("deeper.bin", text(9, 5000));
    module.commit();
    let (clone, commit) = module.open();
    let module_at = "some folder/module";
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{module_at}")]);
    repository.git(&["commit", "-q", "-m", "module"]);
    let options =
        Options { submodules: vec![Submodule { path: module_at.into(), clone, commit }], ..Options::default() };
    let ours = zip(&repository, &options, vec![objects(&repository), objects(&module)]).unwrap();
    let mut expected = tree(&repository.git(&["archive", "--format=zip", "HEAD"]));
    expected.extend(tree(&module.git(&["archive", "--format=zip", &format!("--prefix={module_at}/"), "HEAD"])));
    check_same(&tree(&ours), &expected);

    let (opened, head) = repository.open();
    let some = Options { paths: "some folder, !**/a.bin".parse().unwrap(), ..options };
    let listed = archive::large_files(&opened, head, &some, &AtomicBool::new(false)).unwrap();
    assert!(listed.iter().all(|file| file.submodule == module_at && file.path.starts_with(b"some folder/module/")));
    assert!(listed.len() > 3 && listed.iter().all(|file| !file.path.ends_with(b"/a.bin")));
}

#[test]
fn configured_lfs_sees_large_file_unmodified() {
    let repository = repository();
    let dot_git = DotGit { branch: Some("refs/heads/main".to_owned()), url: "git@host:o/r.git".to_owned() };
    let options = Options { dot_git: Some(dot_git), ..Options::default() };
    let zip = zip(&repository, &options, vec![objects(&repository)]).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap().extract(folder.path()).unwrap();
    assert_eq!(std::fs::read(folder.path().join("a.bin")).unwrap(), text(3, 3 << 20));
    let changed = |set_up: bool| {
        let clean = if set_up { "filter.lfs.clean=git-lfs clean -- %f" } else { "filter.lfs.clean=" };
        // Without updating the index, which the next status would rely on.
        let status = git(folder.path(), &["--no-optional-locks", "-c", clean, "status", "--porcelain"]);
        status.lines().map(|line| line.split_whitespace().last().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // git-lfs considers pointers in other formats as modified in its own clones, too.
    assert_eq!(changed(true), ["crlf.bin", "itself.bin", "long.bin", "nearly.bin", "nothing.bin", "old.bin"]);
    assert!(changed(false).contains(&"a.bin".to_owned()));
}

#[test]
fn damaged_or_missing_lfs_object_fails() {
    let repository = repository();
    let (opened, head) = repository.open();
    let files = archive::large_files(&opened, head, &Options::default(), &AtomicBool::new(false)).unwrap();
    let oid = &files.iter().find(|file| file.path == "a.bin").unwrap().pointer.oid;
    let path = objects(&repository).join(&oid[..2]).join(&oid[2..4]).join(oid);
    let fails = |expected: &str| {
        let (opened, head) = repository.open();
        let expected_files = archive::large_files(&opened, head, &Options::default(), &AtomicBool::new(false)).unwrap();
        let mut kept = Kept { roots: vec![objects(&repository)], expected: expected_files.into() };
        let error = repository.zip_with_large(&Options::default(), Some(&mut kept)).unwrap_err();
        assert!(matches!(error, ArchiveError::LargeFile { .. }), "{error:?}");
        assert!(error.to_string().contains("a.bin") && error.to_string().contains(oid.as_str()), "{error}");
        let source = error.source().unwrap().to_string();
        assert!(source.contains(expected), "{source}");
    };
    let damage = |path: &Path, content: &[u8]| {
        drop(std::fs::remove_file(path));
        std::fs::write(path, content).unwrap();
    };
    let mut content = text(3, 3 << 20);
    damage(&path, &content[..1000]);
    fails("it ended after 1000 of 3145728 bytes");
    content[7] ^= 1;
    damage(&path, &content);
    fails("its SHA-256 is ");
    content.push(0);
    damage(&path, &content);
    fails("it is longer than 3145728 bytes");
    std::fs::remove_file(&path).unwrap();
    fails("it isn't there");
}

#[test]
fn a_pointer_with_extensions_is_refused() {
    let repository = Repository::new();
    repository.write(".gitattributes", "*.bin filter=lfs\n");
    let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
    let version = "version https://git-lfs.github.com/spec/v1";
    repository.write("a.bin", format!("{version}\next-0-case sha256:{oid}\noid sha256:{oid}\nsize 5\n"));
    repository.commit();
    let error = zip(&repository, &Options::default(), Vec::new()).unwrap_err();
    assert!(matches!(error, ArchiveError::PointerExtension { .. }), "{error:?}");
    assert!(repository.zip().is_ok());
}
