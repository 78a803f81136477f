//! The folder of all clones. A clone's path is derived only from its repository, so no repository
//! can get another's clone. The clones share a disk: if it is full, the least recently used clone
//! is removed.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use contract::Repository;
use sha2::{Digest, Sha256};

use crate::{
    FetchError,
    clone_dir::{CloneDir, LOCK},
    room::Room,
};

/// The folder that all clones lie in.
#[derive(Debug, Clone)]
pub struct Clones {
    folder: PathBuf,
}

/// The result of making room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// A clone was removed.
    Made,
    /// No other clone can be removed.
    Impossible {
        /// How many are in use.
        in_use: usize,
    },
}

impl Clones {
    /// The clones in `folder`, which is created if missing. Other files in it are removed.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The path of a repository's clone. No clone's path is inside another's.
    pub fn path(&self, repository: &Repository) -> PathBuf {
        // A host name has no slash, so the names of two repositories differ.
        self.folder.join(hex::encode(Sha256::digest(repository.to_string())))
    }

    /// Removes every unused clone except this repository's, when the disk has no room for something
    /// else.
    pub fn remove_all_but(&self, own: &Repository) {
        self.make_room(u64::MAX, own);
    }

    /// Locks the clone of a repository, whether it exists or not.
    pub(crate) fn lock(&self, repository: &Repository) -> Result<CloneDir, FetchError> {
        CloneDir::lock(&self.path(repository))
    }

    /// The disk space for clones.
    pub(crate) fn room(&self) -> Option<Room> {
        Room::of(&self.folder)
    }

    /// Removes unused clones, the least recently used first, but at least one, until this much is
    /// free.
    pub(crate) fn make_room(&self, enough: u64, except: &Repository) -> Eviction {
        let first = self.evict(except);
        while first == Eviction::Made
            && self.room().is_some_and(|room| room.free < enough)
            && self.evict(except) == Eviction::Made
        {}
        first
    }

    /// Removes files that aren't clones, which others left behind.
    pub(crate) fn tidy(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| clone_of(path).is_none()) {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Ok(()) => tracing::info!(path = %path.display(), "removed an unknown file"),
                Err(error) => tracing::warn!(path = %path.display(), %error, "could not remove an unknown file"),
            }
        }
    }

    /// Removes the least recently used clone that is unused.
    fn evict(&self, except: &Repository) -> Eviction {
        let except = self.path(except);
        let mut in_use = 0;
        for path in self.least_recent_first().into_iter().filter(|path| *path != except) {
            match CloneDir::lock(&path).map_err(io::Error::other).and_then(CloneDir::remove) {
                Ok(()) => {
                    tracing::info!(path = %path.display(), "removed a clone to make room");
                    return Eviction::Made;
                }
                Err(error) => {
                    tracing::debug!(path = %path.display(), %error, "a clone stays");
                    in_use += 1;
                }
            }
        }
        Eviction::Impossible { in_use }
    }

    /// The directories of all clones.
    fn least_recent_first(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut used = BTreeMap::new();
        for clone in entries.filter_map(|entry| clone_of(&entry.ok()?.path())) {
            let lock = fs::metadata(clone.with_extension(LOCK)).and_then(|lock| lock.modified());
            used.insert(clone, lock.unwrap_or(SystemTime::UNIX_EPOCH));
        }
        let mut clones: Vec<_> = used.into_iter().collect();
        clones.sort_by_key(|(_, used)| *used);
        clones.into_iter().map(|(clone, _)| clone).collect()
    }
}

