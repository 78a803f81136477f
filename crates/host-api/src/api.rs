//! The API of any host, as commands see it.

use std::sync::Arc;

use contract::{AllowedHost, RepositoryPath};
use https::Client;
use secrecy::SecretString;

use crate::{
    Clock, CommitStatus, Delivery, DeployKey, DeployKeyId, HostApiError, HostedRepository, NewDeployKey, StatusName,
    SystemClock, Tested, Webhook, WebhookId, WebhookSettings,
    host::{Host, Management as _},
};

/// Calls the same function of whichever host it is.
macro_rules! ask {
    ($api:ident.$action:ident($($argument:expr),*)) => {
        match &$api.host {
            Host::GitHub(host) => host.$action($($argument),*).await,
            Host::GitLab(host) => host.$action($($argument),*).await,
            Host::BitbucketCloud(host) => host.$action($($argument),*).await,
            Host::BitbucketDataCenter(host) => host.$action($($argument),*).await,
            Host::Gitea(host) => host.$action($($argument),*).await,
            Host::Azure(host) => host.$action($($argument),*).await,
        }
    };
}

/// A Git host's management API, called with a person's token.
///
/// Lists are complete: all pages. Requests wait for the host's limits ([`Clock`] says so), and are
/// repeated only if that can't do anything twice. Every error says what was attempted.
#[derive(Debug)]
pub struct HostApi {
    host: Host,
}

impl HostApi {
    /// The API of `host`. The token is used in requests to this host's API only.
    ///
    /// It is an access token of any kind. At Bitbucket, a user's API token or password has the form
    /// `email:token` or `user:password`.
    ///
    /// # Errors
    /// Nothing says what the host runs, or the token can't be sent.
    pub fn new(host: &AllowedHost, client: Client, token: &SecretString) -> Result<Self, HostApiError> {
        Self::with_clock(host, client, token, Arc::new(SystemClock::default()))
    }

    /// The same with another clock, which tests advance, and which shows people why it waits.
    ///
    /// # Errors
    /// See [`new`](Self::new).
    pub fn with_clock(
        host: &AllowedHost,
        client: Client,
        token: &SecretString,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HostApiError> {
        Ok(Self { host: Host::new(host, client, token, clock)? })
    }

    /// The repositories of an organisation: a GitHub or Gitea organisation or user, a GitLab group
    /// with its subgroups, a Bitbucket workspace or project, an Azure DevOps organisation or
    /// `organisation/project`. Repositories whose path git2s3 doesn't support are left out.
    pub async fn repositories(&self, organisation: &str) -> Result<Vec<HostedRepository>, HostApiError> {
        ask!(self.repositories(organisation))
    }

    /// A repository.
    pub async fn repository(&self, path: &RepositoryPath) -> Result<HostedRepository, HostApiError> {
        ask!(self.repository(path))
    }

    /// The deploy keys of a repository, except keys in a format that SSH doesn't know.
    pub async fn deploy_keys(&self, path: &RepositoryPath) -> Result<Vec<DeployKey>, HostApiError> {
        ask!(self.deploy_keys(path))
    }

    /// Adds a deploy key that permits only to fetch. Look for it with
    /// [`deploy_keys`](Self::deploy_keys) first: hosts refuse the same key twice.
    pub async fn add_deploy_key(&self, path: &RepositoryPath, key: &NewDeployKey) -> Result<DeployKey, HostApiError> {
        ask!(self.add_deploy_key(path, key))
    }

    /// Removes a deploy key.
    pub async fn remove_deploy_key(&self, path: &RepositoryPath, id: &DeployKeyId) -> Result<(), HostApiError> {
        ask!(self.remove_deploy_key(path, id))
    }

    /// The webhooks of a repository, except those that an organisation has for all its
    /// repositories.
    pub async fn webhooks(&self, path: &RepositoryPath) -> Result<Vec<Webhook>, HostApiError> {
        ask!(self.webhooks(path))
    }

    /// Creates a webhook. Look for one with the same URL first: most hosts would create a second
    /// one.
    pub async fn create_webhook(
        &self,
        path: &RepositoryPath,
        settings: &WebhookSettings,
    ) -> Result<Webhook, HostApiError> {
        ask!(self.create_webhook(path, settings))
    }

    /// Gives a webhook all these settings, the secret included, and switches it on. Gitea and
    /// Forgejo can't change a secret: there, a new webhook replaces it, with another identifier.
    pub async fn update_webhook(
        &self,
        path: &RepositoryPath,
        id: &WebhookId,
        settings: &WebhookSettings,
    ) -> Result<Webhook, HostApiError> {
        ask!(self.update_webhook(path, id, settings))
    }

    /// Deletes a webhook.
    pub async fn delete_webhook(&self, path: &RepositoryPath, id: &WebhookId) -> Result<(), HostApiError> {
        ask!(self.delete_webhook(path, id))
    }

    /// Makes the host send a test, as a push if it can.
    pub async fn test_webhook(&self, path: &RepositoryPath, webhook: &Webhook) -> Result<Tested, HostApiError> {
        ask!(self.test_webhook(path, webhook))
    }

    /// The latest deliveries of a webhook, newest first: what the host got from our endpoint.
    /// `None` if the host has no API for it.
    pub async fn deliveries(
        &self,
        path: &RepositoryPath,
        id: &WebhookId,
    ) -> Result<Option<Vec<Delivery>>, HostApiError> {
        ask!(self.deliveries(path, id))
    }

    /// Sets a commit's status. The same one again changes nothing that people see.
    pub async fn set_commit_status(
        &self,
        path: &RepositoryPath,
        name: &StatusName,
        status: &CommitStatus,
    ) -> Result<(), HostApiError> {
        ask!(self.set_commit_status(path, name, status))
    }
}
