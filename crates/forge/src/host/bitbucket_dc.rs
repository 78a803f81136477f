//! Bitbucket Data Center: [event
//! payload](https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html). One
//! push may change several references. A repository's name is its project's key and its slug.

use contract::{HostKind, Trigger};
use http::HeaderMap;
use serde::Deserialize;

use super::{
    git_host::GitHost,
    message::{After, Change, Message, Origin, Pushed},
    payload::{PayloadError, kind, or_nothing, parse},
};

const EVENT: &str = "x-event-key";

/// Bitbucket Data Center, formerly Bitbucket Server.
#[derive(Debug)]
pub(super) struct BitbucketDataCenter;

impl GitHost for BitbucketDataCenter {
    fn name(&self) -> &'static str {
        "Bitbucket Data Center"
    }

    fn kind(&self) -> Option<HostKind> {
        Some(HostKind::BitbucketDataCenter)
    }

    fn recognizes(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(EVENT)
    }

    fn delivery_id_headers(&self) -> &'static [&'static str] {
        &["x-request-id"]
    }

    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError> {
        match kind(headers, EVENT) {
            "repo:refs_changed" => parse::<RefsChanged>(self.name(), payload).map(Message::from),
            "diagnostics:ping" => Ok(Message::Ping),
            kind => Ok(Message::Ignored(format!("nothing is archived for the event {kind:?}"))),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefsChanged {
    repository: Repository,
    #[serde(deserialize_with = "or_nothing")]
    changes: Vec<RefChange>,
    to_commit: Option<Commit>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefChange {
    r#ref: Ref,
    to_hash: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Ref {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Commit {
    id: String,
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Repository {
    slug: String,
    project: Project,
    #[serde(default, deserialize_with = "or_nothing")]
    links: Links,
}

#[derive(Debug, Deserialize)]
struct Project {
    key: String,
}

/// Servers before version 7 send no clone links, and some send none at all.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Links {
    #[serde(deserialize_with = "or_nothing")]
    clone: Vec<Link>,
    #[serde(rename = "self", deserialize_with = "or_nothing")]
    page: Vec<Link>,
}

#[derive(Debug, Deserialize)]
struct Link {
    href: String,
}

impl Links {
    /// Only the host of a link counts: its path has a prefix and the project's key in lower case.
    fn origin(&self) -> Origin {
        let urls = self.clone.iter().chain(&self.page).filter_map(|link| gix_url::parse(link.href.as_str()).ok());
        let mut hosts = urls.filter_map(|url| url.host.map(|host| host.to_ascii_lowercase()));
        hosts.next().map_or(Origin::Unsaid, Origin::Host)
    }
}

impl From<RefsChanged> for Message {
    fn from(event: RefsChanged) -> Self {
        let summary = |id: &str| event.to_commit.as_ref().filter(|commit| commit.id == id)?.message.clone();
        let change = |change: RefChange| {
            let summary = summary(&change.to_hash);
            let after = if change.kind == "DELETE" { After::Deleted } else { After::from(change.to_hash) };
            Change { reference: change.r#ref.id, after, summary }
        };
        Self::Push(Pushed {
            full_name: format!("{}/{}", event.repository.project.key, event.repository.slug),
            origin: event.repository.links.origin(),
            changes: event.changes.into_iter().map(change).collect(),
            trigger: Trigger::Push,
            delivery_id: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sender;

    fn push(project: &str, links: &Value) -> Value {
        let change = |id: &str, hash: String, kind: &str| json!({ "ref": { "id": id, "type": "BRANCH" }, "toHash": hash, "type": kind });
        json!({
            "repository": { "slug": "hello", "project": { "key": project }, "links": links },
            "changes": [
                change("refs/heads/main", "a".repeat(40), "UPDATE"),
                change("refs/heads/old", "0".repeat(40), "DELETE"),
            ],
            "toCommit": { "id": "a".repeat(40), "message": "Say hello" },
        })
    }

    fn read(payload: &Value) -> Pushed {
        let headers = sender::headers(&[(EVENT, "repo:refs_changed")]);
        match BitbucketDataCenter.read(&headers, payload.to_string().as_bytes()).unwrap() {
            Message::Push(pushed) => pushed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_pushed_reference_is_read() {
        let pushed = read(&push("PROJ", &json!({})));
        assert_eq!(pushed.full_name, "PROJ/hello");
        let after: Vec<_> = pushed.changes.iter().map(|change| (&*change.reference, &change.after)).collect();
        let commit = After::Object("a".repeat(40));
        assert_eq!(after, [("refs/heads/main", &commit), ("refs/heads/old", &After::Deleted)]);
        assert_eq!(pushed.changes[0].summary.as_deref(), Some("Say hello"));
        assert_eq!(read(&push("~alice", &json!({}))).full_name, "~alice/hello");
    }

    #[test]
    fn link_reveals_only_host() {
        let link = |href: &str| json!([{ "href": href, "name": "ssh" }]);
        let check =
            |links: Value, expected: Origin| assert_eq!(read(&push("PROJ", &links)).origin, expected, "{links}");
        let host = || Origin::Host("git.example.com".to_owned());
        check(json!({ "clone": link("ssh://git@Git.example.com:7999/proj/hello.git") }), host());
        check(json!({ "clone": link("https://git.example.com/context/scm/proj/hello.git") }), host());
        check(json!({ "self": link("https://git.example.com/projects/PROJ/repos/hello/browse") }), host());
        check(json!({}), Origin::Unsaid);
        check(json!({ "clone": null, "self": null }), Origin::Unsaid);
        check(json!(null), Origin::Unsaid);
    }

    #[test]
    fn ping_is_recognized_others_are_ignored() {
        let read = |kind: &str| BitbucketDataCenter.read(&sender::headers(&[(EVENT, kind)]), b"{}").unwrap();
        assert_eq!(read("diagnostics:ping"), Message::Ping);
        for kind in ["repo:forked", "pr:opened", "repo:modified"] {
            assert!(matches!(read(kind), Message::Ignored(_)), "{kind}");
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        let mut payload = push("PROJ", &json!({}));
        payload["repository"]["project"].as_object_mut().unwrap().remove("key");
        let headers = sender::headers(&[(EVENT, "repo:refs_changed")]);
        let error = BitbucketDataCenter.read(&headers, payload.to_string().as_bytes()).unwrap_err().to_string();
        let expected = "Bitbucket Data Center's payload is invalid at `repository.project`: missing field `key`";
        assert!(error.starts_with(expected), "{error}");
    }
}
