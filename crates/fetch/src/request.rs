//! What is fetched, and from where.

use contract::{AllowedHost, PathSpelling, Repository};

use https::{Client, Credential};

use crate::{limits::Limits, private_key::PrivateKey, sessions::Sessions, ssh::Connecting, wanted::Wanted};

/// A repository, and how to reach it.
#[derive(Debug, Clone)]
pub struct Remote {
    /// The host's address and user, from the configuration.
    pub host: AllowedHost,
    /// The repository on it.
    pub repository: Repository,
    /// How the host spells the repository's path.
    pub spelling: PathSpelling,
    /// The way to it.
    pub access: Access,
    /// The time limits.
    pub limits: Limits,
}

/// How a host is reached, and what shows it who we are.
#[derive(Debug, Clone)]
pub enum Access {
    /// Over SSH, with a key.
    Ssh(SshAccess),
    /// Over HTTPS, with a token. Nothing of a host's SSH address is used.
    Https(HttpsAccess),
}

/// Access over SSH.
#[derive(Debug, Clone)]
pub struct SshAccess {
    /// Our key.
    pub key: PrivateKey,
    /// The sessions that are open, and the trusted host keys.
    pub sessions: Sessions,
    /// A connection that has already begun, for the first new session.
    pub connecting: Option<Connecting>,
}

/// Access over HTTPS.
#[derive(Debug, Clone)]
pub struct HttpsAccess {
    /// The client, which keeps its connections from one fetch to the next.
    pub client: Client,
    /// The host's own credential. Empty for public repositories.
    pub credential: Credential,
}

impl Remote {
    /// The URL of the repository over HTTPS, with or without the host's other spelling.
    pub(crate) fn https_url(&self, spelling: PathSpelling) -> String {
        self.host.https_url(&self.repository.path, spelling)
    }
}

/// What to fetch, and from where.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// The repository.
    pub remote: Remote,
    /// What to fetch of it.
    pub wanted: Wanted,
}
