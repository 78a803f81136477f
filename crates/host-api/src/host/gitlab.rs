//! GitLab, its own and self-hosted: [deploy keys](https://docs.gitlab.com/api/deploy_keys/),
//! [webhooks](https://docs.gitlab.com/api/project_webhooks/), [commit
//! statuses](https://docs.gitlab.com/api/commits/#commit-status).

use std::{sync::Arc, time::Duration};

use contract::{AllowedHost, HostKind, RepositoryPath};
use https::{Client, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Management, Result, segment};
use crate::{
    Access, Action, Clock, CommitStatus, Content, Delivery, DeployKey, DeployKeyId, Event, HostApiError,
    HostedRepository, NewDeployKey, SecretState, StatusName, StatusState, Tested, Webhook, WebhookId, WebhookSettings,
    action::Subject,
    caller::{Caller, Manner},
    id::text,
};

/// The access level of a maintainer, who may change keys and webhooks.
const MAINTAINER: u64 = 40;

#[derive(Debug)]
pub(crate) struct GitLab {
    caller: Caller,
}

fn needs(subject: Subject) -> &'static str {
    match subject {
        Subject::Repositories => "the scope read_api or api",
        Subject::Statuses => "the scope api and the role Developer in the project",
        Subject::DeployKeys | Subject::Webhooks => "the scope api and the role Maintainer in the project",
    }
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
    default_branch: Option<String>,
    #[serde(default)]
    archived: bool,
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
struct Permissions {
    project_access: Option<Level>,
    group_access: Option<Level>,
}

#[derive(Deserialize)]
struct Level {
    access_level: u64,
}

impl Permissions {
    /// `None` without a role: an administrator of the instance needs none.
    fn may_administer(self) -> Option<bool> {
        let levels = [self.project_access, self.group_access];
        levels.into_iter().flatten().map(|level| level.access_level >= MAINTAINER).reduce(|one, other| one || other)
    }
}

impl Project {
    fn hosted(self) -> Option<HostedRepository> {
        Some(HostedRepository {
            path: self.path_with_namespace.parse().ok()?,
            default_branch: self.default_branch,
            is_archived: self.archived,
            may_administer: self.permissions.and_then(Permissions::may_administer),
        })
    }
}

#[derive(Deserialize)]
struct Key {
    id: DeployKeyId,
    #[serde(default)]
    title: String,
    key: String,
    #[serde(default)]
    can_push: bool,
}

impl Key {
    fn deploy_key(self) -> Option<DeployKey> {
        Some(DeployKey {
            id: self.id,
            title: self.title,
            key: self.key.parse().ok()?,
            access: if self.can_push { Access::Write } else { Access::Read },
            is_enabled: true,
        })
    }
}

#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "GitLab has a field for each event")]
struct Hook {
    id: WebhookId,
    url: String,
    #[serde(default)]
    push_events: bool,
    #[serde(default)]
    tag_push_events: bool,
    #[serde(default)]
    releases_events: bool,
    #[serde(default)]
    enable_ssl_verification: bool,
    push_events_branch_filter: Option<String>,
    /// Since GitLab 17: `executable`, `temporarily_disabled` or `disabled`.
    alert_status: Option<String>,
}

impl From<Hook> for Webhook {
    fn from(hook: Hook) -> Self {
        let of = [
            (Event::Push, hook.push_events),
            (Event::TagPush, hook.tag_push_events),
            (Event::Deletion, hook.push_events),
            (Event::Release, hook.releases_events),
        ];
        Self {
            id: hook.id,
            url: hook.url,
            is_active: true,
            events: of.into_iter().filter_map(|(event, is_sent)| is_sent.then_some(event)).collect(),
            content: Content::Json,
            secret: SecretState::Unknown,
            verifies_tls: hook.enable_ssl_verification,
            branches: hook.push_events_branch_filter.filter(|filter| !filter.is_empty()),
            stopped: hook.alert_status.filter(|status| status != "executable"),
        }
    }
}

