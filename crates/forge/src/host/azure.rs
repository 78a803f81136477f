//! Azure DevOps Services: [service
//! hooks](https://learn.microsoft.com/en-us/azure/devops/service-hooks/events#code-pushed). It
//! signs nothing and has no distinctive header. It authenticates with a password (Basic) or a
//! configured header.

use contract::{HostKind, Trigger};
use http::HeaderMap;
use serde::Deserialize;

use super::{
    git_host::GitHost,
    message::{After, Change, Message, Origin, Pushed},
    payload::{PayloadError, or_nothing, parse},
};

/// Azure DevOps Services.
#[derive(Debug)]
pub(super) struct AzureDevOps;

const HOST: &str = "dev.azure.com";
/// The former hosts of organisations, such as `acme.visualstudio.com`.
const FORMER_HOSTS: &str = ".visualstudio.com";

impl GitHost for AzureDevOps {
    fn name(&self) -> &'static str {
        "Azure DevOps"
    }

    fn kind(&self) -> Option<HostKind> {
        Some(HostKind::Azure)
    }

    fn recognizes(&self, _: &HeaderMap) -> bool {
        false
    }

    fn recognizes_payload(&self, payload: &[u8]) -> bool {
        serde_json::from_slice::<Subscription>(payload).is_ok_and(|event| event.publisher_id == "tfs")
    }

    fn delivery_id_headers(&self) -> &'static [&'static str] {
        &[]
    }

    fn read(&self, _: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError> {
        let event = parse::<Subscription>(self.name(), payload)?;
        if event.is_test() {
            return Ok(Message::Ping);
        }
        if event.event_type != "git.push" {
            return Ok(Message::Ignored(format!("nothing is archived for the event {:?}", event.event_type)));
        }
        let push = parse::<GitPush>(self.name(), payload)?;
        let repository = push.resource.repository;
        let (host, organisation) = place(&repository.remote_url).ok_or_else(|| PayloadError {
            host: self.name(),
            path: "resource.repository.remoteUrl".to_owned(),
            reason: "expected https://dev.azure.com/{organisation}/{project}/_git/{repository}".to_owned(),
        })?;
        let commits = push.resource.commits;
        let change = |update: RefUpdate| {
            let head = commits.iter().find(|commit| commit.commit_id == update.new_object_id);
            let summary = head.and_then(|commit| commit.comment.clone());
            Change { reference: update.name, after: After::from(update.new_object_id), summary }
        };
        Ok(Message::Push(Pushed {
            full_name: format!("{organisation}/{}/{}", repository.project.name, repository.name),
            origin: Origin::Host(host),
            changes: push.resource.ref_updates.into_iter().map(change).collect(),
            trigger: Trigger::Push,
            delivery_id: Some(event.id),
        }))
    }
}

/// The host and the organisation of a repository's URL. A former host is treated as the current
/// one.
fn place(url: &str) -> Option<(String, String)> {
    let url = gix_url::parse(url).ok()?;
    let (host, path) = (url.host?.to_ascii_lowercase(), url.path.to_string());
    if let Some(organisation) = host.strip_suffix(FORMER_HOSTS) {
        return Some((HOST.to_owned(), organisation.to_owned()));
    }
    let organisation = path.trim_start_matches('/').split('/').next()?.to_owned();
    Some((host, organisation))
}

/// The common fields of all events.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    id: String,
    event_type: String,
    publisher_id: String,
    subscription_id: Option<String>,
}

impl Subscription {
    /// The "Test" button sends an example of a Microsoft repository, without a subscription.
    fn is_test(&self) -> bool {
        let is_null = |id: &String| !id.is_empty() && id.bytes().all(|digit| matches!(digit, b'0' | b'-'));
        self.subscription_id.as_ref().is_some_and(is_null)
    }
}

