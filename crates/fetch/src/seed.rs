//! The start of a new clone from a cached pack of a commit. The host then sends only what has
//! changed since. The pack isn't trusted: every object's ID is computed from its content, and if
//! the commit is incomplete, the clone starts empty.

use std::{fmt, sync::atomic::AtomicBool};

use contract::CommitId;
use gix::ObjectId;
use tokio::{io::AsyncBufRead, runtime::Handle};
use tokio_util::io::SyncIoBridge;

use crate::{
    FetchError,
    clone_dir::CloneDir,
    room::is_out_of_room,
    whole::{WholeError, whole_commit},
};

/// A pack, and the commit that it should contain completely.
pub struct Seed {
    /// The commit.
    pub commit: CommitId,
    /// The pack.
    pub pack: Box<dyn AsyncBufRead + Send + Unpin>,
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed").field("commit", &self.commit).finish_non_exhaustive()
    }
}

/// Why a seed is unusable.
#[derive(Debug, thiserror::Error)]
enum SeedError {
    #[error("the pack can't be received")]
    Receive(#[source] pack::PackError),
    #[error("the commit or one of its objects is missing")]
    NotWhole(#[source] WholeError),
    #[error("its name isn't an object ID")]
    Name(#[source] gix::Error),
    #[error("could not record the commit in the clone")]
    Shallow(#[source] std::io::Error),
}

/// Puts a seed into a directory without a clone. Returns whether that worked. If not, the directory
/// stays empty.
pub(crate) async fn plant(dir: CloneDir, seed: Seed) -> Result<(CloneDir, bool), FetchError> {
    let path = dir.path().to_owned();
    let runtime = Handle::current();
    let work = blocking::spawn(move |interrupt| {
        let (clone, _) = dir.open()?;
        let commit = seed.commit.clone();
        match receive(&clone, seed, runtime, interrupt) {
            Ok(()) => Ok((dir, true)),
            // If the disk has no space for the seed, it has none for the fetch. The clone is
            // removed as well.
            Err(error) if is_out_of_room(&error) => {
                dir.discard().ok();
                Err(FetchError::PrepareClone { path: dir.path().to_owned(), source: std::io::Error::other(error) })
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, %commit, "a cached pack can't be used: fetching everything");
                dir.discard().map_err(|source| FetchError::PrepareClone { path: dir.path().to_owned(), source })?;
                Ok((dir, false))
            }
        }
    });
    work.await.unwrap_or_else(|error| Err(FetchError::PrepareClone { path, source: error.into() }))
}

fn receive(clone: &gix::Repository, seed: Seed, runtime: Handle, interrupt: &AtomicBool) -> Result<(), SeedError> {
    let mut input = SyncIoBridge::new_with_handle(seed.pack, runtime);
    let packs = clone.objects.store_ref().path().join("pack");
    pack::receive(&mut input, &packs, &clone.objects, interrupt).map_err(SeedError::Receive)?;
    let id = ObjectId::from_hex(seed.commit.as_str().as_bytes()).map_err(SeedError::Name)?;
    let whole = whole_commit(clone, id, interrupt).map_err(SeedError::NotWhole)?;
    // This is the commit that the clone offers the host, without its parents.
    std::fs::write(clone.git_dir().join("shallow"), format!("{}\n", whole.id)).map_err(SeedError::Shallow)
}
