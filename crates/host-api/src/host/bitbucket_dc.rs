//! Bitbucket Data Center: [its REST API](https://developer.atlassian.com/server/bitbucket/rest/).

use std::{sync::Arc, time::Duration};

use contract::{AllowedHost, HostKind, RepositoryPath};
use https::{Client, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Value, json};

use super::{Management, Result, atlassian_authorization, bitbucket_cloud::StatusBody, pushes, segment};
use crate::{
    Access, Action, Attempt, Clock, CommitStatus, Content, Delivery, DeployKey, DeployKeyId, HostApiError,
    HostedRepository, NewDeployKey, SecretState, StatusName, Tested, Webhook, WebhookId, WebhookSettings,
    action::Subject,
    caller::{Caller, MAX_PAGES, Manner},
    id::text,
};

/// The event of branches and tags.
const PUSH: &str = "repo:refs_changed";

#[derive(Debug)]
pub(crate) struct BitbucketDataCenter {
    caller: Caller,
}

fn needs(subject: Subject) -> &'static str {
    match subject {
        Subject::Repositories | Subject::Statuses => "the permission Repository read",
        Subject::DeployKeys | Subject::Webhooks => "the permission Repository admin",
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    #[serde(default = "Vec::new")]
    values: Vec<T>,
    is_last_page: Option<bool>,
    next_page_start: Option<u64>,
}

#[derive(Deserialize)]
struct Repository {
    slug: String,
    #[serde(default)]
    archived: bool,
    project: Project,
}

