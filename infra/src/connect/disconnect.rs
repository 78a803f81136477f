//! Undoes what connecting did: the webhooks that send to the stack, the deploy keys that the stack
//! made for the repository, and these keys themselves. Zips stay.

use contract::Repository;
use host_api::{HostApi, HostApiError};
use serde::Serialize;

use super::{Failure, Target};

/// What was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disconnected {
    /// How many webhooks.
    pub webhooks: usize,
    /// How many deploy keys at the host.
    pub deploy_keys: usize,
    /// How many keys of the stack.
    pub keys: usize,
}

/// Disconnects a repository.
///
/// # Errors
/// The host or the stack refused. What was removed before stays removed.
pub async fn disconnect(
    target: &Target,
    api: &HostApi,
    repository: &Repository,
    is_dry: bool,
) -> Result<Disconnected, Failure> {
    let (path, mut removed) = (&repository.path, Disconnected::default());
    let hooks = api.webhooks(path).await?;
    for hook in hooks.iter().filter(|hook| target.urls().contains(&hook.url)) {
        removed.webhooks += 1;
        if !is_dry {
            api.delete_webhook(path, &hook.id).await?;
        }
    }
    let own = target.keys.known(repository);
    let there = match api.deploy_keys(path).await {
        Err(HostApiError::NotOffered { .. }) => Vec::new(),
        there => there?,
    };
    for key in there.iter().filter(|key| own.contains(&key.key)) {
        removed.deploy_keys += 1;
        if !is_dry {
            api.remove_deploy_key(path, &key.id).await?;
        }
    }
    for key in &own {
        removed.keys += 1;
        if !is_dry {
            target.keys.remove(repository, key).await?;
        }
    }
    Ok(removed)
}
