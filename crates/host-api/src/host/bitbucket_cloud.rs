//! Bitbucket Cloud: [deploy
//! keys](https://developer.atlassian.com/cloud/bitbucket/rest/api-group-deployments/),
//! [webhooks](https://developer.atlassian.com/cloud/bitbucket/rest/api-group-repositories/), [build
//! statuses](https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/).

use std::{sync::Arc, time::Duration};

use contract::{AllowedHost, HostKind, RepositoryPath, url_path::encoded};
use https::{Client, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Management, Result, atlassian_authorization, pushes, segment};
use crate::{
    Access, Action, Attempt, Clock, CommitStatus, Content, Delivery, DeployKey, DeployKeyId, HostApiError,
    HostedRepository, NewDeployKey, SecretState, StatusName, StatusState, Tested, Webhook, WebhookId, WebhookSettings,
    action::Subject,
    caller::{Caller, MAX_PAGES, Manner},
};

/// The event of branches and tags.
const PUSH: &str = "repo:push";

#[derive(Debug)]
pub(crate) struct BitbucketCloud {
    caller: Caller,
    base: String,
}

fn needs(subject: Subject) -> &'static str {
    match subject {
        Subject::Repositories => "the scope read:repository:bitbucket (repository)",
        Subject::DeployKeys => "the scope admin:repository:bitbucket (repository:admin)",
        Subject::Statuses => "the scopes read:repository:bitbucket and write:repository:bitbucket (repository:write)",
        Subject::Webhooks => {
            "the scopes read:webhook:bitbucket, write:webhook:bitbucket, delete:webhook:bitbucket \
             and read:repository:bitbucket (webhook and repository)"
        }
    }
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default = "Vec::new")]
    values: Vec<T>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    mainbranch: Option<Branch>,
}

#[derive(Deserialize)]
struct Branch {
    name: String,
}

impl Repository {
    fn hosted(self) -> Option<HostedRepository> {
        Some(HostedRepository {
            path: self.full_name.parse().ok()?,
            default_branch: self.mainbranch.map(|branch| branch.name),
            is_archived: false,
            may_administer: None,
        })
    }
}

#[derive(Deserialize)]
struct Key {
    id: DeployKeyId,
    label: Option<String>,
    key: String,
}

impl Key {
    fn deploy_key(self) -> Option<DeployKey> {
        let title = self.label.unwrap_or_default();
        // None of them can push.
        Some(DeployKey { id: self.id, title, key: self.key.parse().ok()?, access: Access::Read, is_enabled: true })
    }
}

#[derive(Deserialize)]
struct Hook {
    uuid: WebhookId,
    url: String,
    active: bool,
    #[serde(default)]
    events: Vec<String>,
    secret_set: Option<bool>,
    skip_cert_verification: Option<bool>,
}

impl From<Hook> for Webhook {
    fn from(hook: Hook) -> Self {
        let is_sent = hook.events.iter().any(|name| name == PUSH);
        Self {
            id: hook.uuid,
            url: hook.url,
            is_active: hook.active,
            events: pushes(is_sent),
            content: Content::Json,
            secret: match hook.secret_set {
                Some(true) => SecretState::Set,
                Some(false) => SecretState::Missing,
                None => SecretState::Unknown,
            },
            verifies_tls: !hook.skip_cert_verification.unwrap_or(false),
            branches: None,
            stopped: None,
        }
    }
}

/// The API isn't where the web pages are.
fn base(host: &AllowedHost) -> String {
    let api = host.api(HostKind::Bitbucket);
    let api = if api == "https://bitbucket.org" { "https://api.bitbucket.org" } else { &api };
    format!("{api}/2.0")
}

/// The longest description of a status.
const DESCRIPTION: usize = 255;

/// A status as both Bitbuckets take it.
#[derive(Serialize)]
pub(super) struct StatusBody<'a> {
    key: String,
    state: &'static str,
    name: &'a str,
    url: &'a str,
    description: String,
    /// Only at Bitbucket Cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    refname: Option<&'a str>,
}

impl<'a> StatusBody<'a> {
    pub(super) fn new(name: &'a StatusName, status: &'a CommitStatus) -> Self {
        Self {
            key: name.key(),
            state: word(status.state),
            name: name.name(),
            url: &status.url,
            description: status.line(DESCRIPTION),
            refname: None,
        }
    }
}

/// Atlassian's name of a state.
fn word(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "INPROGRESS",
        StatusState::Success => "SUCCESSFUL",
        StatusState::Failure => "FAILED",
    }
}

fn settings(wanted: &WebhookSettings) -> Value {
    json!({
        "description": "git2s3",
        "url": wanted.url,
        "active": true,
        // Without it, deliveries aren't signed.
        "secret": wanted.secret.expose_secret(),
        "events": [PUSH],
    })
}

fn repository(path: &RepositoryPath) -> String {
    format!("/repositories/{}", encoded(path.as_str()))
}

fn hook_url(path: &RepositoryPath, id: &WebhookId) -> String {
    format!("{}/hooks/{}", repository(path), segment(&id.to_string()))
}

