//! GitHub and GitHub Enterprise Server: [deploy
//! keys](https://docs.github.com/en/rest/deploy-keys/deploy-keys),
//! [webhooks](https://docs.github.com/en/rest/repos/webhooks), [commit
//! statuses](https://docs.github.com/en/rest/commits/statuses).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use contract::{AllowedHost, HostKind, RepositoryPath, url_path::encoded};
use https::{Client, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Management, Result, time};
use crate::{
    Access, Action, Attempt, Clock, CommitStatus, Content, Delivery, DeployKey, DeployKeyId, Event, HostApiError,
    HostedRepository, NewDeployKey, SecretState, StatusName, Tested, Webhook, WebhookId, WebhookSettings,
    action::Subject,
    caller::{Caller, Manner},
    id::text,
};

/// The API's version: another one could have other fields.
pub(crate) const VERSION: &str = "2022-11-28";
/// The media type of responses.
pub(crate) const ACCEPTED: &str = "application/vnd.github+json";
/// 80 requests a minute may create something.
pub(crate) const PACE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct GitHub {
    caller: Caller,
}

fn needs(subject: Subject) -> &'static str {
    match subject {
        Subject::Repositories => "the scope repo, or the fine-grained permission Metadata: read",
        Subject::DeployKeys => "the scope repo, or the fine-grained permission Administration: write",
        Subject::Statuses => "the scope repo:status, or the permission Commit statuses: write (of an App, too)",
        Subject::Webhooks => "the scope admin:repo_hook, or the fine-grained permission Webhooks: write",
    }
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    default_branch: Option<String>,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    disabled: bool,
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
            default_branch: self.default_branch,
            is_archived: self.archived || self.disabled,
            may_administer: self.permissions.map(|permissions| permissions.admin),
        })
    }
}

#[derive(Deserialize)]
struct Organization {
    deploy_keys_enabled_for_repositories: Option<bool>,
}

#[derive(Deserialize)]
struct Key {
    id: DeployKeyId,
    #[serde(default)]
    title: String,
    key: String,
    #[serde(default)]
    read_only: bool,
    enabled: Option<bool>,
}

impl Key {
    fn deploy_key(self) -> Option<DeployKey> {
        Some(DeployKey {
            id: self.id,
            title: self.title,
            key: self.key.parse().ok()?,
            access: if self.read_only { Access::Read } else { Access::Write },
            is_enabled: self.enabled.unwrap_or(true),
        })
    }
}

#[derive(Deserialize)]
struct Hook {
    id: WebhookId,
    active: bool,
    events: Vec<String>,
    config: Config,
}

/// A webhook's settings, of a repository's and of an App's.
#[derive(Deserialize)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) url: String,
    content_type: Option<String>,
    /// Stars, if there is one.
    secret: Option<String>,
    /// A text or a number.
    insecure_ssl: Option<Value>,
}

impl Config {
    pub(crate) fn content(&self) -> Content {
        if self.content_type.as_deref() == Some("json") { Content::Json } else { Content::Form }
    }

    pub(crate) fn secret(&self) -> SecretState {
        if self.secret.is_some() { SecretState::Set } else { SecretState::Missing }
    }

    pub(crate) fn verifies_tls(&self) -> bool {
        self.insecure_ssl.as_ref().is_none_or(|value| value == "0" || value == 0)
    }
}