#[derive(Deserialize)]
struct Sent {
    #[serde(deserialize_with = "text")]
    id: String,
    #[serde(default)]
    trigger: String,
    /// A status, or what went wrong.
    #[serde(default)]
    response_status: Option<Value>,
    created_at: Option<String>,
}

impl From<Sent> for Delivery {
    fn from(sent: Sent) -> Self {
        let outcome = match sent.response_status {
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Self {
            id: sent.id,
            at: sent.created_at.and_then(|at| at.parse::<Timestamp>().ok()),
            event: sent.trigger,
            status: outcome.parse().ok(),
            outcome,
        }
    }
}

/// The longest description of a status.
const DESCRIPTION: usize = 255;

fn word(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Success => "success",
        StatusState::Failure => "failed",
    }
}

fn settings(wanted: &WebhookSettings) -> Value {
    json!({
        "url": wanted.url,
        "token": wanted.secret.expose_secret(),
        "push_events": wanted.events.contains(&Event::Push),
        // Off by default.
        "tag_push_events": wanted.events.contains(&Event::TagPush),
        "releases_events": wanted.events.contains(&Event::Release),
        "push_events_branch_filter": "",
        "branch_filter_strategy": "all_branches",
        "enable_ssl_verification": true,
    })
}

fn project(path: &RepositoryPath) -> String {
    format!("/projects/{}", segment(path.as_str()))
}

fn hook_url(path: &RepositoryPath, id: &WebhookId) -> String {
    format!("{}/hooks/{}", project(path), segment(&id.to_string()))
}

impl GitLab {
    pub(super) fn new(host: &AllowedHost, client: Client, token: &SecretString, clock: Arc<dyn Clock>) -> Result<Self> {
        let manner = Manner {
            base: host.api(HostKind::GitLab),
            // Accepts tokens of OAuth and all access tokens.
            headers: vec![("authorization", format!("Bearer {}", token.expose_secret()).into())],
            accepted: "application/json",
            pace: Duration::ZERO,
            needs,
        };
        Ok(Self { caller: Caller::new(host, client, token, clock, manner)? })
    }
}

impl Management for GitLab {
    async fn repositories(&self, organisation: &str) -> Result<Vec<HostedRepository>> {
        let attempt = self.caller.attempt_on(Action::ListRepositories, organisation);
        let name = segment(organisation);
        let of_group = format!("/groups/{name}/projects?include_subgroups=true&with_shared=false&per_page=100");
        let found = match self.caller.pages::<Project>(&attempt, &of_group).await {
            Err(HostApiError::NotFound { .. }) => {
                self.caller.pages(&attempt, &format!("/users/{name}/projects?per_page=100")).await?
            }
            found => found?,
        };
        Ok(found.into_iter().filter_map(Project::hosted).collect())
    }

    async fn repository(&self, path: &RepositoryPath) -> Result<HostedRepository> {
        let attempt = self.caller.attempt(Action::ReadRepository, path);
        let found: Project = self.caller.get(&attempt, &project(path)).await?;
        found.hosted().ok_or(HostApiError::Answer { attempt, source: None })
    }

    async fn deploy_keys(&self, path: &RepositoryPath) -> Result<Vec<DeployKey>> {
        let attempt = self.caller.attempt(Action::ListDeployKeys, path);
        let url = format!("{}/deploy_keys?per_page=100", project(path));
        let keys: Vec<Key> = self.caller.pages(&attempt, &url).await?;
        Ok(keys.into_iter().filter_map(Key::deploy_key).collect())
    }

