//! A secret of Secrets Manager, remembered between calls of a function: no call should wait for
//! Secrets Manager, nor should a stranger's requests be able to run up its bill, and yet a rotation
//! needs no deployment.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use aws_config::SdkConfig;
use aws_names::SecretId;
use secrecy::SecretString;
use tokio::sync::Mutex;

/// How long a secret is remembered.
pub const MAX_AGE: Duration = Duration::from_mins(5);

/// How old a remembered secret has to be for something that doesn't fit it to have it read again:
/// it may have been rotated meanwhile.
pub const ROTATION_AGE: Duration = Duration::from_secs(30);

/// Where a secret is kept.
pub trait SecretSource {
    /// Reads it.
    fn read(&self) -> impl Future<Output = Result<SecretString>>;
}

/// A secret in Secrets Manager.
#[derive(Debug)]
pub struct StoredSecret {
    client: aws_sdk_secretsmanager::Client,
    id: SecretId,
}

impl StoredSecret {
    /// The secret of this id.
    pub fn new(config: &SdkConfig, id: SecretId) -> Self {
        Self { client: aws_sdk_secretsmanager::Client::new(config), id }
    }
}

impl SecretSource for StoredSecret {
    async fn read(&self) -> Result<SecretString> {
        let answer = self.client.get_secret_value().secret_id(self.id.as_str()).send().await;
        let secret = answer.with_context(|| format!("read the secret {}", self.id))?.secret_string;
        secret.map(SecretString::from).with_context(|| format!("the secret {} isn't text", self.id))
    }
}

/// A secret, what it means, and when it was read.
pub struct CachedSecret<S, T> {
    source: S,
    understand: fn(&SecretString) -> Result<T>,
    cached: Mutex<Option<(Arc<T>, Instant)>>,
}

impl<S: fmt::Debug, T> fmt::Debug for CachedSecret<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedSecret").field("source", &self.source).finish_non_exhaustive()
    }
}

impl<S: SecretSource, T> CachedSecret<S, T> {
    /// The secret of `source`, which isn't read yet. Whenever it is, `understand` tells once what
    /// it means.
    pub fn new(source: S, understand: fn(&SecretString) -> Result<T>) -> Self {
        Self { source, understand, cached: Mutex::new(None) }
    }

    /// The secret, read no longer than `max_age` before `now`. What can't be read again in time
    /// isn't used: it may have been revoked.
    ///
    /// # Errors
    /// It can't be read, or not be understood.
    pub async fn get(&self, now: Instant, max_age: Duration) -> Result<Arc<T>> {
        let mut cached = self.cached.lock().await;
        if let Some((secret, read_at)) = cached.as_ref()
            && now.duration_since(*read_at) <= max_age
        {
            return Ok(Arc::clone(secret));
        }
        let secret = Arc::new((self.understand)(&self.source.read().await?)?);
        *cached = Some((Arc::clone(&secret), now));
        Ok(secret)
    }

    /// Where the secret is kept.
    pub fn source(&self) -> &S {
        &self.source
    }
}
