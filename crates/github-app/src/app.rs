//! The App's requests, and the tokens that it has, until shortly before they end.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use contract::{AllowedHost, HostKind, Repository, RepositoryPath, url_path::encoded};
use https::{Client, Credential, HttpsError, MediaTypes, Method, Response, StatusCode, header, read_json};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{AppError, Signer, jwt};

/// How long before its end a token isn't used any more, since a fetch may take a while.
const MARGIN: Duration = Duration::from_mins(5);
/// For how long a signature is used again: each costs a request to KMS. It is good for five minutes
/// more.
const REUSED: Duration = Duration::from_mins(4);
/// The least difference of clocks that may be why a signature isn't accepted.
const CLOCK: Duration = Duration::from_mins(1);
const MEDIA: MediaTypes = MediaTypes { sent: "application/json", accepted: "application/vnd.github+json" };

/// A GitHub App at a host.
#[derive(Debug)]
pub struct GitHubApp<S> {
    host: AllowedHost,
    id: String,
    signer: S,
    client: Client,
    purpose: Purpose,
    tokens: Mutex<HashMap<RepositoryPath, Token>>,
    /// The newest signature, and when it was made.
    signed: Mutex<Option<(SecretString, SystemTime)>>,
}

#[derive(Debug, Clone)]
struct Token {
    token: SecretString,
    ends: SystemTime,
    installation: Installation,
}

/// The App's [installation](https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app)
/// on a repository.
#[derive(Debug, Clone, Deserialize)]
pub struct Installation {
    id: u64,
    suspended_at: Option<String>,
    #[serde(default)]
    permissions: Permissions,
    /// The events that it sends to the App's webhook.
    #[serde(default)]
    pub events: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Permissions {
    contents: Option<String>,
    statuses: Option<String>,
}

/// What the App's tokens are for. Each may do nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    ReadContents,
    SetStatuses,
}

/// <https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>
#[derive(Deserialize)]
struct Granted {
    token: SecretString,
    expires_at: String,
}

impl Granted {
    /// When the token isn't used any more.
    fn ends(&self) -> Option<SystemTime> {
        let expires: Timestamp = self.expires_at.parse().ok()?;
        let seconds = u64::try_from(expires.as_second()).ok()?;
        (SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).checked_sub(MARGIN)
    }
}

impl<S: Signer> GitHubApp<S> {
    /// The App with this ID or client ID at `host`. Nothing of it is ever sent to another host.
    pub fn new(host: AllowedHost, id: impl Into<String>, signer: S, client: Client) -> Self {
        let purpose = Purpose::ReadContents;
        Self { host, id: id.into(), signer, client, purpose, tokens: Mutex::default(), signed: Mutex::default() }
    }

    /// The same App, whose tokens may set the statuses of commits instead of reading contents.
    #[must_use]
    pub fn for_statuses(self) -> Self {
        Self { purpose: Purpose::SetStatuses, tokens: Mutex::default(), ..self }
    }

    /// The App's host.
    pub fn host(&self) -> &AllowedHost {
        &self.host
    }

    /// Its ID or client ID.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What the App's requests go through.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What shows the host that a request is the App's, for the next minutes.
    ///
    /// # Errors
    /// KMS doesn't sign.
    pub async fn jwt(&self, now: SystemTime) -> Result<SecretString, AppError> {
        let mut signed = self.signed.lock().await;
        if let Some((jwt, at)) = &*signed
            && now.duration_since(*at).is_ok_and(|age| age < REUSED)
        {
            return Ok(jwt.clone());
        }
        let jwt = jwt(&self.id, &self.signer, now).await?;
        *signed = Some((jwt.clone(), now));
        Ok(jwt)
    }

    /// A token that may read the contents of one repository, or [set
    /// statuses](Self::for_statuses) there, and nothing elsewhere. It is cached.
    ///
    /// # Errors
    /// See [`AppError`].
    pub async fn token(&self, path: &RepositoryPath, now: SystemTime) -> Result<SecretString, AppError> {
        let mut tokens = self.tokens.lock().await;
        tokens.retain(|_, token| token.ends > now);
        if let Some(known) = tokens.get(path) {
            return Ok(known.token.clone());
        }
        let credential = self.credential(now).await?;
        let installation = self.installed(path, &credential, now).await?;
        let repository = self.repository(path);
        if installation.suspended_at.is_some() {
            return Err(AppError::Suspended { id: self.id.clone(), repository });
        }
        let permissions = self.permissions(&installation, repository)?;
        let url = format!("/app/installations/{}/access_tokens", installation.id);
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        let body = json!({ "repositories": [name], "permissions": permissions });
        let answer = self.send(Method::POST, &url, Some(&body), &credential, path, now).await?;
        let what = "the request for a token of the GitHub App";
        let granted: Granted = read_json(answer, what).await?;
        let ends = granted.ends().ok_or_else(|| HttpsError::Answer { host: self.host.host.to_string(), what })?;
        tokens.insert(path.clone(), Token { token: granted.token.clone(), ends, installation });
        Ok(granted.token)
    }

