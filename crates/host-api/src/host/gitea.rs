//! Gitea and Forgejo: `/api/swagger` of each server describes its [API](https://docs.gitea.com/api/).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use contract::{AllowedHost, HostKind, RepositoryPath, url_path::encoded};
use https::{Client, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Management, Result,
    github::{events, status_body},
};
use crate::{
    Access, Action, Clock, CommitStatus, Content, Delivery, DeployKey, DeployKeyId, Event, HostApiError,
    HostedRepository, NewDeployKey, SecretState, StatusName, Tested, Webhook, WebhookId, WebhookSettings,
    action::Subject,
    caller::{Caller, Manner},
};

#[derive(Debug)]
pub(crate) struct Gitea {
    caller: Caller,
}

fn needs(subject: Subject) -> &'static str {
    match subject {
        Subject::Repositories => "the scopes read:repository, read:organization and read:user",
        Subject::DeployKeys | Subject::Statuses | Subject::Webhooks => "the scope write:repository",
    }
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    default_branch: Option<String>,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    empty: bool,
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
struct Permissions {
    admin: bool,
}

impl Repository {
    fn hosted(self) -> Option<HostedRepository> {
        Some(HostedRepository {
            path: self.full_name.parse().ok()?,
            default_branch: self.default_branch.filter(|_| !self.empty),
            is_archived: self.archived,
            may_administer: self.permissions.map(|permissions| permissions.admin),
        })
    }
}

#[derive(Deserialize)]
struct Key {
    id: DeployKeyId,
    #[serde(default)]
    title: String,
    key: String,
    read_only: bool,
}

impl Key {
    fn deploy_key(self) -> Option<DeployKey> {
        Some(DeployKey {
            id: self.id,
            title: self.title,
            key: self.key.parse().ok()?,
            access: if self.read_only { Access::Read } else { Access::Write },
            is_enabled: true,
        })
    }
}

#[derive(Deserialize)]
struct Hook {
    id: WebhookId,
    active: bool,
    #[serde(default)]
    events: Vec<String>,
    branch_filter: Option<String>,
    /// Newer servers have `url` and `content_type` beside it, too.
    #[serde(default)]
    config: BTreeMap<String, String>,
    url: Option<String>,
    content_type: Option<String>,
}

impl From<Hook> for Webhook {
    fn from(hook: Hook) -> Self {
        let Hook { id, active, events, branch_filter, mut config, url, content_type } = hook;
        let has = |event: &str| events.iter().any(|name| name == event);
        let of =
            [(Event::Push, "push"), (Event::TagPush, "push"), (Event::Deletion, DELETE), (Event::Release, "release")];
        let content_type = content_type.filter(|text| !text.is_empty()).or_else(|| config.remove("content_type"));
        Self {
            id,
            url: url.filter(|text| !text.is_empty()).or_else(|| config.remove("url")).unwrap_or_default(),
            is_active: active,
            events: of.into_iter().filter_map(|(event, name)| has(name).then_some(event)).collect(),
            content: if content_type.as_deref() == Some("json") { Content::Json } else { Content::Form },
            secret: SecretState::Unknown,
            // Only the server's configuration can change that.
            verifies_tls: true,
            branches: branch_filter.filter(|filter| !matches!(filter.as_str(), "" | "*" | "**")),
            stopped: None,
        }
    }
}

/// The longest description of a status: the column has 255 characters in its oldest versions.
const DESCRIPTION: usize = 255;

/// The event of a deleted branch, which isn't a push.
const DELETE: &str = "delete";

fn settings(wanted: &WebhookSettings) -> Value {
    let mut events = events(&wanted.events);
    events.extend(wanted.events.contains(&Event::Deletion).then_some(DELETE));
    json!({
        // Forgejo knows it, too.
        "type": "gitea",
        // Off by default.
        "active": true,
        "events": events,
        "branch_filter": "*",
        "config": {
            "url": wanted.url,
            "content_type": "json",
            "secret": wanted.secret.expose_secret(),
        },
    })
}

fn repository(path: &RepositoryPath) -> String {
    format!("/repos/{}", encoded(path.as_str()))
}

fn hook_url(path: &RepositoryPath, id: &WebhookId) -> String {
    format!("{}/hooks/{}", repository(path), encoded(&id.to_string()))
}

impl Gitea {
    pub(super) fn new(host: &AllowedHost, client: Client, token: &SecretString, clock: Arc<dyn Clock>) -> Result<Self> {
        let manner = Manner {
            base: host.api(HostKind::Gitea),
            headers: vec![("authorization", format!("token {}", token.expose_secret()).into())],
            accepted: "application/json",
            pace: Duration::ZERO,
            needs,
        };
        Ok(Self { caller: Caller::new(host, client, token, clock, manner)? })
    }
}