#[derive(Debug, Deserialize)]
struct GitPush {
    resource: Resource,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    #[serde(default, deserialize_with = "or_nothing")]
    commits: Vec<Commit>,
    #[serde(deserialize_with = "or_nothing")]
    ref_updates: Vec<RefUpdate>,
    repository: Repository,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Commit {
    commit_id: String,
    comment: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefUpdate {
    name: String,
    new_object_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    name: String,
    project: Project,
    remote_url: String,
}

#[derive(Debug, Deserialize)]
struct Project {
    name: String,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn push(url: &str) -> Value {
        json!({
            "id": "03c164c2-8912-4d5e-8009-3707d5f83734", "eventType": "git.push", "publisherId": "tfs",
            "resource": {
                "commits": [{ "commitId": "a".repeat(40), "comment": "Say hello" }],
                "refUpdates": [
                    { "name": "refs/heads/main", "oldObjectId": "1".repeat(40), "newObjectId": "a".repeat(40) },
                    { "name": "refs/tags/old", "oldObjectId": "1".repeat(40), "newObjectId": "0".repeat(40) },
                ],
                "repository": {
                    "name": "Hello World", "project": { "name": "Our Project" },
                    "defaultBranch": "refs/heads/main", "remoteUrl": url,
                },
            },
        })
    }

    fn read(payload: &Value) -> Result<Message, PayloadError> {
        AzureDevOps.read(&HeaderMap::new(), payload.to_string().as_bytes())
    }

    #[test]
    fn azure_push_reads_every_url_form() {
        for url in [
            "https://dev.azure.com/acme/Our%20Project/_git/Hello%20World",
            "https://acme@dev.azure.com/acme/Our%20Project/_git/Hello%20World",
            "https://acme.visualstudio.com/DefaultCollection/Our%20Project/_git/Hello%20World",
        ] {
            let Message::Push(pushed) = read(&push(url)).unwrap() else { panic!("{url}") };
            assert_eq!(pushed.full_name, "acme/Our Project/Hello World", "{url}");
            assert_eq!(pushed.origin, Origin::Host("dev.azure.com".to_owned()));
            assert_eq!(pushed.delivery_id.as_deref(), Some("03c164c2-8912-4d5e-8009-3707d5f83734"));
            assert_eq!(pushed.changes[0].summary.as_deref(), Some("Say hello"));
            assert_eq!(pushed.changes[1].after, After::Deleted);
        }
    }

    #[test]
    fn only_its_own_payloads_are_recognised() {
        assert!(AzureDevOps.recognizes_payload(push("").to_string().as_bytes()));
        for other in ["{}", "[]", "", r#"{"id":"1","eventType":"git.push","publisherId":"x"}"#] {
            assert!(!AzureDevOps.recognizes_payload(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_test_button_is_a_ping() {
        let case = include_bytes!("azure-test-button.json");
        assert!(AzureDevOps.recognizes_payload(case));
        assert_eq!(AzureDevOps.read(&HeaderMap::new(), case).unwrap(), Message::Ping);
        let mut other = push("");
        other["subscriptionId"] = json!("00000000-0000-0000-0000-000000000000");
        other["eventType"] = json!("build.complete");
        assert_eq!(read(&other).unwrap(), Message::Ping);
    }

    #[test]
    fn quoted_names_and_nulls_are_read() {
        let mut payload = push("https://dev.azure.com/acme/Bob's%20Project/_git/-it's");
        payload["resource"]["repository"]["project"]["name"] = json!("Bob's Project");
        payload["resource"]["repository"]["name"] = json!("-it's");
        payload["resource"]["commits"] = Value::Null;
        payload["subscriptionId"] = json!("b7a3d1f0-8a44-4a5c-9a8f-5f3f7a1d2c3e");
        let Message::Push(pushed) = read(&payload).unwrap() else { panic!("not a push") };
        assert_eq!(pushed.full_name.parse::<contract::RepositoryPath>().unwrap().as_str(), "acme/Bob's Project/-it's");
        payload["resource"]["refUpdates"] = Value::Null;
        let Message::Push(pushed) = read(&payload).unwrap() else { panic!("not a push") };
        assert!(pushed.changes.is_empty());
    }

    #[test]
    fn other_events_are_ignored() {
        let mut payload = push("");
        payload["eventType"] = json!("build.complete");
        assert!(matches!(read(&payload).unwrap(), Message::Ignored(_)));
    }

    #[test]
    fn unreadable_azure_field_is_named() {
        let error = read(&push("nowhere")).unwrap_err().to_string();
        assert!(error.starts_with("Azure DevOps's payload is invalid at `resource.repository.remoteUrl`"), "{error}");
        let mut payload = push("https://dev.azure.com/acme/p/_git/r");
        payload["resource"]["refUpdates"][0].as_object_mut().unwrap().remove("newObjectId");
        let error = read(&payload).unwrap_err().to_string();
        assert!(error.contains("at `resource.refUpdates[0]`: missing field `newObjectId`"), "{error}");
    }
}
