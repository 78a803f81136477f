//! The free disk space, and whether an error was caused by a full disk.

use std::{error::Error, io, path::Path};

/// The space that should be free before a fetch, in bytes, so that it rarely fails first. On a
/// small disk, a quarter.
const WANTED: u64 = 1 << 30;

/// The space on a folder's disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// What is free.
    pub(crate) free: u64,
    /// The total size.
    pub(crate) total: u64,
}

impl Room {
    /// The space on the disk of `folder`. `None` if the system doesn't say.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let disk = rustix::fs::statvfs(folder).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Some(Self { free: bytes(disk.f_bavail), total: bytes(disk.f_blocks) })
    }

    /// The space that should be free before a fetch.
    pub(crate) fn wanted(self) -> u64 {
        WANTED.min(self.total / 4)
    }
}

/// Whether an error or any of its causes is a full disk.
pub fn is_out_of_room(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            || error.get_ref().is_some_and(|inner| is_out_of_room(inner));
    }
    // gix's errors form a tree.
    if let Some(tree) = error.downcast_ref::<gix::Error>() {
        return tree.iter_errors().any(|error| !error.is::<gix::Error>() && is_out_of_room(error));
    }
    error.source().is_some_and(is_out_of_room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it failed")]
    struct Failed(#[source] Box<dyn Error + Send + Sync>);

    fn failed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Failed {
        Failed(source.into())
    }

    #[test]
    fn full_disk_is_recognized_in_causes() {
        let full = || io::Error::from_raw_os_error(28);
        assert_eq!(full().kind(), io::ErrorKind::StorageFull);
        assert!(is_out_of_room(&full()));
        assert!(is_out_of_room(&io::Error::from(io::ErrorKind::QuotaExceeded)));
        assert!(is_out_of_room(&failed(failed(full()))));
        assert!(is_out_of_room(&io::Error::other(failed(full()))));
        assert!(is_out_of_room(&io::Error::other(full())));
        assert!(is_out_of_room(&failed(gix::Error::from_error(failed(full())))));
        assert!(!is_out_of_room(&failed(gix::Error::from_error(failed("something else")))));
        assert!(!is_out_of_room(&io::Error::from(io::ErrorKind::PermissionDenied)));
    }

    #[test]
    fn only_existing_folder_has_room() {
        let temp = tempfile::tempdir().unwrap();
        let room = Room::of(temp.path()).unwrap();
        assert!(room.total >= room.free && room.total > 0, "{room:?}");
        assert_eq!(Room::of(&temp.path().join("missing")), None);
        assert_eq!(Room { free: 0, total: 4096 << 20 }.wanted(), 1 << 30);
        assert_eq!(Room { free: 0, total: 16 << 20 }.wanted(), 4 << 20);
    }
}
