//! What shows a host who we are, and the way to it: an SSH key, a token for each host, or a GitHub
//! App's tokens for single repositories. The App is the way to the repositories that it is
//! installed on. For all others, the `FetchOver` parameter decides.

use std::time::SystemTime;

use aws_names::BucketName;
use contract::{AllowedHost, AllowedHosts, Repository};
use fetch::{FetchError, HttpsAccess, Sessions, SshAccess};
use github_app::{AppError, GitHubApp, KmsKey};
use host_credentials::{HostCredentials, TokenError};
use https::{Client, Credential, HttpsError};
use secrecy::{ExposeSecret as _, SecretString};
use secret::{MAX_AGE, ROTATION_AGE, StoredSecret};

use crate::{
    error::{AccessError, ReachError},
    key_ring::KeyObject,
    ssh_keys::{KeysOf, SshKeys},
};

/// How all hosts are reached.
#[derive(Debug)]
pub struct Access {
    /// How the repositories are reached that the App is installed on.
    pub app: Option<GitHubApp<KmsKey>>,
    /// How all others are.
    pub others: Others,
}

/// How repositories without the App are reached.
#[derive(Debug)]
pub enum Others {
    /// Over SSH.
    Ssh {
        /// The keys of repositories, and the stack's.
        keys: Box<SshKeys>,
        /// The open sessions, and the trusted host keys.
        sessions: Sessions,
    },
    /// Over HTTPS, without the key.
    Https {
        /// It keeps its connections between jobs.
        client: Client,
        /// The tokens, one for each host.
        tokens: Box<HostCredentials<StoredSecret>>,
    },
}

/// What is known about what was read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: it may be used for minutes.
    Cached,
    /// The host has refused it: it is read again.
    Refused,
}

/// The ways to a repository, in the order in which to try them.
#[derive(Debug)]
pub(crate) struct Ways {
    pub(crate) first: fetch::Access,
    pub(crate) others: Vec<fetch::Access>,
    /// Whether they are meant for this repository or its host: its own keys, or the host's token.
    pub(crate) are_own: bool,
    /// Why the App's token isn't one of them.
    pub(crate) without_app: Option<AppError>,
}

impl Ways {
    fn one(first: fetch::Access) -> Self {
        Self { first, others: Vec::new(), are_own: false, without_app: None }
    }

    /// The same for a repository of the App's host that the App isn't installed on. Everybody can
    /// read a public one, such as a submodule of somebody else, and its host refuses the stack's
    /// key only after many round trips.
    fn without_app(self, why: AppError, public: fetch::Access) -> Self {
        let Self { first, mut others, are_own, .. } = self;
        let first = if are_own {
            others.push(public);
            first
        } else {
            others.insert(0, first);
            public
        };
        Self { first, others, are_own, without_app: Some(why) }
    }
}

/// The way that the App's token opens, or why there is none.
async fn by_app(
    app: &GitHubApp<KmsKey>,
    repository: &Repository,
    known: Known,
) -> Result<Result<fetch::Access, AppError>, AccessError> {
    let path = &repository.path;
    if known == Known::Refused {
        app.forget(path).await;
    }
    match app.token(path, SystemTime::now()).await {
        Ok(token) => over_https(app.client(), app.host(), Some(&token)).map(Ok),
        Err(error) if error.is_about_access() => Ok(Err(error)),
        Err(error) => Err(AccessError::GitHubApp(Box::new(error))),
    }
}

/// The way over HTTPS with a token, or without one.
fn over_https(client: &Client, host: &AllowedHost, token: Option<&SecretString>) -> Result<fetch::Access, AccessError> {
    let credential = token.map(|token| {
        let value = forge::git_authorization(host.kind, token.expose_secret());
        host_credentials::credential(&host.host, "authorization", value)
    });
    let credential = credential.transpose().map_err(AccessError::Token)?;
    let credential = credential.unwrap_or_else(Credential::default);
    Ok(fetch::Access::Https(HttpsAccess { client: client.clone(), credential }))
}

impl Access {
    /// The App, if it is the way to this host.
    fn app_of(&self, host: &AllowedHost) -> Option<&GitHubApp<KmsKey>> {
        self.app.as_ref().filter(|app| app.host().host == host.host)
    }

    /// Whether a host is reached over SSH.
    pub fn is_over_ssh(&self, host: &AllowedHost) -> bool {
        self.app_of(host).is_none() && matches!(self.others, Others::Ssh { .. })
    }

