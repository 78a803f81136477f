//! What is fetched, and from where.

use contract::{AllowedHost, PathSpelling, Repository};

use crate::{known_hosts::KnownHosts, limits::Limits, private_key::PrivateKey, wanted::Wanted};

/// A repository, and how to reach it.
#[derive(Debug, Clone)]
pub struct Remote {
    /// The host's address and user, from the configuration.
    pub host: AllowedHost,
    /// The repository on it.
    pub repository: Repository,
    /// How the host spells the repository's path.
    pub spelling: PathSpelling,
    /// Our key.
    pub key: PrivateKey,
    /// The trusted host keys.
    pub known_hosts: KnownHosts,
    /// The time limits.
    pub limits: Limits,
}

/// What to fetch, and from where.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// The repository.
    pub remote: Remote,
    /// What to fetch of it.
    pub wanted: Wanted,
}
