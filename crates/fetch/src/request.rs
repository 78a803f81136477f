//! What is fetched, and from where.

use contract::{AllowedHost, PathSpelling, Repository};

use crate::{known_hosts::KnownHosts, limits::Limits, private_key::PrivateKey, wanted::Wanted};

/// A repository, and how to reach it.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Where the host is reached and as whom, from the configuration.
    pub host: AllowedHost,
    /// The repository on it.
    pub repository: Repository,
    /// How the host spells the repository's path.
    pub spelling: PathSpelling,
    /// What we prove ourselves with.
    pub key: PrivateKey,
    /// What the host has to prove itself with.
    pub known_hosts: KnownHosts,
    /// How long it may take.
    pub limits: Limits,
}

/// What to fetch, and from where.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// The repository.
    pub remote: Remote,
    /// What of it.
    pub wanted: Wanted,
}