/// The directory of the clone that a path belongs to: itself, or the one that a lock file belongs
/// to.
fn clone_of(path: &Path) -> Option<PathBuf> {
    let is_name = |name: &str| name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_ours = path.extension().is_none_or(|extension| extension == LOCK);
    let name = path.file_stem().and_then(OsStr::to_str).filter(|name| is_ours && is_name(name))?;
    Some(path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::clone_dir::Reading;

    fn repository(path: &str) -> Repository {
        Repository::new("example.com".parse().unwrap(), path.parse().unwrap())
    }

    /// A clone with this many bytes that was used this many seconds ago.
    fn used(clones: &Clones, path: &str, seconds: u64, bytes: usize) -> Repository {
        let repository = repository(path);
        let dir = clones.lock(&repository).unwrap();
        dir.open().unwrap();
        fs::write(dir.path().join("objects/pack/pack-1.pack"), vec![7; bytes]).unwrap();
        drop(dir);
        let lock = fs::File::open(clones.path(&repository).with_extension(LOCK)).unwrap();
        lock.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
        repository
    }

    fn is_there(clones: &Clones, repository: &Repository) -> bool {
        clones.path(repository).join("HEAD").exists()
    }

    fn read(clones: &Clones, repository: &Repository) -> Reading {
        clones.lock(repository).unwrap().read().unwrap()
    }

    /// Possible paths of repositories, including some that look like files of a clone or like a
    /// lock.
    fn path() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[a-z0-9_.~ ]{1,6}",
            Just("x.git.lock".to_owned()),
            Just("a.git".to_owned()),
            Just("objects".to_owned()),
            Just("pack".to_owned())
        ];
        prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"))
    }

    proptest! {
        #[test]
        fn repositories_never_share_clone_folders(one in path(), other in path(), host in "[a-z]{1,3}(\\.[a-z]{1,3})?") {
            let clones = Clones::in_folder("/clones");
            let read = |host: &str, path: &str| Some(Repository::new(host.parse().ok()?, path.parse().ok()?));
            let all = [read("example.com", &one), read("example.com", &other), read(&host, &one), read(&host, &other)];
            let all: Vec<_> = all.into_iter().flatten().collect();
            for one in &all {
                prop_assert!(clones.path(one).parent() == Some(Path::new("/clones")));
                for other in all.iter().filter(|other| *other != one) {
                    let [mine, other] = [one, other].map(|repository| clones.path(repository));
                    let names = |path: &PathBuf| [path.clone(), path.with_extension(LOCK)];
                    for name in names(&mine) {
                        prop_assert!(names(&other).iter().all(|other| !name.starts_with(other)));
                    }
                }
            }
        }
    }

    #[test]
    fn lock_like_repository_names_never_collide() {
        let temp = tempfile::tempdir().unwrap();
        let clones = Clones::in_folder(temp.path());
        let names = ["x", "x.git.lock/y", "a", "a.git/objects/pack/evil", "a.lock", "b/c", "b"];
        let locked: Vec<_> = names.iter().map(|name| clones.lock(&repository(name)).unwrap()).collect();
        for dir in &locked {
            dir.open().unwrap();
        }
        for dir in &locked {
            assert!(dir.path().join("HEAD").exists(), "{dir:?}");
        }
    }

    #[test]
    fn least_recently_used_clone_goes_first() {
        let temp = tempfile::tempdir().unwrap();
        let clones = Clones::in_folder(temp.path());
        let [newest, oldest, middle] = [("a", 10), ("b", 30), ("c", 20)].map(|(path, ago)| used(&clones, path, ago, 1));
        let own = used(&clones, "own", 40, 1);
        for (goes, stays) in [(&oldest, vec![&middle, &newest]), (&middle, vec![&newest]), (&newest, vec![])] {
            assert_eq!(clones.evict(&own), Eviction::Made);
            assert!(!is_there(&clones, goes) && stays.iter().all(|stays| is_there(&clones, stays)));
        }
        assert_eq!(clones.evict(&own), Eviction::Impossible { in_use: 0 });
        assert!(is_there(&clones, &own));
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2, "a clone and its lock");
    }

    #[test]
    fn reused_clone_stays_longer() {
        let temp = tempfile::tempdir().unwrap();
        let clones = Clones::in_folder(temp.path());
        let [again, once, own] = [("a", 30), ("b", 20), ("own", 0)].map(|(path, ago)| used(&clones, path, ago, 1));
        drop(clones.lock(&again).unwrap());
        assert_eq!(clones.evict(&own), Eviction::Made);
        assert!(is_there(&clones, &again) && !is_there(&clones, &once));
    }

    #[test]
    fn clones_in_use_are_not_evicted() {
        let temp = tempfile::tempdir().unwrap();
        let clones = Clones::in_folder(temp.path());
        let [fetched, being_read, free] =
            [("a", 30), ("b", 20), ("c", 10)].map(|(path, ago)| used(&clones, path, ago, 1));
        let lock = clones.lock(&fetched).unwrap();
        let reading = read(&clones, &being_read);
        let own = repository("own");
        assert_eq!(clones.evict(&own), Eviction::Made);
        assert!(!is_there(&clones, &free));
        assert_eq!(clones.evict(&own), Eviction::Impossible { in_use: 2 });
        assert!(is_there(&clones, &fetched) && is_there(&clones, &being_read));
        drop((lock, reading));
        clones.remove_all_but(&fetched);
        assert!(is_there(&clones, &fetched) && !is_there(&clones, &being_read));
    }

    #[test]
    fn no_more_goes_than_has_to() {
        let temp = tempfile::tempdir().unwrap();
        let clones = Clones::in_folder(temp.path());
        let [old, new] = [("a", 30), ("b", 20)].map(|(path, ago)| used(&clones, path, ago, 1));
        assert_eq!(clones.make_room(0, &repository("own")), Eviction::Made);
        assert!(!is_there(&clones, &old) && is_there(&clones, &new));
    }

    #[test]
    fn leftovers_beside_clones_are_removed() {
        let temp = tempfile::tempdir().unwrap();
        let clones = Clones::in_folder(temp.path());
        let kept = used(&clones, "a", 0, 1);
        let nested = temp.path().join("example.com/owner/name.git/objects");
        fs::create_dir_all(&nested).unwrap();
        for name in
            ["example.com/owner/name.git.lock", ".tmpA1b2C3", &format!("{}.other", "a".repeat(64)), &"g".repeat(64)]
        {
            fs::write(temp.path().join(name), "x").unwrap();
        }
        clones.tidy();
        assert!(is_there(&clones, &kept));
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2);
    }
}
