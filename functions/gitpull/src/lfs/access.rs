//! What opens the store of a repository's large files, for a while.

use std::time::Instant;

use contract::Repository;
use https::Credential;

/// Access to the large files of a repository.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) repository: Repository,
    pub(super) href: String,
    pub(super) credential: Credential,
    pub(super) until: Instant,
}
