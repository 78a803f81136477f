//! A secret of Secrets Manager, cached between invocations: calls don't wait for Secrets Manager,
//! untrusted requests can't run up its bill, and a rotation needs no deployment.

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

/// How long a secret is cached.
pub const MAX_AGE: Duration = Duration::from_mins(5);

/// The minimum age at which a cached secret that doesn't match is read again: it may have been
/// rotated meanwhile.
pub const ROTATION_AGE: Duration = Duration::from_secs(30);

/// A source of secrets.
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
    /// The secret with this ID.
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

/// A cached secret with its parsed value.
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
    /// A cache for the secret of `source`, which isn't read yet. `understand` parses the secret
    /// each time it is read.
    pub fn new(source: S, understand: fn(&SecretString) -> Result<T>) -> Self {
        Self { source, understand, cached: Mutex::new(None) }
    }

    /// The secret, read at most `max_age` before `now`. If it can't be read again in time, the old
    /// one isn't used: it may have been revoked.
    ///
    /// # Errors
    /// The secret can't be read or parsed.
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

    /// The source of the secret.
    pub fn source(&self) -> &S {
        &self.source
    }
}
