//! A repository as its host describes it.

use contract::RepositoryPath;

/// A repository as its host describes it to the token's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedRepository {
    /// Its path, in the host's spelling.
    pub path: RepositoryPath,
    /// Its default branch, without `refs/heads/`. `None` if it has none yet, or the list doesn't
    /// contain it ([`crate::HostApi::repository`] does).
    pub default_branch: Option<String>,
    /// Whether it is archived or disabled: nothing can be changed in it.
    pub is_archived: bool,
    /// Whether the token's owner may change deploy keys and webhooks. `None` if the host doesn't
    /// say: then only an attempt shows it. The token itself may still have too few rights.
    pub may_administer: Option<bool>,
}
