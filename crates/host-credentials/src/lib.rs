//! The credentials for hosts, and the access token that Bitbucket Cloud gives for one, cached until
//! it expires. Archives and Git itself are requested with the same tokens, each in its own form
//! (`forge`).

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::{AllowedHost, AllowedHosts, HostKind, HostName, ProviderCredentials};
use forge::ArchiveApi;
use https::{Client, Credential, HttpsError, MediaTypes, read_json};
use secrecy::{ExposeSecret as _, SecretString};
use secret::{CachedSecret, SecretSource};
use serde::Deserialize;
use tokio::sync::Mutex;

/// An access token is requested by [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-4.4).
const TOKEN_REQUEST: MediaTypes =
    MediaTypes { sent: "application/x-www-form-urlencoded", accepted: "application/json" };

/// How long before its expiry an access token isn't used any more, because a download may take a
/// while.
const MARGIN: Duration = Duration::from_mins(1);

/// The credentials of all hosts.
#[derive(Debug)]
pub struct HostCredentials<S> {
    stored: CachedSecret<S, ProviderCredentials>,
    /// The access token that each host has given, which is sent to no other host.
    access: Mutex<HashMap<HostName, Access>>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The secret can't be read or parsed.
    #[error("could not read the credentials: {0}")]
    Read(String),
    /// Bitbucket Cloud gives no access token.
    #[error(transparent)]
    Https(#[from] HttpsError),
}

/// An access token of Bitbucket Cloud.
#[derive(Debug, Clone)]
struct Access {
    token: SecretString,
    /// The consumer that it was given to: a rotated one gets another token.
    key: String,
    until: Instant,
}

/// Bitbucket Cloud's response, by [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    #[serde(default)]
    expires_in: u64,
}

impl<S: SecretSource> HostCredentials<S> {
    /// Those in a secret, which isn't read yet.
    pub fn new(stored: S) -> Self {
        let stored = CachedSecret::new(stored, |text| Ok(ProviderCredentials::parse(text)?));
        Self { stored, access: Mutex::default() }
    }

    /// The token for a host. `None` if there is none for it: public repositories need none. A
    /// cached secret older than `max_age` is read again.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn token(
        &self,
        host: &AllowedHost,
        hosts: &AllowedHosts,
        http: &Client,
        max_age: Duration,
    ) -> Result<Option<SecretString>, TokenError> {
        let stored = self.stored.get(Instant::now(), max_age).await;
        let stored = stored.map_err(|error| TokenError::Read(format!("{error:#}")))?;
        let first = hosts.first().map(|first| &first.host);
        match (host.kind, stored.oauth_consumer()) {
            (Some(kind @ HostKind::Bitbucket), Some((key, secret))) => {
                self.access(&ArchiveApi { host, kind }, http, key, secret, max_age).await.map(Some)
            }
            _ => Ok(stored.token(&host.host, first)),
        }
    }

    async fn access(
        &self,
        api: &ArchiveApi<'_>,
        http: &Client,
        key: &str,
        secret: &SecretString,
        max_age: Duration,
    ) -> Result<SecretString, TokenError> {
        let mut access = self.access.lock().await;
        let is_good =
            |access: &&Access| access.key == key && access.until > Instant::now() && max_age == secret::MAX_AGE;
        let host = &api.host.host;
        if let Some(access) = access.get(host).filter(is_good) {
            return Ok(access.token.clone());
        }
        let consumer = format!("{key}:{}", secret.expose_secret());
        let consumer = credential(host, "authorization", format!("Basic {}", STANDARD.encode(consumer)))?;
        let body = "grant_type=client_credentials";
        let answer = http.post(&api.oauth_token(), host.as_str(), &consumer, &TOKEN_REQUEST, body).await?;
        let granted: Granted = read_json(answer, "the request for an access token").await?;
        let until = Instant::now() + Duration::from_secs(granted.expires_in).saturating_sub(MARGIN);
        let token = granted.access_token;
        access.insert(host.clone(), Access { token: token.clone(), key: key.to_owned(), until });
        Ok(token)
    }
}

/// The header that shows a host a token.
///
/// # Errors
/// The token has characters that no header may have.
pub fn credential(host: &HostName, header: &str, value: String) -> Result<Credential, HttpsError> {
    let credential = Credential::new([(header, &value.into())]);
    credential.ok_or_else(|| HttpsError::Credential { host: host.to_string() })
}
