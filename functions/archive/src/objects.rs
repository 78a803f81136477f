//! Objects as Git has them, each compared with its own name: what comes out of a damaged repository must be an error and
//! never a zip that only looks whole.

use gix::{
    ObjectId, Repository,
    objs::{Find, Kind},
};

use crate::ArchiveError;

/// What delta bases may hold while others that rest on them are resolved.
const BASES: usize = 32 << 20;

/// The objects of a repository.
pub(crate) struct Objects(Repository);

impl Objects {
    /// The objects as they are, whatever `refs/replace` says.
    pub(crate) fn of(repository: &Repository) -> Self {
        let mut repository = repository.clone();
        repository.objects.ignore_replacements = true;
        let bases = || Box::new(gix::odb::pack::cache::lru::MemoryCappedHashmap::new(BASES)) as _;
        repository.objects.set_pack_cache(bases);
        Self(repository)
    }

    pub(crate) fn repository(&self) -> &Repository {
        &self.0
    }

    /// How long the object `id` is, without reading it.
    pub(crate) fn size(&self, id: ObjectId) -> Result<u64, ArchiveError> {
        let header = self.0.find_header(id);
        header.map(|header| header.size()).map_err(|error| ArchiveError::Object { id, source: error.into() })
    }

    /// The content of the object `id`, which is of this kind and has this id.
    pub(crate) fn read(&self, id: ObjectId, kind: Kind) -> Result<Vec<u8>, ArchiveError> {
        let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| ArchiveError::Object { id, source };
        let mut content = Vec::new();
        let found = self.0.objects.try_find(&id, &mut content).map_err(|error| unreadable(error.into()))?;
        let found = found.ok_or_else(|| unreadable("it isn't there".into()))?;
        found.verify_checksum(&id).map_err(|error| unreadable(error.into()))?;
        if found.kind != kind {
            return Err(unreadable(format!("it is a {}, and a {kind} was expected", found.kind).into()));
        }
        Ok(content)
    }
}
