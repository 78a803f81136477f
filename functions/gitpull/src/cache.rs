//! The cache of packs in S3, for functions that start with an empty disk. Errors are only logged:
//! without the cache, everything is fetched from the Git host.

use aws_names::BucketName;
use contract::{CommitId, Repository, environment::PACK_PREFIX, error_chain};
use fetch::{Fetched, Origin, Seed};
use store::{CachedPack, Object, PackVersion, Upload};

/// The smallest fetch worth caching, in bytes. Below that, S3 is no faster than the host.
const WORTH_KEEPING: u64 = 1 << 20;

/// The cache.
#[derive(Debug)]
pub(crate) struct PackCache {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) bucket: BucketName,
}

/// The result of looking up a repository's pack.
#[derive(Debug, Default)]
pub(crate) struct Found(Option<(PackVersion, u64)>);

/// A decision to cache a new pack of a repository in place of this one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stale(Option<PackVersion>);

impl PackCache {
    /// The pack of a repository, if any.
    pub(crate) async fn open(&self, repository: &Repository, found: &mut Found) -> Option<Seed> {
        let CachedPack { commit, length, version, body } = CachedPack::open(&self.s3, &self.object(repository)).await?;
        found.0 = Some((version, length));
        Some(Seed { commit, pack: body })
    }

    /// Caches the pack of a fetched commit.
    pub(crate) async fn keep(&self, repository: &Repository, fetched: Fetched, Stale(read): Stale) {
        let object = self.object(repository);
        let Ok(commit) = fetched.commit.to_string().parse::<CommitId>() else { return };
        let (mut writer, upload) = Upload::start_pack(&self.s3, object.clone(), &commit, read);
        let packing = blocking::spawn(move |interrupt| {
            // The whole `Fetched` is moved here: it protects the clone while it is read, even if
            // this is abandoned.
            let fetched = fetched;
            let written = archive::write_pack(&fetched.clone, fetched.commit, interrupt, &mut writer);
            written.and_then(|()| writer.finish().map_err(archive::ArchiveError::Write))
        });
        let stored = upload.finish().await;
        match (stored, packing.await) {
            (Ok(stored), _) => tracing::info!(%object, %commit, bytes = stored.bytes, "cached the pack"),
            (Err(error), _) if error.is_taken() => tracing::info!(%object, "another function has cached a pack"),
            (Err(error), Ok(Err(cause))) if !matches!(cause, archive::ArchiveError::Write(_)) => {
                tracing::warn!(%object, error = error_chain(&error), cause = error_chain(&cause), "could not cache the pack");
            }
            (Err(error), _) => tracing::warn!(%object, error = error_chain(&error), "could not cache the pack"),
        }
    }

    fn object(&self, repository: &Repository) -> Object {
        Object { bucket: self.bucket.clone(), key: format!("{PACK_PREFIX}{repository}.pack") }
    }
}

impl Found {
    /// Whether to replace the cached pack. A kept clone says nothing about the cache: it was filled
    /// when the clone was created.
    pub(crate) fn stale(self, origin: Origin, received: u64) -> Option<Stale> {
        let length = self.0.as_ref().map(|(_, length)| *length);
        is_stale(origin, received, length).then(|| Stale(self.0.map(|(version, _)| version)))
    }
}

/// Whether so much was received beside a pack of this length, if there was one, that another is
/// worth keeping.
fn is_stale(origin: Origin, received: u64, length: Option<u64>) -> bool {
    match (origin, length) {
        (Origin::New, _) => received >= WORTH_KEEPING,
        // A quarter of it has changed.
        (Origin::Seeded, Some(length)) => received > length / 4,
        (Origin::Seeded, None) | (Origin::Kept, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_or_kept_clone_stays_uncached() {
        assert!(is_stale(Origin::New, WORTH_KEEPING, None));
        assert!(!is_stale(Origin::New, WORTH_KEEPING - 1, None));
        assert!(!is_stale(Origin::Kept, u64::MAX, Some(1)));
        assert!(Found::default().stale(Origin::Kept, u64::MAX).is_none());
    }

    #[test]
    fn seed_is_replaced_after_a_quarter() {
        assert!(!is_stale(Origin::Seeded, 25, Some(100)));
        assert!(is_stale(Origin::Seeded, 26, Some(100)));
        assert!(!is_stale(Origin::Seeded, u64::MAX, None));
    }
}
