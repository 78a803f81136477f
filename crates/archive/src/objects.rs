//! Reads objects and verifies their IDs: a damaged repository must give an error and never a zip
//! that only looks complete.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::atomic::{AtomicBool, Ordering},
};

use gix::{
    ObjectId, Repository,
    objs::{Find, Kind},
};
use pack::{PackError, Packs};

use crate::error::ArchiveError;

/// The memory for delta bases while deltas are resolved.
const BASES: usize = 32 << 20;

/// The objects of a repository, until interrupted.
pub(crate) struct Objects<'a> {
    repository: Repository,
    interrupt: &'a AtomicBool,
}

impl<'a> Objects<'a> {
    /// The objects themselves: `refs/replace` is ignored.
    pub(crate) fn of(repository: &Repository, interrupt: &'a AtomicBool) -> Self {
        let mut repository = repository.clone();
        repository.objects.ignore_replacements = true;
        let bases = || Box::new(gix::odb::pack::cache::lru::MemoryCappedHashmap::new(BASES)) as _;
        repository.objects.set_pack_cache(bases);
        Self { repository, interrupt }
    }

    /// The packs that they lie in.
    pub(crate) fn packs(&self) -> Result<Packs, ArchiveError> {
        Packs::open(&self.repository).map_err(|error| match error {
            PackError::Index { path, source } => ArchiveError::Pack { path, source: source.into() },
            PackError::File { path, source } => ArchiveError::Pack { path, source: source.into() },
            error => ArchiveError::Pack { path: self.repository.git_dir().to_owned(), source: error.into() },
        })
    }

    pub(crate) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The interrupt flag.
    pub(crate) fn interrupt(&self) -> &'a AtomicBool {
        self.interrupt
    }

    /// Fails if interrupted: for every loop whose length the tree determines.
    pub(crate) fn go_on(&self) -> Result<(), ArchiveError> {
        go_on(self.interrupt)
    }

    /// The length of the object `id`, without reading it.
    pub(crate) fn size(&self, id: ObjectId) -> Result<u64, ArchiveError> {
        let header = self.repository.find_header(id);
        header.map(|header| header.size()).map_err(|error| ArchiveError::Object { id, source: error.into() })
    }

    /// The content of the object `id`, which must have this kind and this ID.
    pub(crate) fn read(&self, id: ObjectId, kind: Kind) -> Result<Vec<u8>, ArchiveError> {
        let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| ArchiveError::Object { id, source };
        self.go_on()?;
        let mut content = Vec::new();
        let found = self.repository.objects.try_find(&id, &mut content).map_err(|error| unreadable(error.into()))?;
        let found = found.ok_or_else(|| unreadable("it isn't there".into()))?;
        found.verify_checksum(&id).map_err(|error| unreadable(error.into()))?;
        if found.kind != kind {
            return Err(unreadable(format!("it is a {}, and a {kind} was expected", found.kind).into()));
        }
        Ok(content)
    }
}

/// A file that is read until interrupted.
pub(crate) struct ReadUntil<'a>(pub(crate) File, pub(crate) &'a AtomicBool);

impl Read for ReadUntil<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        go_on(self.1).map_err(io::Error::other)?;
        self.0.read(buffer)
    }
}

impl Seek for ReadUntil<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// Fails if interrupted.
pub(crate) fn go_on(interrupt: &AtomicBool) -> Result<(), ArchiveError> {
    if interrupt.load(Ordering::Relaxed) { Err(ArchiveError::Interrupted) } else { Ok(()) }
}