impl From<Hook> for Webhook {
    fn from(hook: Hook) -> Self {
        let has = |event: &str| hook.events.iter().any(|name| name == event || name == "*");
        let of =
            [(Event::Push, "push"), (Event::TagPush, "push"), (Event::Deletion, "push"), (Event::Release, "release")];
        Self {
            id: hook.id,
            is_active: hook.active,
            events: of.into_iter().filter_map(|(event, name)| has(name).then_some(event)).collect(),
            content: hook.config.content(),
            secret: hook.config.secret(),
            verifies_tls: hook.config.verifies_tls(),
            branches: None,
            stopped: None,
            url: hook.config.url,
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Sent {
    #[serde(deserialize_with = "text")]
    id: String,
    #[serde(deserialize_with = "time")]
    delivered_at: Timestamp,
    event: String,
    /// The outcome in words.
    status: String,
    /// 0 if there was no response.
    status_code: u16,
}

impl From<Sent> for Delivery {
    fn from(sent: Sent) -> Self {
        let is_answer = (100..600).contains(&sent.status_code);
        Self {
            id: sent.id,
            at: Some(sent.delivered_at),
            event: sent.event,
            status: is_answer.then_some(sent.status_code),
            outcome: sent.status,
        }
    }
}

/// The longest description of a status.
const DESCRIPTION: usize = 140;

/// A status as GitHub and Gitea take it.
pub(super) fn status_body(name: &StatusName, status: &CommitStatus, longest: usize) -> Value {
    json!({
        "state": status.state.word(),
        "target_url": status.url,
        "description": status.line(longest),
        "context": name.name(),
    })
}

/// GitHub's names of the events.
pub(super) fn events(wanted: &BTreeSet<Event>) -> Vec<&'static str> {
    let mut names = Vec::new();
    if wanted.contains(&Event::Push) || wanted.contains(&Event::TagPush) {
        names.push("push");
    }
    if wanted.contains(&Event::Release) {
        names.push("release");
    }
    names
}

/// A webhook's settings. Without `secret`, an update would [remove
/// it](https://docs.github.com/en/rest/repos/webhooks#update-a-repository-webhook).
fn settings(settings: &WebhookSettings) -> Value {
    json!({
        "active": true,
        "events": events(&settings.events),
        "config": {
            "url": settings.url,
            "content_type": "json",
            "secret": settings.secret.expose_secret(),
            "insecure_ssl": "0",
        },
    })
}

impl GitHub {
    pub(super) fn new(host: &AllowedHost, client: Client, token: &SecretString, clock: Arc<dyn Clock>) -> Result<Self> {
        let authorization = format!("Bearer {}", token.expose_secret()).into();
        let headers = vec![("authorization", authorization), ("x-github-api-version", VERSION.into())];
        let manner = Manner { base: host.api(HostKind::GitHub), headers, accepted: ACCEPTED, pace: PACE, needs };
        Ok(Self { caller: Caller::new(host, client, token, clock, manner)? })
    }

    /// Says why GitHub refused a key.
    async fn why(&self, error: HostApiError, path: &RepositoryPath, attempt: &Attempt) -> HostApiError {
        let HostApiError::Refused { status: 422, said, .. } = &error else { return error };
        if said.contains("already in use") {
            return HostApiError::KeyInUse { attempt: attempt.clone() };
        }
        let owner = path.owner().unwrap_or_default();
        let organization: Result<Organization> = self.caller.get(attempt, &format!("/orgs/{}", encoded(owner))).await;
        let is_forbidden = organization.is_ok_and(|found| found.deploy_keys_enabled_for_repositories == Some(false));
        // Only members of an organisation see its setting.
        if is_forbidden || said.contains("Deploy keys are disabled") {
            return HostApiError::DeployKeysDisabled { attempt: attempt.clone() };
        }
        error
    }
}

impl Management for GitHub {
    async fn repositories(&self, organisation: &str) -> Result<Vec<HostedRepository>> {
        let attempt = self.caller.attempt_on(Action::ListRepositories, organisation);
        let url = format!("/orgs/{}/repos?type=all&per_page=100", encoded(organisation));
        let found = match self.caller.pages::<Repository>(&attempt, &url).await {
            // It may be a user: these are all that the token's owner can reach.
            Err(missing @ HostApiError::NotFound { .. }) => {
                let all: Vec<Repository> = self.caller.pages(&attempt, "/user/repos?per_page=100").await?;
                let prefix = format!("{}/", organisation.to_lowercase());
                let is_its = |one: &Repository| one.full_name.to_lowercase().starts_with(&prefix);
                let its: Vec<_> = all.into_iter().filter(is_its).collect();
                if its.is_empty() {
                    return Err(missing);
                }
                its
            }
            found => found?,
        };
        Ok(found.into_iter().filter_map(Repository::hosted).collect())
    }

    async fn repository(&self, path: &RepositoryPath) -> Result<HostedRepository> {
        let attempt = self.caller.attempt(Action::ReadRepository, path);
        let found: Repository = self.caller.get(&attempt, &format!("/repos/{}", encoded(path.as_str()))).await?;
        found.hosted().ok_or(HostApiError::Answer { attempt, source: None })
    }

    async fn deploy_keys(&self, path: &RepositoryPath) -> Result<Vec<DeployKey>> {
        let attempt = self.caller.attempt(Action::ListDeployKeys, path);
        let url = format!("/repos/{}/keys?per_page=100", encoded(path.as_str()));
        let keys: Vec<Key> = self.caller.pages(&attempt, &url).await?;
        Ok(keys.into_iter().filter_map(Key::deploy_key).collect())
    }

    async fn add_deploy_key(&self, path: &RepositoryPath, key: &NewDeployKey) -> Result<DeployKey> {
        let attempt = self.caller.attempt(Action::AddDeployKey, path);
        let url = format!("/repos/{}/keys", encoded(path.as_str()));
        let body = json!({ "title": key.title, "key": key.key.to_string(), "read_only": true });
        let added = match self.caller.send(&attempt, Method::POST, &url, Some(&body)).await {
            Err(error) => return Err(self.why(error, path, &attempt).await),
            Ok(answer) => answer.json::<Key>()?,
        };
        added.deploy_key().ok_or(HostApiError::Answer { attempt, source: None })
    }

    async fn remove_deploy_key(&self, path: &RepositoryPath, id: &DeployKeyId) -> Result<()> {
        let attempt = self.caller.attempt(Action::RemoveDeployKey, path);
        let url = format!("/repos/{}/keys/{}", encoded(path.as_str()), encoded(&id.to_string()));
        self.caller.delete(&attempt, &url).await
    }

    async fn webhooks(&self, path: &RepositoryPath) -> Result<Vec<Webhook>> {
        let attempt = self.caller.attempt(Action::ListWebhooks, path);
        let url = format!("/repos/{}/hooks?per_page=100", encoded(path.as_str()));
        let hooks: Vec<Hook> = self.caller.pages(&attempt, &url).await?;
        Ok(hooks.into_iter().map(Webhook::from).collect())
    }

    async fn create_webhook(&self, path: &RepositoryPath, wanted: &WebhookSettings) -> Result<Webhook> {
        let attempt = self.caller.attempt(Action::CreateWebhook, path);
        let url = format!("/repos/{}/hooks", encoded(path.as_str()));
        let mut body = settings(wanted);
        if let Some(fields) = body.as_object_mut() {
            // The only name that a webhook can have.
            fields.insert("name".to_owned(), "web".into());
        }
        self.caller.change::<Hook>(&attempt, Method::POST, &url, &body).await.map(Webhook::from)
    }

    async fn update_webhook(&self, path: &RepositoryPath, id: &WebhookId, wanted: &WebhookSettings) -> Result<Webhook> {
        let attempt = self.caller.attempt(Action::UpdateWebhook, path);
        let url = hook_url(path, id);
        let body = settings(wanted);
        self.caller.change::<Hook>(&attempt, Method::PATCH, &url, &body).await.map(Webhook::from)
    }

    async fn delete_webhook(&self, path: &RepositoryPath, id: &WebhookId) -> Result<()> {
        let attempt = self.caller.attempt(Action::DeleteWebhook, path);
        self.caller.delete(&attempt, &hook_url(path, id)).await
    }

    async fn test_webhook(&self, path: &RepositoryPath, webhook: &Webhook) -> Result<Tested> {
        let attempt = self.caller.attempt(Action::TestWebhook, path);
        let url = format!("{}/tests", hook_url(path, &webhook.id));
        self.caller.send(&attempt, Method::POST, &url, None).await?;
        Ok(Tested::Push)
    }

    async fn deliveries(&self, path: &RepositoryPath, id: &WebhookId) -> Result<Option<Vec<Delivery>>> {
        let attempt = self.caller.attempt(Action::ListDeliveries, path);
        let url = format!("{}/deliveries?per_page=100", hook_url(path, id));
        let sent: Vec<Sent> = self.caller.get(&attempt, &url).await?;
        Ok(Some(sent.into_iter().map(Delivery::from).collect()))
    }

    /// Looks at the newest hundred.
    async fn set_commit_status(&self, path: &RepositoryPath, name: &StatusName, status: &CommitStatus) -> Result<()> {
        let attempt = self.caller.attempt(Action::SetStatus, path);
        let url = format!("/repos/{}/statuses/{}", encoded(path.as_str()), name.commit);
        let body = status_body(name, status, DESCRIPTION);
        self.caller.send(&attempt, Method::POST, &url, Some(&body)).await.map(drop)
    }
}

fn hook_url(path: &RepositoryPath, id: &WebhookId) -> String {
    format!("/repos/{}/hooks/{}", encoded(path.as_str()), encoded(&id.to_string()))
}