#[derive(Deserialize)]
struct Project {
    key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Branch {
    display_id: String,
}

impl Repository {
    fn hosted(self) -> Option<HostedRepository> {
        Some(HostedRepository {
            path: format!("{}/{}", self.project.key, self.slug).parse().ok()?,
            default_branch: None,
            is_archived: self.archived,
            may_administer: None,
        })
    }
}

#[derive(Deserialize)]
struct AccessKey {
    key: Key,
    permission: String,
}

#[derive(Deserialize)]
struct Key {
    id: DeployKeyId,
    text: String,
    label: Option<String>,
}

impl AccessKey {
    fn deploy_key(self) -> Option<DeployKey> {
        Some(DeployKey {
            id: self.key.id,
            title: self.key.label.unwrap_or_default(),
            key: self.key.text.parse().ok()?,
            access: if self.permission == "REPO_READ" { Access::Read } else { Access::Write },
            is_enabled: true,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hook {
    id: WebhookId,
    url: String,
    active: bool,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    configuration: Configuration,
    ssl_verification_required: Option<bool>,
    /// A project's webhooks are listed with the repository's.
    scope_type: Option<String>,
}

#[derive(Deserialize, Default)]
struct Configuration {
    /// Some versions return it in clear: it isn't kept.
    secret: Option<IgnoredAny>,
}

impl From<Hook> for Webhook {
    fn from(hook: Hook) -> Self {
        let is_sent = hook.events.iter().any(|name| name == PUSH);
        let has_secret = hook.configuration.secret.is_some();
        Self {
            id: hook.id,
            url: hook.url,
            is_active: hook.active,
            events: pushes(is_sent),
            content: Content::Json,
            secret: if has_secret { SecretState::Set } else { SecretState::Unknown },
            verifies_tls: hook.ssl_verification_required.unwrap_or(true),
            branches: None,
            stopped: None,
        }
    }
}

#[derive(Deserialize)]
struct Invocation {
    #[serde(deserialize_with = "text")]
    id: String,
    #[serde(default)]
    event: String,
    /// In milliseconds.
    start: Option<i64>,
    #[serde(default)]
    result: Value,
}

impl From<Invocation> for Delivery {
    fn from(sent: Invocation) -> Self {
        let word = |name: &str| sent.result.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        // A status, or what went wrong.
        let description = word("description");
        Self {
            id: sent.id,
            at: sent.start.and_then(|start| Timestamp::from_millisecond(start).ok()),
            event: sent.event,
            status: status(&sent.result).or_else(|| description.parse().ok()),
            outcome: if description.is_empty() { word("outcome") } else { description },
        }
    }
}

fn status(result: &Value) -> Option<u16> {
    result.get("statusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok())
}

/// Keys are beside the rest of the API.
fn base(host: &AllowedHost) -> String {
    let api = host.api(HostKind::BitbucketDataCenter);
    let version = ["/api/latest", "/api/1.0"].iter().find_map(|version| api.strip_suffix(version));
    version.unwrap_or(&api).to_owned()
}

fn settings(wanted: &WebhookSettings) -> Value {
    json!({
        "name": "git2s3",
        "url": wanted.url,
        "active": true,
        "events": [PUSH],
        "configuration": { "secret": wanted.secret.expose_secret() },
        "sslVerificationRequired": true,
    })
}

impl BitbucketDataCenter {
    pub(super) fn new(host: &AllowedHost, client: Client, token: &SecretString, clock: Arc<dyn Clock>) -> Result<Self> {
        let manner = Manner {
            base: base(host),
            headers: vec![("authorization", atlassian_authorization(token))],
            accepted: "application/json",
            pace: Duration::ZERO,
            needs,
        };
        Ok(Self { caller: Caller::new(host, client, token, clock, manner)? })
    }

    /// The repository below an API, `api` or `keys`.
    fn repository_url(&self, api: &str, path: &RepositoryPath) -> Result<String> {
        let project = path.owner().filter(|project| !project.contains('/'));
        let project = project.ok_or_else(|| self.caller.no_path(path, "PROJECT/name or ~user/name"))?;
        Ok(format!("/{api}/latest/projects/{}/repos/{}", segment(project), segment(path.name())))
    }

    fn hooks_url(&self, path: &RepositoryPath) -> Result<String> {
        Ok(format!("{}/webhooks", self.repository_url("api", path)?))
    }

    fn hook_url(&self, path: &RepositoryPath, id: &WebhookId) -> Result<String> {
        Ok(format!("{}/{}", self.hooks_url(path)?, segment(&id.to_string())))
    }

    /// The build statuses of a commit, since version 7.14.
    fn builds_url(&self, path: &RepositoryPath, name: &StatusName) -> Result<String> {
        Ok(format!("{}/commits/{}/builds", self.repository_url("api", path)?, name.commit))
    }

    /// All pages of a list.
    async fn pages<T: DeserializeOwned>(&self, attempt: &Attempt, path: &str) -> Result<Vec<T>> {
        let mut all = Vec::new();
        let mut start = 0;
        for _ in 0..MAX_PAGES {
            let page: Page<T> = self.caller.get(attempt, &format!("{path}?limit=100&start={start}")).await?;
            all.extend(page.values);
            match page.next_page_start {
                Some(next) if page.is_last_page == Some(false) => start = next,
                _ => return Ok(all),
            }
        }
        Err(HostApiError::Answer { attempt: attempt.clone(), source: None })
    }
}

impl Management for BitbucketDataCenter {
    async fn repositories(&self, organisation: &str) -> Result<Vec<HostedRepository>> {
        let attempt = self.caller.attempt_on(Action::ListRepositories, organisation);
        let url = format!("/api/latest/projects/{}/repos", segment(organisation));
        let found: Vec<Repository> = self.pages(&attempt, &url).await?;
        Ok(found.into_iter().filter_map(Repository::hosted).collect())
    }

    async fn repository(&self, path: &RepositoryPath) -> Result<HostedRepository> {
        let attempt = self.caller.attempt(Action::ReadRepository, path);
        let url = self.repository_url("api", path)?;
        let found: Repository = self.caller.get(&attempt, &url).await?;
        let branch = match self.caller.send(&attempt, Method::GET, &format!("{url}/default-branch"), None).await {
            // An empty repository.
            Err(HostApiError::NotFound { .. }) => None,
            Ok(answer) if answer.is_empty() => None,
            answer => Some(answer?.json::<Branch>()?.display_id),
        };
        let found = found.hosted().ok_or(HostApiError::Answer { attempt, source: None })?;
        Ok(HostedRepository { default_branch: branch, ..found })
    }

    async fn deploy_keys(&self, path: &RepositoryPath) -> Result<Vec<DeployKey>> {
        let attempt = self.caller.attempt(Action::ListDeployKeys, path);
        let keys: Vec<AccessKey> = self.pages(&attempt, &format!("{}/ssh", self.repository_url("keys", path)?)).await?;
        Ok(keys.into_iter().filter_map(AccessKey::deploy_key).collect())
    }

    async fn add_deploy_key(&self, path: &RepositoryPath, key: &NewDeployKey) -> Result<DeployKey> {
        let attempt = self.caller.attempt(Action::AddDeployKey, path);
        let url = format!("{}/ssh", self.repository_url("keys", path)?);
        let body = json!({
            "key": { "text": key.key.to_string(), "label": key.title },
            "permission": "REPO_READ",
        });
        let added: AccessKey = match self.caller.send(&attempt, Method::POST, &url, Some(&body)).await {
            // A user's key.
            Err(HostApiError::Refused { status: 409, .. }) => return Err(HostApiError::KeyInUse { attempt }),
            answer => answer?.json()?,
        };
        added.deploy_key().ok_or(HostApiError::Answer { attempt, source: None })
    }

    async fn remove_deploy_key(&self, path: &RepositoryPath, id: &DeployKeyId) -> Result<()> {
        let attempt = self.caller.attempt(Action::RemoveDeployKey, path);
        let url = format!("{}/ssh/{}", self.repository_url("keys", path)?, segment(&id.to_string()));
        self.caller.delete(&attempt, &url).await
    }

    async fn webhooks(&self, path: &RepositoryPath) -> Result<Vec<Webhook>> {
        let attempt = self.caller.attempt(Action::ListWebhooks, path);
        let hooks: Vec<Hook> = self.pages(&attempt, &self.hooks_url(path)?).await?;
        let own = hooks.into_iter().filter(|hook| hook.scope_type.as_deref() != Some("project"));
        Ok(own.map(Webhook::from).collect())
    }

    async fn create_webhook(&self, path: &RepositoryPath, wanted: &WebhookSettings) -> Result<Webhook> {
        let attempt = self.caller.attempt(Action::CreateWebhook, path);
        let url = self.hooks_url(path)?;
        self.caller.change::<Hook>(&attempt, Method::POST, &url, &settings(wanted)).await.map(Webhook::from)
    }

    async fn update_webhook(&self, path: &RepositoryPath, id: &WebhookId, wanted: &WebhookSettings) -> Result<Webhook> {
        let attempt = self.caller.attempt(Action::UpdateWebhook, path);
        let url = self.hook_url(path, id)?;
        self.caller.change::<Hook>(&attempt, Method::PUT, &url, &settings(wanted)).await.map(Webhook::from)
    }

    async fn delete_webhook(&self, path: &RepositoryPath, id: &WebhookId) -> Result<()> {
        let attempt = self.caller.attempt(Action::DeleteWebhook, path);
        self.caller.delete(&attempt, &self.hook_url(path, id)?).await
    }

    async fn test_webhook(&self, path: &RepositoryPath, webhook: &Webhook) -> Result<Tested> {
        let attempt = self.caller.attempt(Action::TestWebhook, path);
        let (id, to) = (segment(&webhook.id.to_string()), segment(&webhook.url));
        let url = format!("{}/test?webhookId={id}&url={to}&sslVerificationRequired=true", self.hooks_url(path)?);
        let answer: Value = self.caller.send(&attempt, Method::POST, &url, Some(&json!({}))).await?.json()?;
        Ok(Tested::Ping(answer.get("response").and_then(status)))
    }

    /// The latest delivery: the API has no more.
    async fn deliveries(&self, path: &RepositoryPath, id: &WebhookId) -> Result<Option<Vec<Delivery>>> {
        let attempt = self.caller.attempt(Action::ListDeliveries, path);
        let url = format!("{}/latest", self.hook_url(path, id)?);
        let answer = self.caller.send(&attempt, Method::GET, &url, None).await?;
        let sent = if answer.is_empty() { None } else { Some(answer.json::<Invocation>()?) };
        Ok(Some(sent.into_iter().map(Delivery::from).collect()))
    }

    async fn set_commit_status(&self, path: &RepositoryPath, name: &StatusName, status: &CommitStatus) -> Result<()> {
        let attempt = self.caller.attempt(Action::SetStatus, path);
        let body = json!(StatusBody::new(name, status));
        self.caller.send(&attempt, Method::POST, &self.builds_url(path, name)?, Some(&body)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_beside_the_api() {
        let check = |entry: &str, expected: &str| assert_eq!(base(&entry.parse().unwrap()), expected, "{entry}");
        check("git.example=bitbucket-dc", "https://git.example/rest");
        check("git.example kind=bitbucket-dc web=https://git.example/scm", "https://git.example/scm/rest");
        check("git.example kind=bitbucket-dc api=https://api.example/rest/api/1.0", "https://api.example/rest");
    }
}