    /// What a token is to permit, if the installation does.
    fn permissions(&self, installation: &Installation, repository: Repository) -> Result<Value, AppError> {
        let (id, granted) = (self.id.clone(), &installation.permissions);
        match self.purpose {
            Purpose::ReadContents if granted.contents.is_some() => Ok(json!({ "contents": "read" })),
            Purpose::ReadContents => Err(AppError::MayNotRead { id, repository }),
            Purpose::SetStatuses if granted.statuses.as_deref() == Some("write") => Ok(json!({ "statuses": "write" })),
            Purpose::SetStatuses => Err(AppError::MayNotSetStatuses { id, repository }),
        }
    }

    /// Forgets the token for a repository: the host has refused it.
    pub async fn forget(&self, path: &RepositoryPath) {
        self.tokens.lock().await.remove(path);
    }

    /// The App's installation on a repository, as it was when its token was made.
    ///
    /// # Errors
    /// See [`AppError`].
    pub async fn installation(&self, path: &RepositoryPath, now: SystemTime) -> Result<Installation, AppError> {
        if let Some(known) = self.tokens.lock().await.get(path).filter(|token| token.ends > now) {
            return Ok(known.installation.clone());
        }
        let credential = self.credential(now).await?;
        self.installed(path, &credential, now).await
    }

    async fn installed(
        &self,
        path: &RepositoryPath,
        credential: &Credential,
        now: SystemTime,
    ) -> Result<Installation, AppError> {
        let url = format!("/repos/{}/installation", encoded(path.as_str()));
        let answer = self.send(Method::GET, &url, None, credential, path, now).await?;
        Ok(read_json(answer, "the request for the GitHub App's installation").await?)
    }

    async fn credential(&self, now: SystemTime) -> Result<Credential, AppError> {
        self.credential_with(None, now).await
    }

    /// What shows the host that a request is the App's, and another header, if there is one.
    pub(crate) async fn credential_with(
        &self,
        more: Option<(&'static str, &str)>,
        now: SystemTime,
    ) -> Result<Credential, AppError> {
        let authorization = format!("Bearer {}", self.jwt(now).await?.expose_secret()).into();
        let more = more.map(|(name, value)| (name, SecretString::from(value)));
        // Another version could have other fields.
        let headers = [("authorization", &authorization), ("x-github-api-version", &"2022-11-28".into())];
        let headers = headers.into_iter().chain(more.iter().map(|(name, value)| (*name, value)));
        let unfit = || HttpsError::Credential { host: self.host.host.to_string() };
        Ok(Credential::new(headers).ok_or_else(unfit)?)
    }

    fn repository(&self, path: &RepositoryPath) -> Repository {
        Repository::new(self.host.host.clone(), path.clone())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        credential: &Credential,
        repository: &RepositoryPath,
        now: SystemTime,
    ) -> Result<Response, AppError> {
        let url = format!("{}{path}", self.host.api(HostKind::GitHub));
        let answer = self.ask(method, &url, body, credential, now).await?;
        let (status, id, repository) = (answer.status(), self.id.clone(), self.repository(repository));
        let number = status.as_u16();
        Err(match status {
            _ if status.is_success() => return Ok(answer),
            StatusCode::NOT_FOUND => AppError::NotInstalled { id, repository },
            _ if status.is_redirection() => AppError::Moved { repository, status: number },
            _ => AppError::Refused { host: self.host.host.to_string(), id, repository, status: number },
        })
    }

    /// Sends a request of the App. Errors are those that can be of any request: the rest depends
    /// on what was asked.
    pub(crate) async fn ask(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
        credential: &Credential,
        now: SystemTime,
    ) -> Result<Response, AppError> {
        let host = self.host.host.to_string();
        let answer = self.client.send(method, url, &host, credential, &MEDIA, body).await?;
        let status = answer.status();
        if status == StatusCode::UNAUTHORIZED {
            // The host doesn't accept this signature.
            *self.signed.lock().await = None;
        }
        if let Some(after) = https::pause(&answer) {
            return Err(HttpsError::Busy { host, status: status.as_u16(), after }.into());
        }
        match status {
            StatusCode::UNAUTHORIZED => {
                Err(AppError::Unauthorized { host, id: self.id.clone(), ahead: ahead(&answer, now) })
            }
            _ if status.is_server_error() => Err(HttpsError::Server { host, status: status.as_u16() }.into()),
            _ => Ok(answer),
        }
    }
}

/// How far the host's clock is ahead of ours, in seconds, if that is more than it accepts.
fn ahead(answer: &Response, now: SystemTime) -> Option<i64> {
    let date = answer.headers().get(header::DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let ours = Timestamp::try_from(now).ok()?;
    let ahead = theirs.as_second() - ours.as_second();
    (ahead.unsigned_abs() > CLOCK.as_secs()).then_some(ahead)
}
