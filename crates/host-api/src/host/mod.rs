//! The differences between the hosts' APIs. Each host has its own file.

mod github;

use std::sync::Arc;

use contract::{AllowedHost, HostKind, RepositoryPath};
use https::Client;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize as _, Deserializer, de::Error as _};

use crate::{
    Clock, Delivery, DeployKey, DeployKeyId, HostApiError, HostedRepository, NewDeployKey, Tested, Webhook, WebhookId,
    WebhookSettings,
};

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
}

/// A host of any kind.
#[derive(Debug)]
pub(crate) enum Host {
    GitHub(github::GitHub),
}

impl Host {
    pub(crate) fn new(host: &AllowedHost, client: Client, token: &SecretString, clock: Arc<dyn Clock>) -> Result<Self> {
        let kind = host.kind.ok_or_else(|| HostApiError::UnknownKind { host: host.host.to_string() })?;
        match kind {
            HostKind::GitHub => github::GitHub::new(host, client, token, clock).map(Self::GitHub),
            _ => Err(HostApiError::UnknownKind { host: host.host.to_string() }),
        }
    }
}
