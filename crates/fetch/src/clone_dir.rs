//! The directory of a clone that is kept between fetches. It is only a cache: if anything is wrong
//! with it, it is removed, and the next fetch starts from scratch.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use gix::{Repository, ThreadSafeRepository, create, open};

use crate::FetchError;

/// After this many fetches, a new clone is smaller and faster than the accumulated packs.
const PACKS_LIMIT: usize = 100;

/// The extension of a directory's lock file, whose modification time is the clone's last use.
pub(crate) const LOCK: &str = "lock";

/// The prefix of temporary files.
const UNFINISHED: &str = ".tmp";

/// A clone's directory, locked until this is dropped.
#[derive(Debug)]
pub(crate) struct CloneDir {
    path: PathBuf,
    // The system releases the lock when the file is closed, however this process ends.
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

/// While this exists, nothing is removed from the clone, although others may fetch more into it.
#[derive(Debug)]
pub struct Reading {
    // Removing the directory requires an exclusive lock.
    _directory: File,
}

impl CloneDir {
    /// Locks the directory. Creates missing parents.
    pub(crate) fn lock(path: &Path) -> Result<Self, FetchError> {
        let failed = |source| FetchError::PrepareClone { path: path.to_owned(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let beside = path.with_extension(LOCK);
        loop {
            let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&beside).map_err(failed)?;
            match lock.try_lock() {
                // Removing a clone removes its lock file as well, perhaps the one that was just
                // opened.
                Ok(()) if !is_at(&lock, &beside).map_err(failed)? => {}
                Ok(()) => {
                    lock.set_modified(SystemTime::now()).map_err(failed)?;
                    return Ok(Self { path: path.to_owned(), _lock: lock });
                }
                Err(TryLockError::WouldBlock) => return Err(FetchError::Busy { path: path.to_owned() }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }

    /// The directory's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The clone in it. A missing or unusable one is created anew.
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

    /// The clone of an earlier fetch, if that succeeded and the clone is usable. Creates nothing.
    pub(crate) fn kept(&self) -> Option<Repository> {
        let kept = (self.is_tidy() && self.has_packs()).then(|| gix::open_opts(&self.path, isolated()))?.ok()?;
        kept.head().is_ok().then_some(kept)
    }

    /// Whether it contains any object.
    pub(crate) fn has_packs(&self) -> bool {
        packs(&self.path).is_some_and(|files| files.iter().any(|file| is_pack(file)))
    }

    /// Protects the clone from removal.
    pub(crate) fn read(&self) -> io::Result<Reading> {
        let directory = File::open(&self.path)?;
        directory.try_lock_shared()?;
        Ok(Reading { _directory: directory })
    }

    /// Empties the directory, unless somebody reads from it.
    pub(crate) fn discard(&self) -> io::Result<()> {
        let removed = self.alone().and_then(|_alone| fs::remove_dir_all(&self.path));
        removed.or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
    }

    /// Removes the clone, unless somebody reads from it.
    pub(crate) fn remove(self) -> io::Result<()> {
        self.discard()?;
        fs::remove_file(self.path.with_extension(LOCK))
    }

    /// The directory, while nobody reads from it.
    fn alone(&self) -> io::Result<File> {
        let directory = File::open(&self.path)?;
        directory.try_lock()?;
        Ok(directory)
    }

    /// Whether no fetch was killed halfway, and there weren't too many.
    fn is_tidy(&self) -> bool {
        self.remove_unfinished();
        let Some(files) = packs(&self.path) else { return false };
        let whole = files.iter().all(|file| file.to_string_lossy().starts_with("pack-"));
        // Readers would miss them.
        let few = files.iter().filter(|file| is_pack(file)).count() < PACKS_LIMIT || self.alone().is_err();
        whole && few && !self.path.join("shallow.lock").exists()
    }

    /// Removes temporary files of killed processes.
    fn remove_unfinished(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(path = %entry.path().display(), %error, "could not remove an incomplete file");
            }
        }
    }
}

/// Whether an open file is still the one at its path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((opened.dev(), opened.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The file names of a clone's objects.
fn packs(clone: &Path) -> Option<Vec<PathBuf>> {
    let packs = fs::read_dir(clone.join("objects/pack")).ok()?;
    Some(packs.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name()))).collect())
}

fn is_pack(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "pack")
}

/// Ignores the system's Git configuration.
fn isolated() -> open::Options {
    open::Options::isolated().open_path_as_is(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens it, and fetches something if it is empty.
    fn open(dir: &CloneDir) -> Age {
        let age = dir.open().unwrap().1;
        fs::write(dir.path.join("objects/pack/pack-1.pack"), "x").unwrap();
        age
    }

    #[test]
    fn locked_directory_refuses_second_user() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("deep/clone");
        let first = CloneDir::lock(&path).unwrap();
        assert!(matches!(CloneDir::lock(&path), Err(FetchError::Busy { .. })));
        drop(first);
        assert!(CloneDir::lock(&path).is_ok());
    }

    #[test]
    fn clone_is_kept_unless_broken() {
        let temp = tempfile::tempdir().unwrap();
        let dir = CloneDir::lock(&temp.path().join("clone")).unwrap();
        assert_eq!(dir.open().unwrap().1, Age::New);
        assert_eq!(open(&dir), Age::New, "nothing was fetched into it");
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
    #[test]
    fn clone_being_read_is_never_removed() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("clone");
        let dir = CloneDir::lock(&path).unwrap();
        assert_eq!(open(&dir), Age::New);
        let readers = [dir.read().unwrap(), dir.read().unwrap()];
        for number in 0..PACKS_LIMIT {
            fs::write(dir.path.join(format!("objects/pack/pack-{number}.pack")), "x").unwrap();
        }
        assert_eq!(open(&dir), Age::Kept, "a clone with readers is kept, despite too many packs");
        for reader in readers {
            assert_eq!(dir.discard().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            drop(reader);
        }
        assert_eq!(open(&dir), Age::New);
        let reader = dir.read().unwrap();
        assert!(dir.remove().is_err() && path.join("HEAD").exists());
        drop(reader);
        CloneDir::lock(&path).unwrap().remove().unwrap();
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn removed_lock_no_longer_counts() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("clone.lock");
        let lock = File::create(&path).unwrap();
        assert!(is_at(&lock, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&lock, &path).unwrap());
        let _other = File::create(&path).unwrap();
        assert!(!is_at(&lock, &path).unwrap());
    }

    #[test]
    fn unfinished_files_are_removed_clone_stays() {
        let temp = tempfile::tempdir().unwrap();
        let dir = CloneDir::lock(&temp.path().join("clone")).unwrap();
        assert_eq!(open(&dir), Age::New);
        let unfinished = tempfile::tempdir_in(&dir.path).unwrap().keep();
        fs::write(unfinished.join("new"), [7; 100]).unwrap();
        assert_eq!(open(&dir), Age::Kept);
        assert!(!unfinished.exists());
    }
}