    async fn add_deploy_key(&self, path: &RepositoryPath, key: &NewDeployKey) -> Result<DeployKey> {
        let attempt = self.caller.attempt(Action::AddDeployKey, path);
        let url = format!("{}/deploy_keys", project(path));
        let body = json!({ "title": key.title, "key": key.key.to_string(), "can_push": false });
        let added: Key = match self.caller.send(&attempt, Method::POST, &url, Some(&body)).await {
            // In a project that the token's owner doesn't administer. Otherwise GitLab shares it.
            Err(HostApiError::Refused { said, .. }) if said.contains("fingerprint") && said.contains("taken") => {
                return Err(HostApiError::KeyInUse { attempt });
            }
            answer => answer?.json()?,
        };
        added.deploy_key().ok_or(HostApiError::Answer { attempt, source: None })
    }

    async fn remove_deploy_key(&self, path: &RepositoryPath, id: &DeployKeyId) -> Result<()> {
        let attempt = self.caller.attempt(Action::RemoveDeployKey, path);
        let url = format!("{}/deploy_keys/{}", project(path), segment(&id.to_string()));
        self.caller.delete(&attempt, &url).await
    }

    async fn webhooks(&self, path: &RepositoryPath) -> Result<Vec<Webhook>> {
        let attempt = self.caller.attempt(Action::ListWebhooks, path);
        let hooks: Vec<Hook> = self.caller.pages(&attempt, &format!("{}/hooks?per_page=100", project(path))).await?;
        Ok(hooks.into_iter().map(Webhook::from).collect())
    }

    async fn create_webhook(&self, path: &RepositoryPath, wanted: &WebhookSettings) -> Result<Webhook> {
        let attempt = self.caller.attempt(Action::CreateWebhook, path);
        let url = format!("{}/hooks", project(path));
        self.caller.change::<Hook>(&attempt, Method::POST, &url, &settings(wanted)).await.map(Webhook::from)
    }

    async fn update_webhook(&self, path: &RepositoryPath, id: &WebhookId, wanted: &WebhookSettings) -> Result<Webhook> {
        let attempt = self.caller.attempt(Action::UpdateWebhook, path);
        self.caller
            .change::<Hook>(&attempt, Method::PUT, &hook_url(path, id), &settings(wanted))
            .await
            .map(Webhook::from)
    }

    async fn delete_webhook(&self, path: &RepositoryPath, id: &WebhookId) -> Result<()> {
        let attempt = self.caller.attempt(Action::DeleteWebhook, path);
        self.caller.delete(&attempt, &hook_url(path, id)).await
    }

    async fn test_webhook(&self, path: &RepositoryPath, webhook: &Webhook) -> Result<Tested> {
        let attempt = self.caller.attempt(Action::TestWebhook, path);
        let url = format!("{}/test/push_events", hook_url(path, &webhook.id));
        self.caller.send(&attempt, Method::POST, &url, None).await?;
        Ok(Tested::Push)
    }

    async fn deliveries(&self, path: &RepositoryPath, id: &WebhookId) -> Result<Option<Vec<Delivery>>> {
        let attempt = self.caller.attempt(Action::ListDeliveries, path);
        // Each contains its whole payload.
        let url = format!("{}/events?per_page=20", hook_url(path, id));
        match self.caller.get::<Vec<Sent>>(&attempt, &url).await {
            // Before GitLab 17.3.
            Err(HostApiError::NotFound { .. }) => Ok(None),
            sent => Ok(Some(sent?.into_iter().map(Delivery::from).collect())),
        }
    }

    async fn set_commit_status(&self, path: &RepositoryPath, name: &StatusName, status: &CommitStatus) -> Result<()> {
        let attempt = self.caller.attempt(Action::SetStatus, path);
        let url = format!("{}/statuses/{}", project(path), name.commit);
        let body = json!({
            "state": word(status.state),
            "name": name.name(),
            // Without it, GitLab chooses any branch that has the commit.
            "ref": name.reference,
            "target_url": status.url,
            "description": status.line(DESCRIPTION),
        });
        match self.caller.send(&attempt, Method::POST, &url, Some(&body)).await {
            // It has this state.
            Err(HostApiError::Refused { status: 400, said, .. }) if said.contains("Cannot transition status") => Ok(()),
            sent => sent.map(drop),
        }
    }
}
