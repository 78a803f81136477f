//! Azure DevOps: [service hooks](https://learn.microsoft.com/en-us/rest/api/azure/devops/hooks/),
//! which belong to an organisation and name project and repository by their identifiers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use contract::{AllowedHost, HostKind, RepositoryPath, url_path::encoded};
use https::{Client, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Management, Result, basic, pushes, segment, time};
use crate::{
    Action, Attempt, Clock, CommitStatus, Content, Delivery, DeployKey, DeployKeyId, HostApiError, HostedRepository,
    NewDeployKey, SecretState, StatusName, StatusState, Tested, Webhook, WebhookId, WebhookSettings,
    action::Subject,
    caller::{Caller, Manner},
    id::text,
};

const API: &str = "api-version=7.1";
const STATUS_API: &str = "api-version=7.1-preview.1";
const HOOKS_API: &str = "api-version=7.1-preview.1";

/// The user of deliveries. The stack only compares the password.
const USER: &str = "git2s3";

/// What a person does instead of adding a deploy key.
const KEYS: &str = "add the key to a user who may only read: User settings → SSH public keys";

#[derive(Debug)]
pub(crate) struct Azure {
    caller: Caller,
}

fn needs(subject: Subject) -> &'static str {
    match subject {
        Subject::Repositories | Subject::DeployKeys => "the scope Code: read (vso.code)",
        Subject::Statuses => "the scope Code: status (vso.code_status)",
        Subject::Webhooks => {
            "the scopes Code: read and Work items: read (vso.code, vso.work), and the project's permission \
             Edit subscriptions"
        }
    }
}

#[derive(Deserialize)]
struct List<T> {
    value: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    id: String,
    name: String,
    project: Project,
    default_branch: Option<String>,
    #[serde(default)]
    is_disabled: bool,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    name: String,
}