    /// Reads the keys of all these repositories at once, if hosts are reached with keys, and keeps
    /// a copy of them for the next time in this object.
    ///
    /// # Errors
    /// S3 or KMS refuses. Then each key is read when it is needed.
    pub async fn read_keys_ahead(&self, all: &[KeyObject], bucket: &BucketName, ring: &str) -> Result<(), AccessError> {
        match &self.others {
            Others::Ssh { keys, .. } => keys.read_ahead(all, bucket, ring).await,
            Others::Https { .. } => Ok(()),
        }
    }

    /// The first way to a repository of a host.
    ///
    /// # Errors
    /// There is nothing to show it.
    pub async fn first_way(
        &self,
        host: &AllowedHost,
        repository: &Repository,
        hosts: &AllowedHosts,
    ) -> Result<fetch::Access, AccessError> {
        Ok(self.ways(host, repository, hosts, Known::Cached).await?.first)
    }

    /// Asks a host by each way to a repository, until it doesn't refuse what it was shown.
    ///
    /// # Errors
    /// There is nothing to show it, or the error of the last way that was tried.
    pub async fn reach<T>(
        &self,
        host: &AllowedHost,
        repository: &Repository,
        hosts: &AllowedHosts,
        mut ask: impl AsyncFnMut(fetch::Access) -> Result<T, FetchError>,
    ) -> Result<T, ReachError> {
        let mut known = Known::Cached;
        loop {
            let ways = self.ways(host, repository, hosts, known).await?;
            let mut answer = ask(ways.first).await;
            let is_private = answer.as_ref().is_err_and(is_of_access);
            for way in ways.others {
                if !answer.as_ref().is_err_and(is_of_access) {
                    break;
                }
                answer = ask(way).await;
            }
            match answer {
                Ok(answer) => return Ok(answer),
                // A cached key or token may have been replaced: read it again, once.
                Err(error) if known == Known::Cached && is_of_access(&error) => known = Known::Refused,
                Err(error) => {
                    // What became of the stack's key says less than that the App isn't installed.
                    let is_for_app = is_of_access(&error) || is_private && !ways.are_own;
                    return Err(match ways.without_app.filter(|_| is_for_app) {
                        Some(why) => AccessError::GitHubApp(Box::new(why)).into(),
                        None => ReachError::Fetch(Box::new(error)),
                    });
                }
            }
        }
    }

    /// The ways to a repository of a host.
    async fn ways(
        &self,
        host: &AllowedHost,
        repository: &Repository,
        hosts: &AllowedHosts,
        known: Known,
    ) -> Result<Ways, AccessError> {
        let Some(app) = self.app_of(host) else {
            return self.ways_of_others(host, repository, hosts, known).await;
        };
        let why = match by_app(app, repository, known).await? {
            Ok(way) => return Ok(Ways::one(way)),
            Err(why) => why,
        };
        let public = over_https(app.client(), app.host(), None)?;
        Ok(self.ways_of_others(host, repository, hosts, known).await?.without_app(why, public))
    }

    /// The ways to a repository without the App, the newest key first: while it replaces another,
    /// the host may have only the older one.
    async fn ways_of_others(
        &self,
        host: &AllowedHost,
        repository: &Repository,
        hosts: &AllowedHosts,
        known: Known,
    ) -> Result<Ways, AccessError> {
        match &self.others {
            Others::Ssh { keys, sessions } => {
                // The first round trips need no key.
                let mut connecting = sessions.connect_early(host);
                let KeysOf { newest, older, are_own } = match known {
                    Known::Cached => keys.of(repository).await?,
                    Known::Refused => keys.read_again(repository).await?,
                };
                let mut way = |key| {
                    let (sessions, connecting) = (sessions.clone(), connecting.take());
                    fetch::Access::Ssh(SshAccess { key, sessions, connecting })
                };
                let first = way(newest);
                let others = older.into_iter().map(way).collect();
                Ok(Ways { others, are_own, ..Ways::one(first) })
            }
            Others::Https { client, tokens } => {
                let max_age = if known == Known::Cached { MAX_AGE } else { ROTATION_AGE };
                let token = tokens.token(host, hosts, client, max_age).await.map_err(no_token)?;
                let first = over_https(client, host, token.as_ref())?;
                Ok(Ways { are_own: token.is_some(), ..Ways::one(first) })
            }
        }
    }
}

/// Whether another key or token may help.
fn is_of_access(error: &FetchError) -> bool {
    matches!(
        error,
        FetchError::KeyRefused { .. }
            | FetchError::Refused { .. }
            | FetchError::NoToken { .. }
            | FetchError::Https { source: HttpsError::Unauthorized { .. }, .. }
    )
}

fn no_token(error: TokenError) -> AccessError {
    match error {
        TokenError::Read(cause) => AccessError::ReadCredentials(cause),
        TokenError::Https(error) => AccessError::Token(error),
    }
}