impl Management for Gitea {
    async fn repositories(&self, organisation: &str) -> Result<Vec<HostedRepository>> {
        let attempt = self.caller.attempt_on(Action::ListRepositories, organisation);
        let name = encoded(organisation);
        let found = match self.caller.pages::<Repository>(&attempt, &format!("/orgs/{name}/repos?limit=50")).await {
            Err(HostApiError::NotFound { .. }) => {
                self.caller.pages(&attempt, &format!("/users/{name}/repos?limit=50")).await?
            }
            found => found?,
        };
        Ok(found.into_iter().filter_map(Repository::hosted).collect())
    }

    async fn repository(&self, path: &RepositoryPath) -> Result<HostedRepository> {
        let attempt = self.caller.attempt(Action::ReadRepository, path);
        let found: Repository = self.caller.get(&attempt, &repository(path)).await?;
        found.hosted().ok_or(HostApiError::Answer { attempt, source: None })
    }

    async fn deploy_keys(&self, path: &RepositoryPath) -> Result<Vec<DeployKey>> {
        let attempt = self.caller.attempt(Action::ListDeployKeys, path);
        let keys: Vec<Key> = self.caller.pages(&attempt, &format!("{}/keys?limit=50", repository(path))).await?;
        Ok(keys.into_iter().filter_map(Key::deploy_key).collect())
    }

    async fn add_deploy_key(&self, path: &RepositoryPath, key: &NewDeployKey) -> Result<DeployKey> {
        let attempt = self.caller.attempt(Action::AddDeployKey, path);
        let url = format!("{}/keys", repository(path));
        let body = json!({ "title": key.title, "key": key.key.to_string(), "read_only": true });
        let added: Key = match self.caller.send(&attempt, Method::POST, &url, Some(&body)).await {
            Err(HostApiError::Refused { said, .. }) if said.contains("used as non-deploy key") => {
                return Err(HostApiError::KeyInUse { attempt });
            }
            answer => answer?.json()?,
        };
        added.deploy_key().ok_or(HostApiError::Answer { attempt, source: None })
    }

    async fn remove_deploy_key(&self, path: &RepositoryPath, id: &DeployKeyId) -> Result<()> {
        let attempt = self.caller.attempt(Action::RemoveDeployKey, path);
        let url = format!("{}/keys/{}", repository(path), encoded(&id.to_string()));
        self.caller.delete(&attempt, &url).await
    }

    async fn webhooks(&self, path: &RepositoryPath) -> Result<Vec<Webhook>> {
        let attempt = self.caller.attempt(Action::ListWebhooks, path);
        let hooks: Vec<Hook> = self.caller.pages(&attempt, &format!("{}/hooks?limit=50", repository(path))).await?;
        Ok(hooks.into_iter().map(Webhook::from).collect())
    }

    async fn create_webhook(&self, path: &RepositoryPath, wanted: &WebhookSettings) -> Result<Webhook> {
        let attempt = self.caller.attempt(Action::CreateWebhook, path);
        let url = format!("{}/hooks", repository(path));
        self.caller.change::<Hook>(&attempt, Method::POST, &url, &settings(wanted)).await.map(Webhook::from)
    }

    async fn update_webhook(&self, path: &RepositoryPath, id: &WebhookId, wanted: &WebhookSettings) -> Result<Webhook> {
        // An update [ignores the
        // secret](https://github.com/go-gitea/gitea/blob/main/routers/api/v1/utils/hook.go), and no
        // push may be lost in between: for a moment, both webhooks report pushes.
        let created = self.create_webhook(path, wanted).await?;
        self.delete_webhook(path, id).await?;
        Ok(created)
    }

    async fn delete_webhook(&self, path: &RepositoryPath, id: &WebhookId) -> Result<()> {
        let attempt = self.caller.attempt(Action::DeleteWebhook, path);
        self.caller.delete(&attempt, &hook_url(path, id)).await
    }

    async fn test_webhook(&self, path: &RepositoryPath, webhook: &Webhook) -> Result<Tested> {
        let attempt = self.caller.attempt(Action::TestWebhook, path);
        let url = format!("{}/tests", hook_url(path, &webhook.id));
        self.caller.send(&attempt, Method::POST, &url, None).await?;
        // A push from a commit to the same commit: the endpoint answers it like a ping.
        Ok(Tested::Ping(None))
    }

    async fn deliveries(&self, _: &RepositoryPath, _: &WebhookId) -> Result<Option<Vec<Delivery>>> {
        Ok(None)
    }

    /// Looks at the newest fifty, which are all that a page has.
    async fn set_commit_status(&self, path: &RepositoryPath, name: &StatusName, status: &CommitStatus) -> Result<()> {
        let attempt = self.caller.attempt(Action::SetStatus, path);
        let url = format!("{}/statuses/{}", repository(path), name.commit);
        let body = status_body(name, status, DESCRIPTION);
        self.caller.send(&attempt, Method::POST, &url, Some(&body)).await.map(drop)
    }
}
