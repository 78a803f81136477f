//! What shows a host who we are, and the way to it: an SSH key, or a token for each host.
//! The `FetchOver` parameter decides, for all hosts.

use contract::{AllowedHost, AllowedHosts, Repository};
use fetch::{Connecting, HttpsAccess, KnownHosts, SshAccess};
use host_credentials::{HostCredentials, TokenError};
use https::{Client, Credential};
use secrecy::ExposeSecret as _;
use secret::{MAX_AGE, ROTATION_AGE, StoredSecret};

use crate::{
    error::GitPullError,
    ssh_keys::{KeysOf, SshKeys},
};

/// How all hosts are reached.
#[derive(Debug)]
pub(crate) enum Access {
    /// Over SSH.
    Ssh {
        /// The keys of repositories, and the stack's.
        keys: Box<SshKeys>,
        known_hosts: KnownHosts,
    },
    /// Over HTTPS, without the key.
    Https {
        /// It keeps its connections between jobs.
        client: Client,
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
}

impl Access {
    /// The ways to a repository of a host.
    pub(crate) async fn ways(
        &self,
        host: &AllowedHost,
        repository: &Repository,
        hosts: &AllowedHosts,
        known: Known,
    ) -> Result<Ways, GitPullError> {
        match self {
            Self::Ssh { keys, known_hosts } => {
                // The first round trips need no key.
                let mut connecting = Some(Connecting::start(host, known_hosts));
                let KeysOf { newest, older } = match known {
                    Known::Cached => keys.of(repository).await?,
                    Known::Refused => keys.read_again(repository).await?,
                };
                let mut way = |key| {
                    let (known_hosts, connecting) = (known_hosts.clone(), connecting.take());
                    fetch::Access::Ssh(SshAccess { key, known_hosts, connecting })
                };
                Ok(Ways { first: way(newest), others: older.into_iter().map(way).collect() })
            }
            Self::Https { client, tokens } => {
                let max_age = if known == Known::Cached { MAX_AGE } else { ROTATION_AGE };
                let token = tokens.token(host, hosts, client, max_age).await.map_err(no_token)?;
                let credential = token.map(|token| {
                    let value = forge::git_authorization(host.kind, token.expose_secret());
                    host_credentials::credential(&host.host, "authorization", value)
                });
                let credential = credential.transpose().map_err(GitPullError::Token)?;
                let credential = credential.unwrap_or_else(Credential::default);
                let first = fetch::Access::Https(HttpsAccess { client: client.clone(), credential });
                Ok(Ways { first, others: Vec::new() })
            }
        }
    }
}

fn no_token(error: TokenError) -> GitPullError {
    match error {
        TokenError::Read(cause) => GitPullError::ReadCredentials(cause),
        TokenError::Https(error) => GitPullError::Token(error),
    }
}
