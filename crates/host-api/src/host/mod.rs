//! The differences between the hosts' APIs. Each host has its own file.

mod azure;
mod bitbucket_cloud;
mod bitbucket_dc;
mod gitea;
pub(crate) mod github;
mod gitlab;

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::{AllowedHost, HostKind, RepositoryPath, url_path::segment};
use https::Client;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize as _, Deserializer, de::Error as _};

use crate::{
    Clock, CommitStatus, Delivery, DeployKey, DeployKeyId, Event, HostApiError, HostedRepository, NewDeployKey,
    StatusName, Tested, Webhook, WebhookId, WebhookSettings,
};

/// What a host's only event for pushes reports.
fn pushes(is_sent: bool) -> BTreeSet<Event> {
    if is_sent { [Event::Push, Event::TagPush, Event::Deletion].into() } else { BTreeSet::new() }
}

/// `Basic` with a text that has a colon, such as `email:token`.
fn basic(credentials: &str) -> SecretString {
    format!("Basic {}", STANDARD.encode(credentials)).into()
}

/// Atlassian's access tokens are sent alone. A user's [API
/// token](https://support.atlassian.com/bitbucket-cloud/docs/using-api-tokens/) needs the email
/// address, as `email:token`, and a password needs the user's name.
fn atlassian_authorization(token: &SecretString) -> SecretString {
    let token = token.expose_secret();
    if token.contains(':') { basic(token) } else { format!("Bearer {token}").into() }
}

/// A time in the format of RFC 3339.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

type Result<T> = std::result::Result<T, HostApiError>;

/// What [`crate::HostApi`] offers, for one kind of host.
pub(crate) trait Management {
    async fn repositories(&self, organisation: &str) -> Result<Vec<HostedRepository>>;
    async fn repository(&self, path: &RepositoryPath) -> Result<HostedRepository>;
    async fn deploy_keys(&self, path: &RepositoryPath) -> Result<Vec<DeployKey>>;
    async fn add_deploy_key(&self, path: &RepositoryPath, key: &NewDeployKey) -> Result<DeployKey>;
    async fn remove_deploy_key(&self, path: &RepositoryPath, id: &DeployKeyId) -> Result<()>;
    async fn webhooks(&self, path: &RepositoryPath) -> Result<Vec<Webhook>>;
    async fn create_webhook(&self, path: &RepositoryPath, settings: &WebhookSettings) -> Result<Webhook>;
    async fn update_webhook(
        &self,
        path: &RepositoryPath,
        id: &WebhookId,
        settings: &WebhookSettings,
    ) -> Result<Webhook>;
    async fn delete_webhook(&self, path: &RepositoryPath, id: &WebhookId) -> Result<()>;
    async fn test_webhook(&self, path: &RepositoryPath, webhook: &Webhook) -> Result<Tested>;
    async fn deliveries(&self, path: &RepositoryPath, id: &WebhookId) -> Result<Option<Vec<Delivery>>>;
    async fn set_commit_status(&self, path: &RepositoryPath, name: &StatusName, status: &CommitStatus) -> Result<()>;
}

/// A host of any kind.
#[derive(Debug)]
pub(crate) enum Host {
    GitHub(github::GitHub),
    GitLab(gitlab::GitLab),
    BitbucketCloud(bitbucket_cloud::BitbucketCloud),
    BitbucketDataCenter(bitbucket_dc::BitbucketDataCenter),
    Gitea(gitea::Gitea),
    Azure(azure::Azure),
}

impl Host {
    pub(crate) fn new(host: &AllowedHost, client: Client, token: &SecretString, clock: Arc<dyn Clock>) -> Result<Self> {
        let kind = host.kind.ok_or_else(|| HostApiError::UnknownKind { host: host.host.to_string() })?;
        match kind {
            HostKind::GitHub => github::GitHub::new(host, client, token, clock).map(Self::GitHub),
            HostKind::GitLab => gitlab::GitLab::new(host, client, token, clock).map(Self::GitLab),
            HostKind::Bitbucket => {
                bitbucket_cloud::BitbucketCloud::new(host, client, token, clock).map(Self::BitbucketCloud)
            }
            HostKind::BitbucketDataCenter => {
                bitbucket_dc::BitbucketDataCenter::new(host, client, token, clock).map(Self::BitbucketDataCenter)
            }
            HostKind::Gitea => gitea::Gitea::new(host, client, token, clock).map(Self::Gitea),
            HostKind::Azure => azure::Azure::new(host, client, token, clock).map(Self::Azure),
        }
    }
}