impl Repository {
    fn hosted(self, organisation: &str) -> Option<HostedRepository> {
        let branch = self.default_branch.as_deref().map(|name| name.strip_prefix("refs/heads/").unwrap_or(name));
        Some(HostedRepository {
            path: format!("{organisation}/{}/{}", self.project.name, self.name).parse().ok()?,
            default_branch: branch.map(str::to_owned),
            is_archived: self.is_disabled,
            may_administer: None,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    id: WebhookId,
    status: Option<String>,
    #[serde(default)]
    publisher_inputs: BTreeMap<String, Option<String>>,
    #[serde(default)]
    consumer_inputs: BTreeMap<String, Option<String>>,
}

impl Subscription {
    fn of(&self, name: &str) -> Option<&str> {
        self.publisher_inputs.get(name)?.as_deref().filter(|text| !text.is_empty())
    }

    fn to(&self, name: &str) -> Option<&str> {
        self.consumer_inputs.get(name)?.as_deref().filter(|text| !text.is_empty())
    }
}

impl From<Subscription> for Webhook {
    fn from(hook: Subscription) -> Self {
        let status = hook.status.as_deref().unwrap_or("enabled");
        // It is on probation after failures, and disabled after more of them.
        let is_stopped = matches!(status, "onProbation" | "disabledBySystem" | "disabledByInactiveIdentity");
        Self {
            url: hook.to("url").unwrap_or_default().to_owned(),
            is_active: matches!(status, "enabled" | "onProbation"),
            events: pushes(true),
            content: Content::Json,
            // Stars, if there is one.
            secret: if hook.to("basicAuthPassword").is_some() { SecretState::Set } else { SecretState::Missing },
            verifies_tls: !hook.to("acceptUntrustedCerts").is_some_and(|text| text.eq_ignore_ascii_case("true")),
            branches: hook.of("branch").map(str::to_owned),
            stopped: is_stopped.then(|| status.to_owned()),
            id: hook.id,
        }
    }
}

#[derive(Deserialize)]
struct Notifications {
    #[serde(default)]
    results: Vec<Notification>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    #[serde(deserialize_with = "text")]
    id: String,
    #[serde(deserialize_with = "time")]
    created_date: Timestamp,
    #[serde(default)]
    result: Option<String>,
    details: Option<Details>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    event_type: Option<String>,
    error_message: Option<String>,
    /// The head of the endpoint's response, as text.
    response: Option<String>,
}

impl From<Notification> for Delivery {
    fn from(sent: Notification) -> Self {
        let details = sent.details.as_ref();
        let of = |field: fn(&Details) -> &Option<String>| details.and_then(|details| field(details).clone());
        let response = of(|details| &details.response).unwrap_or_default();
        let error = of(|details| &details.error_message).filter(|text| !text.is_empty());
        Self {
            id: sent.id,
            at: Some(sent.created_date),
            event: of(|details| &details.event_type).unwrap_or_default(),
            status: status(&response),
            outcome: error.or(sent.result).unwrap_or_default(),
        }
    }
}

/// The status in a response's text, as in `Status Code: 401`.
fn status(response: &str) -> Option<u16> {
    let (_, rest) = response.split_once("Status Code:")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The longest description of a status.
const DESCRIPTION: usize = 255;
/// What kind of status ours are. With the name, it identifies one.
const GENRE: &str = "git2s3";

fn word(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Success => "succeeded",
        StatusState::Failure => "failed",
    }
}

impl Azure {
    pub(super) fn new(host: &AllowedHost, client: Client, token: &SecretString, clock: Arc<dyn Clock>) -> Result<Self> {
        let text = token.expose_secret();
        // Entra's tokens are JWTs; personal access tokens are passwords without a user.
        let is_jwt = text.starts_with("ey") && text.matches('.').count() == 2;
        let authorization = if is_jwt { format!("Bearer {text}").into() } else { basic(&format!(":{text}")) };
        let manner = Manner {
            base: host.api(HostKind::Azure),
            headers: vec![("authorization", authorization)],
            accepted: "application/json",
            pace: Duration::ZERO,
            needs,
        };
        Ok(Self { caller: Caller::new(host, client, token, clock, manner)? })
    }

    /// Organisation, project and name.
    fn parts<'p>(&self, path: &'p RepositoryPath) -> Result<[&'p str; 3]> {
        let parts: Vec<&str> = path.as_str().split('/').collect();
        parts.try_into().map_err(|_| self.caller.no_path(path, "organisation/project/name"))
    }

    async fn find(&self, attempt: &Attempt, path: &RepositoryPath) -> Result<Repository> {
        let [organisation, project, name] = self.parts(path)?.map(segment);
        self.caller.get(attempt, &format!("/{organisation}/{project}/_apis/git/repositories/{name}?{API}")).await
    }

    fn statuses(&self, path: &RepositoryPath, name: &StatusName) -> Result<String> {
        let [organisation, project, repository] = self.parts(path)?.map(segment);
        let commit = &name.commit;
        Ok(format!("/{organisation}/{project}/_apis/git/repositories/{repository}/commits/{commit}/statuses"))
    }

    fn subscriptions(&self, path: &RepositoryPath) -> Result<String> {
        let [organisation, ..] = self.parts(path)?;
        Ok(format!("/{}/_apis/hooks/subscriptions", segment(organisation)))
    }

    async fn settings(&self, attempt: &Attempt, path: &RepositoryPath, wanted: &WebhookSettings) -> Result<Value> {
        let repository = self.find(attempt, path).await?;
        Ok(json!({
            "publisherId": "tfs",
            "eventType": "git.push",
            "resourceVersion": "1.0",
            "consumerId": "webHooks",
            "consumerActionId": "httpRequest",
            "publisherInputs": { "projectId": repository.project.id, "repository": repository.id, "branch": "" },
            "consumerInputs": {
                "url": wanted.url,
                "basicAuthUsername": USER,
                "basicAuthPassword": wanted.secret.expose_secret(),
            },
            "status": "enabled",
        }))
    }
}

impl Management for Azure {
    async fn repositories(&self, organisation: &str) -> Result<Vec<HostedRepository>> {
        let attempt = self.caller.attempt_on(Action::ListRepositories, organisation);
        let url = format!("/{}/_apis/git/repositories?{API}", encoded(organisation));
        let found: List<Repository> = self.caller.get(&attempt, &url).await?;
        let name = organisation.split('/').next().unwrap_or_default();
        Ok(found.value.into_iter().filter_map(|one| one.hosted(name)).collect())
    }

    async fn repository(&self, path: &RepositoryPath) -> Result<HostedRepository> {
        let attempt = self.caller.attempt(Action::ReadRepository, path);
        let [organisation, ..] = self.parts(path)?;
        let found = self.find(&attempt, path).await?;
        found.hosted(organisation).ok_or(HostApiError::Answer { attempt, source: None })
    }

    async fn deploy_keys(&self, path: &RepositoryPath) -> Result<Vec<DeployKey>> {
        let attempt = self.caller.attempt(Action::ListDeployKeys, path);
        Err(HostApiError::NotOffered { attempt, instead: KEYS })
    }

    async fn add_deploy_key(&self, path: &RepositoryPath, _: &NewDeployKey) -> Result<DeployKey> {
        let attempt = self.caller.attempt(Action::AddDeployKey, path);
        Err(HostApiError::NotOffered { attempt, instead: KEYS })
    }

    async fn remove_deploy_key(&self, path: &RepositoryPath, _: &DeployKeyId) -> Result<()> {
        let attempt = self.caller.attempt(Action::RemoveDeployKey, path);
        let instead = "remove the key from its user: User settings → SSH public keys";
        Err(HostApiError::NotOffered { attempt, instead })
    }

    /// The subscriptions of this repository alone. Those of a whole project aren't the
    /// repository's to change.
    async fn webhooks(&self, path: &RepositoryPath) -> Result<Vec<Webhook>> {
        let attempt = self.caller.attempt(Action::ListWebhooks, path);
        let id = self.find(&attempt, path).await?.id;
        let url =
            format!("{}?publisherId=tfs&eventType=git.push&consumerId=webHooks&{HOOKS_API}", self.subscriptions(path)?);
        let found: List<Subscription> = self.caller.get(&attempt, &url).await?;
        let its = |hook: &Subscription| hook.of("repository").is_some_and(|of| of.eq_ignore_ascii_case(&id));
        Ok(found.value.into_iter().filter(its).map(Webhook::from).collect())
    }

    async fn create_webhook(&self, path: &RepositoryPath, wanted: &WebhookSettings) -> Result<Webhook> {
        let attempt = self.caller.attempt(Action::CreateWebhook, path);
        let body = self.settings(&attempt, path, wanted).await?;
        let url = format!("{}?{HOOKS_API}", self.subscriptions(path)?);
        self.caller.change::<Subscription>(&attempt, Method::POST, &url, &body).await.map(Webhook::from)
    }

    async fn update_webhook(&self, path: &RepositoryPath, id: &WebhookId, wanted: &WebhookSettings) -> Result<Webhook> {
        let attempt = self.caller.attempt(Action::UpdateWebhook, path);
        let body = self.settings(&attempt, path, wanted).await?;
        let url = format!("{}/{}?{HOOKS_API}", self.subscriptions(path)?, segment(&id.to_string()));
        self.caller.change::<Subscription>(&attempt, Method::PUT, &url, &body).await.map(Webhook::from)
    }

    async fn delete_webhook(&self, path: &RepositoryPath, id: &WebhookId) -> Result<()> {
        let attempt = self.caller.attempt(Action::DeleteWebhook, path);
        let url = format!("{}/{}?{HOOKS_API}", self.subscriptions(path)?, segment(&id.to_string()));
        self.caller.delete(&attempt, &url).await
    }

    async fn test_webhook(&self, path: &RepositoryPath, webhook: &Webhook) -> Result<Tested> {
        let attempt = self.caller.attempt(Action::TestWebhook, path);
        let subscriptions = self.subscriptions(path)?;
        let id = webhook.id.to_string();
        // The details of the subscription as they are, with stars for its password.
        let url = format!("{subscriptions}/{}?{HOOKS_API}", segment(&id));
        let known: Subscription = self.caller.get(&attempt, &url).await?;
        let body = json!({
            "subscriptionId": id,
            "details": {
                "publisherId": "tfs",
                "eventType": "git.push",
                "consumerId": "webHooks",
                "consumerActionId": "httpRequest",
                "publisherInputs": known.publisher_inputs,
                "consumerInputs": known.consumer_inputs,
            },
        });
        let [organisation, ..] = self.parts(path)?;
        let url = format!("/{}/_apis/hooks/testnotifications?{HOOKS_API}", segment(organisation));
        self.caller.send(&attempt, Method::POST, &url, Some(&body)).await?;
        Ok(Tested::Ping(None))
    }

    async fn deliveries(&self, path: &RepositoryPath, id: &WebhookId) -> Result<Option<Vec<Delivery>>> {
        let attempt = self.caller.attempt(Action::ListDeliveries, path);
        let [organisation, ..] = self.parts(path)?;
        let body = json!({ "subscriptionIds": [id.to_string()], "maxResults": 100, "includeDetails": true });
        let url = format!("/{}/_apis/hooks/notificationsquery?{HOOKS_API}", segment(organisation));
        let found: Notifications = self.caller.send(&attempt, Method::POST, &url, Some(&body)).await?.json()?;
        let mut sent: Vec<Delivery> = found.results.into_iter().map(Delivery::from).collect();
        sent.sort_by_key(|delivery| std::cmp::Reverse(delivery.at));
        Ok(Some(sent))
    }

    /// Looks at the newest of each name.
    async fn set_commit_status(&self, path: &RepositoryPath, name: &StatusName, status: &CommitStatus) -> Result<()> {
        let attempt = self.caller.attempt(Action::SetStatus, path);
        let url = format!("{}?{STATUS_API}", self.statuses(path, name)?);
        let body = json!({
            "state": word(status.state),
            "description": status.line(DESCRIPTION),
            "targetUrl": status.url,
            "context": { "name": name.name(), "genre": GENRE },
        });
        self.caller.send(&attempt, Method::POST, &url, Some(&body)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_found_in_response() {
        assert_eq!(status("Status Code: 401\nReason Phrase: Unauthorized\nHTTP Version: 1.1"), Some(401));
        assert_eq!(status("Unable to connect"), None);
    }
}
