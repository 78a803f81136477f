//! Who asks: which credential a host is shown, and the access token that Bitbucket Cloud gives for one, kept until it
//! expires.

use std::time::{Duration, Instant};

use contract::{AllowedHost, AllowedHosts, HostKind, ProviderCredentials};
use forge::ArchiveApi;
use secrecy::{ExposeSecret as _, SecretString};
use secret::{CachedSecret, SecretSource};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{
    error::ZipDlError,
    http::{Credential, Http, read_json},
};

/// How long before its end an access token isn't used any more: a download begins with it.
const MARGIN: Duration = Duration::from_mins(1);

/// The credentials of all hosts.
#[derive(Debug)]
pub(crate) struct Credentials<S> {
    stored: CachedSecret<S>,
    access: Mutex<Option<Access>>,
}

/// An access token of Bitbucket Cloud.
#[derive(Debug, Clone)]
struct Access {
    token: SecretString,
    /// Of which consumer: a rotated one gets another token.
    key: String,
    until: Instant,
}

/// What Bitbucket Cloud answers, by [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    #[serde(default)]
    expires_in: u64,
}

impl<S: SecretSource> Credentials<S> {
    pub(crate) fn new(stored: CachedSecret<S>) -> Self {
        Self { stored, access: Mutex::new(None) }
    }

    /// What `api`'s host is shown; nothing where there is nothing for it, and public repositories can be had without.
    /// What was remembered for longer than `max_age` is read again.
    pub(crate) async fn of(
        &self,
        api: &ArchiveApi<'_>,
        hosts: &AllowedHosts,
        http: &Http,
        max_age: Duration,
    ) -> Result<Option<Credential>, ZipDlError> {
        let text = self.stored.get(Instant::now(), max_age).await;
        let text = text.map_err(|error| ZipDlError::ReadCredentials(format!("{error:#}")))?;
        let stored = ProviderCredentials::parse(&text).map_err(ZipDlError::Credentials)?;
        let first = hosts.first().map(|first| &first.host);
        let token = match (api.kind, stored.oauth_consumer()) {
            (HostKind::Bitbucket, Some((key, secret))) => Some(self.access(api, http, key, secret, max_age).await?),
            _ => stored.token(&api.host.host, first),
        };
        Ok(token.map(|token| {
            let (header, value) = api.credential(token.expose_secret());
            Credential { header, value: value.into() }
        }))
    }

    async fn access(
        &self,
        api: &ArchiveApi<'_>,
        http: &Http,
        key: &str,
        secret: &SecretString,
        max_age: Duration,
    ) -> Result<SecretString, ZipDlError> {
        let mut access = self.access.lock().await;
        let is_good =
            |access: &&Access| access.key == key && access.until > Instant::now() && max_age == secret::MAX_AGE;
        if let Some(access) = access.as_ref().filter(is_good) {
            return Ok(access.token.clone());
        }
        let AllowedHost { host, .. } = api.host;
        let answer = http.post_for_token(&api.oauth_token(), key, secret).await?;
        let answer = read_json(answer).await.map_err(|source| ZipDlError::Ask { host: host.to_string(), source })?;
        let granted = answer.and_then(|answer| serde_json::from_value::<Granted>(answer).ok());
        let granted = granted.ok_or_else(|| ZipDlError::Token { host: host.to_string() })?;
        let until = Instant::now() + Duration::from_secs(granted.expires_in).saturating_sub(MARGIN);
        let token = granted.access_token;
        *access = Some(Access { token: token.clone(), key: key.to_owned(), until });
        Ok(token)
    }
}