impl BitbucketCloud {
    pub(super) fn new(host: &AllowedHost, client: Client, token: &SecretString, clock: Arc<dyn Clock>) -> Result<Self> {
        let base = base(host);
        let manner = Manner {
            base: base.clone(),
            headers: vec![("authorization", atlassian_authorization(token))],
            accepted: "application/json",
            pace: Duration::ZERO,
            needs,
        };
        Ok(Self { caller: Caller::new(host, client, token, clock, manner)?, base })
    }

    /// All pages of a list. Each names the next one, which must be below the same URL: it gets the
    /// token.
    async fn pages<T: DeserializeOwned>(&self, attempt: &Attempt, path: &str) -> Result<Vec<T>> {
        let mut all = Vec::new();
        let mut path = path.to_owned();
        for _ in 0..MAX_PAGES {
            let page: Page<T> = self.caller.get(attempt, &path).await?;
            all.extend(page.values);
            let Some(next) = page.next else { return Ok(all) };
            let Some(next) = next.strip_prefix(&self.base).filter(|next| next.starts_with('/')) else { break };
            next.clone_into(&mut path);
        }
        Err(HostApiError::Answer { attempt: attempt.clone(), source: None })
    }
}

impl Management for BitbucketCloud {
    async fn repositories(&self, organisation: &str) -> Result<Vec<HostedRepository>> {
        let attempt = self.caller.attempt_on(Action::ListRepositories, organisation);
        let url = format!("/repositories/{}?pagelen=100", segment(organisation));
        let found: Vec<Repository> = self.pages(&attempt, &url).await?;
        Ok(found.into_iter().filter_map(Repository::hosted).collect())
    }

    async fn repository(&self, path: &RepositoryPath) -> Result<HostedRepository> {
        let attempt = self.caller.attempt(Action::ReadRepository, path);
        let found: Repository = self.caller.get(&attempt, &repository(path)).await?;
        found.hosted().ok_or(HostApiError::Answer { attempt, source: None })
    }

    async fn deploy_keys(&self, path: &RepositoryPath) -> Result<Vec<DeployKey>> {
        let attempt = self.caller.attempt(Action::ListDeployKeys, path);
        let keys: Vec<Key> = self.pages(&attempt, &format!("{}/deploy-keys?pagelen=100", repository(path))).await?;
        Ok(keys.into_iter().filter_map(Key::deploy_key).collect())
    }

    async fn add_deploy_key(&self, path: &RepositoryPath, key: &NewDeployKey) -> Result<DeployKey> {
        let attempt = self.caller.attempt(Action::AddDeployKey, path);
        let url = format!("{}/deploy-keys", repository(path));
        let body = json!({ "key": key.key.to_string(), "label": key.title });
        let added: Key = match self.caller.send(&attempt, Method::POST, &url, Some(&body)).await {
            // It is a user's key, or this repository's already.
            Err(HostApiError::Refused { said, .. }) if said.contains("already") => {
                return Err(HostApiError::KeyInUse { attempt });
            }
            answer => answer?.json()?,
        };
        added.deploy_key().ok_or(HostApiError::Answer { attempt, source: None })
    }

    async fn remove_deploy_key(&self, path: &RepositoryPath, id: &DeployKeyId) -> Result<()> {
        let attempt = self.caller.attempt(Action::RemoveDeployKey, path);
        let url = format!("{}/deploy-keys/{}", repository(path), segment(&id.to_string()));
        self.caller.delete(&attempt, &url).await
    }

    async fn webhooks(&self, path: &RepositoryPath) -> Result<Vec<Webhook>> {
        let attempt = self.caller.attempt(Action::ListWebhooks, path);
        let hooks: Vec<Hook> = self.pages(&attempt, &format!("{}/hooks?pagelen=100", repository(path))).await?;
        Ok(hooks.into_iter().map(Webhook::from).collect())
    }

    async fn create_webhook(&self, path: &RepositoryPath, wanted: &WebhookSettings) -> Result<Webhook> {
        let attempt = self.caller.attempt(Action::CreateWebhook, path);
        let url = format!("{}/hooks", repository(path));
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

    async fn test_webhook(&self, _: &RepositoryPath, _: &Webhook) -> Result<Tested> {
        Ok(Tested::NotOffered("push a commit, and see Repository settings → Webhooks → View requests"))
    }

    async fn deliveries(&self, _: &RepositoryPath, _: &WebhookId) -> Result<Option<Vec<Delivery>>> {
        Ok(None)
    }

    async fn set_commit_status(&self, path: &RepositoryPath, name: &StatusName, status: &CommitStatus) -> Result<()> {
        let attempt = self.caller.attempt(Action::SetStatus, path);
        let url = format!("{}/commit/{}/statuses/build", repository(path), name.commit);
        let body = json!(StatusBody { refname: Some(&name.reference), ..StatusBody::new(name, status) });
        self.caller.send(&attempt, Method::POST, &url, Some(&body)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_has_its_own_host() {
        let check = |entry: &str, expected: &str| assert_eq!(base(&entry.parse().unwrap()), expected, "{entry}");
        check("bitbucket.org", "https://api.bitbucket.org/2.0");
        check("git.example kind=bitbucket api=https://proxy.example/b", "https://proxy.example/b/2.0");
    }
}
