//! The webhook secrets, remembered between requests: a request shouldn't wait for Secrets Manager, nor
//! should a stranger's requests be able to run up its bill.

use std::time::{Duration, Instant};

use anyhow::Result;
use contract::ApiSecrets;
use secrecy::SecretString;
use tokio::sync::Mutex;

/// How long secrets are remembered.
pub(crate) const MAX_AGE: Duration = Duration::from_mins(5);

/// How old remembered secrets have to be for a signature that doesn't match to have them read again: one
/// may have been rotated meanwhile.
pub(crate) const ROTATION_AGE: Duration = Duration::from_secs(30);

/// Where the secrets are kept.
pub(crate) trait SecretSource {
    /// Reads them, as the `ApiSecret` parameter has them.
    async fn read(&self) -> Result<SecretString>;
}

/// The secrets and when they were read.
pub(crate) struct CachedSecrets<S> {
    source: S,
    cached: Mutex<Option<(ApiSecrets, Instant)>>,
}

impl<S: SecretSource> CachedSecrets<S> {
    pub(crate) fn new(source: S) -> Self {
        Self { source, cached: Mutex::new(None) }
    }

    /// The secrets, read no longer than `max_age` before `now`. What can't be read again in time isn't used:
    /// it may have been revoked.
    pub(crate) async fn get(&self, now: Instant, max_age: Duration) -> Result<ApiSecrets> {
        let mut cached = self.cached.lock().await;
        if let Some((secrets, read_at)) = cached.as_ref()
            && now.duration_since(*read_at) <= max_age
        {
            return Ok(secrets.clone());
        }
        let secrets = ApiSecrets::parse(self.source.read().await?);
        *cached = Some((secrets.clone(), now));
        Ok(secrets)
    }

    #[cfg(test)]
    pub(crate) fn source(&self) -> &S {
        &self.source
    }
}
