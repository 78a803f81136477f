//! The directory that a clone is kept in between fetches. It is a cache: whatever is wrong with it, it
//! is thrown away, and the next fetch starts anew.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use gix::{Repository, ThreadSafeRepository, create, open};

use crate::FetchError;

/// After so many fetches a new clone is smaller and faster than the pile of packs.
const PACKS_LIMIT: usize = 100;

/// The directory of a clone, ours alone until this is dropped.
#[derive(Debug)]
pub(crate) struct CloneDir {
    path: PathBuf,
    // The system unlocks it when it is closed, however this process ends.
    _lock: File,
}

/// Whether a clone has been fetched into before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// Just made.
    New,
    /// Kept from an earlier fetch.
    Kept,
}

impl CloneDir {
    /// Takes the directory for us. Its parents are made where they are missing.
    pub(crate) fn lock(path: &Path) -> Result<Self, FetchError> {
        let failed = |source| FetchError::PrepareClone { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let lock = File::create(&lock).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FetchError::Busy { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The clone in it, made anew where there is none that can be used.
    pub(crate) fn open(&self) -> Result<(Repository, Age), FetchError> {
        if let Some(kept) = self.kept() {
            return Ok((kept, Age::Kept));
        }
        self.discard().map_err(|source| FetchError::PrepareClone { path: self.path.clone(), source })?;
        let made =
            ThreadSafeRepository::init_opts(&self.path, create::Kind::Bare, create::Options::default(), isolated());
        match made {
            Ok(repository) => Ok((repository.into(), Age::New)),
            Err(source) => Err(FetchError::OpenClone { path: self.path.clone(), source }),
        }
    }

    /// The clone of an earlier fetch, if it can be used. Nothing is made.
    pub(crate) fn kept(&self) -> Option<Repository> {
        let kept = self.is_tidy().then(|| gix::open_opts(&self.path, isolated()))?.ok()?;
        kept.head().is_ok().then_some(kept)
    }

    /// Empties the directory.
    pub(crate) fn discard(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
    }

    /// Whether no fetch was killed amid its work, and there haven't been too many.
    fn is_tidy(&self) -> bool {
        let Ok(packs) = fs::read_dir(self.path.join("objects/pack")) else { return false };
        let files: Vec<_> = packs.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name()))).collect();
        let whole = files.iter().all(|file| file.to_string_lossy().starts_with("pack-"));
        let packs = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "pack")).count();
        whole && packs < PACKS_LIMIT && !self.path.join("shallow.lock").exists()
    }
}

/// Nothing of the machine's configuration counts.
fn isolated() -> open::Options {
    open::Options::isolated().open_path_as_is(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &CloneDir) -> Age {
        dir.open().unwrap().1
    }

    #[test]
    fn a_directory_has_one_user_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("deep/clone");
        let first = CloneDir::lock(&path).unwrap();
        assert!(matches!(CloneDir::lock(&path), Err(FetchError::Busy { .. })));
        drop(first);
        assert!(CloneDir::lock(&path).is_ok());
    }

    #[test]
    fn a_clone_is_kept_unless_something_is_wrong_with_it() {
        let temp = tempfile::tempdir().unwrap();
        let dir = CloneDir::lock(&temp.path().join("clone")).unwrap();
        assert_eq!(open(&dir), Age::New);
        assert_eq!(open(&dir), Age::Kept);
        let spoil = |name: &str| {
            fs::write(dir.path.join(name), "[x").unwrap();
            assert_eq!(open(&dir), Age::New, "{name}");
            assert_eq!(open(&dir), Age::Kept, "{name}");
        };
        spoil("config");
        spoil("HEAD");
        spoil("shallow.lock");
        spoil("objects/pack/.tmpA1b2C3");
        for number in 0..PACKS_LIMIT {
            fs::write(dir.path.join(format!("objects/pack/pack-{number}.pack")), "x").unwrap();
        }
        assert_eq!(open(&dir), Age::New);
    }
}
