//! A whole fetch, on a disk that other clones share: if necessary, clones are removed and the fetch
//! is tried again in the same job.

use std::{error::Error, io};

use contract::Repository;

use crate::{
    Clones, FetchError, FetchRequest, Fetched, Seed, clones::Eviction, repository::fetch_once, room::is_out_of_room,
};

/// Fetches a reference into the repository's clone.
///
/// If the disk is full, unused clones are removed, the least recently used first. Dropping the
/// future ends the fetch. The clone stays locked until its thread has noticed.
///
/// # Errors
/// See [`FetchError`]. Its `retry` says whether a retry can help.
pub async fn fetch(request: &FetchRequest, clones: &Clones) -> Result<Fetched, FetchError> {
    fetch_seeded(request, clones, async || None).await
}

/// The same, but a new clone starts with the pack of `seed`. An unusable seed is ignored. It is
/// requested again after the disk was full.
///
/// # Errors
/// Those of [`fetch`].
pub async fn fetch_seeded(
    request: &FetchRequest,
    clones: &Clones,
    mut seed: impl AsyncFnMut() -> Option<Seed>,
) -> Result<Fetched, FetchError> {
    let mut last = false;
    loop {
        let free = on_a_thread(request, clones, prepare).await?;
        let mut seeded = false;
        let seed = async || {
            let seed = if last { None } else { seed().await };
            seeded = seed.is_some();
            seed
        };
        let error = match fetch_once(request, clones, seed).await {
            Err(error) if is_out_of_room(&error) => error,
            fetched => return fetched,
        };
        tracing::warn!(error = &error as &dyn Error, repository = %request.remote.repository, "the disk is full");
        let enough = free.saturating_mul(2);
        let in_use = match on_a_thread(request, clones, move |clones, own| clones.make_room(enough, own)).await? {
            Eviction::Made => continue,
            Eviction::Impossible { in_use } => in_use,
        };
        let own = on_a_thread(request, clones, empty).await?;
        // The repository's old clone may have taken the space, and so may a seed.
        if last || !(own.had_objects || seeded) {
            let repository = request.remote.repository.clone();
            let (megabytes, in_use) = (own.free >> 20, in_use + usize::from(own.in_use));
            return Err(FetchError::NoRoom { repository, megabytes, in_use, source: Box::new(error) });
        }
        last = true;
    }
}

/// Runs blocking work on the clones.
async fn on_a_thread<T: Send + 'static>(
    request: &FetchRequest,
    clones: &Clones,
    work: impl FnOnce(&Clones, &Repository) -> T + Send + 'static,
) -> Result<T, FetchError> {
    let (clones, repository) = (clones.clone(), request.remote.repository.clone());
    let done = blocking::spawn(move |_| work(&clones, &repository)).await;
    done.map_err(|source| FetchError::Stopped { repository: request.remote.repository.clone(), source })
}

/// Frees the space that a fetch should find. Returns what is free then, in bytes.
fn prepare(clones: &Clones, own: &Repository) -> u64 {
    clones.tidy();
    let Some(room) = clones.room() else { return 0 };
    if room.free < room.wanted() {
        clones.make_room(room.wanted(), own);
    }
    clones.room().unwrap_or(room).free
}

/// The result of removing a repository's own clone.
struct Emptied {
    /// What is free now, in bytes.
    free: u64,
    /// Whether a fetched clone was removed.
    had_objects: bool,
    /// Whether it was kept because somebody reads from it.
    in_use: bool,
}

/// Removes the repository's own clone.
fn empty(clones: &Clones, own: &Repository) -> Emptied {
    let removed = clones.lock(own).map_err(io::Error::other).and_then(|dir| {
        let had_objects = dir.has_packs();
        dir.remove().map(|()| had_objects)
    });
    let free = clones.room().map_or(0, |room| room.free);
    Emptied { free, in_use: removed.is_err(), had_objects: removed.unwrap_or_default() }
}
