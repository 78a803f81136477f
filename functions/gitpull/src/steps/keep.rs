//! The last step: the pack in the cache, for functions that start with an empty disk. By then the
//! zip is there, so nothing here fails a job.

use std::time::Instant;

use contract::Repository;
use fetch::Fetched;
use tokio::time::timeout_at;

use crate::cache::{PackCache, Stale};

/// Keeps the pack of a fetched commit, if the cache should have another one. What there is no time
/// left for is left to the next function.
pub(crate) async fn keep(
    cache: &PackCache,
    repository: &Repository,
    fetched: Fetched,
    stale: Option<Stale>,
    deadline: Instant,
) {
    let Some(stale) = stale else { return };
    let kept = cache.keep(repository, fetched, stale);
    timeout_at(deadline.into(), kept).await.unwrap_or_else(|_| tracing::warn!("no time was left to keep the pack"));
}
