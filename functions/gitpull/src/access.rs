//! What shows a host who we are, and the way to it: the stack's SSH key, or a token for each host.
//! The `FetchOver` parameter decides, for all hosts.

use std::time::Duration;

use contract::{AllowedHost, AllowedHosts};
use fetch::{HttpsAccess, KnownHosts, SshAccess};
use host_credentials::{HostCredentials, TokenError};
use https::{Client, Credential};
use secrecy::ExposeSecret as _;
use secret::StoredSecret;

use crate::{error::GitPullError, private_key::StoredKey};

/// How all hosts are reached.
#[derive(Debug)]
pub(crate) enum Access {
    /// Over SSH.
    Ssh {
        /// The stack's key.
        key: Box<StoredKey>,
        known_hosts: KnownHosts,
    },
    /// Over HTTPS, without the key.
    Https {
        /// It keeps its connections between jobs.
        client: Client,
        tokens: Box<HostCredentials<StoredSecret>>,
    },
}

impl Access {
    /// The access to a host. A token that was read longer than `max_age` ago is read again.
    pub(crate) async fn to(
        &self,
        host: &AllowedHost,
        hosts: &AllowedHosts,
        max_age: Duration,
    ) -> Result<fetch::Access, GitPullError> {
        match self {
            Self::Ssh { key, known_hosts } => {
                Ok(fetch::Access::Ssh(SshAccess { key: key.get().await?.clone(), known_hosts: known_hosts.clone() }))
            }
            Self::Https { client, tokens } => {
                let token = tokens.token(host, hosts, client, max_age).await.map_err(no_token)?;
                let credential = token.map(|token| {
                    let value = forge::git_authorization(host.kind, token.expose_secret());
                    host_credentials::credential(&host.host, "authorization", value)
                });
                let credential = credential.transpose().map_err(GitPullError::Token)?;
                let credential = credential.unwrap_or_else(Credential::default);
                Ok(fetch::Access::Https(HttpsAccess { client: client.clone(), credential }))
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
