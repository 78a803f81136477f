//! GitHub and GitHub Enterprise Server:
//! [events and payloads](https://docs.github.com/en/webhooks/webhook-events-and-payloads).

use contract::{HostKind, Trigger};
use http::HeaderMap;
use serde::Deserialize;

use super::{
    git_host::GitHost,
    message::{After, Change, Message, Origin, Pushed},
    payload::{PayloadError, kind, or_nothing, parse},
};

const EVENT: &str = "x-github-event";

/// GitHub, GitHub Enterprise Server, and senders with the same format.
#[derive(Debug)]
pub(super) struct GitHub;

impl GitHost for GitHub {
    fn name(&self) -> &'static str {
        "GitHub"
    }

    fn kind(&self) -> Option<HostKind> {
        Some(HostKind::GitHub)
    }

    fn recognizes(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(EVENT)
    }

    fn delivery_id_headers(&self) -> &'static [&'static str] {
        &["x-github-delivery"]
    }

    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError> {
        read(self, kind(headers, EVENT), payload)
    }
}

/// Parses an event of this kind in GitHub's format, which others use, too.
pub(super) fn read(host: &dyn GitHost, kind: &str, payload: &[u8]) -> Result<Message, PayloadError> {
    match kind {
        "push" => parse::<PushPayload>(host.name(), payload)
            .map(|push| if push.is_test() { Message::Ping } else { push.into() }),
        "release" => parse::<Release>(host.name(), payload).map(Message::from),
        "ping" => Ok(Message::Ping),
        "create" | "delete" => Ok(Message::Ignored(format!("{kind} is covered by its push"))),
        kind => Ok(Message::Ignored(format!("nothing is archived for the event {kind:?}"))),
    }
}

#[derive(Debug, Deserialize)]
struct PushPayload {
    #[serde(rename = "ref")]
    reference: String,
    before: Option<String>,
    after: String,
    #[serde(default, deserialize_with = "or_nothing")]
    deleted: bool,
    head_commit: Option<Commit>,
    repository: Repository,
}

#[derive(Debug, Deserialize)]
struct Commit {
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Release {
    action: String,
    release: Tag,
    repository: Repository,
}

#[derive(Debug, Deserialize)]
struct Tag {
    tag_name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Repository {
    full_name: String,
    #[serde(default, deserialize_with = "or_nothing")]
    ssh_url: String,
    #[serde(default, deserialize_with = "or_nothing")]
    clone_url: String,
}

impl Repository {
    /// The change of one reference in it.
    pub(super) fn pushed(self, change: Change, trigger: Trigger) -> Message {
        Message::Push(Pushed {
            full_name: self.full_name,
            origin: Origin::Urls(vec![self.ssh_url, self.clone_url]),
            changes: vec![change],
            trigger,
            delivery_id: None,
        })
    }
}

impl PushPayload {
    /// Gitea, Forgejo and Gogs have no ping: "Test Delivery" sends a push from a commit to the same
    /// commit, which no real push does.
    fn is_test(&self) -> bool {
        self.before.as_ref() == Some(&self.after)
    }
}

impl From<PushPayload> for Message {
    fn from(push: PushPayload) -> Self {
        let after = if push.deleted { After::Deleted } else { After::from(push.after) };
        let summary = push.head_commit.and_then(|commit| commit.message);
        push.repository.pushed(Change { reference: push.reference, after, summary }, Trigger::Push)
    }
}

impl From<Release> for Message {
    fn from(release: Release) -> Self {
        if release.action != "published" {
            return Self::Ignored(format!(
                "a release is archived when it is published, not when it is {}",
                release.action
            ));
        }
        let reference = format!("refs/tags/{}", release.release.tag_name);
        let change = Change { reference, after: After::Unknown, summary: None };
        release.repository.pushed(change, Trigger::Release)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sender;

    fn read(kind: &str, payload: &Value) -> Result<Message, PayloadError> {
        GitHub.read(&sender::headers(&[(EVENT, kind)]), payload.to_string().as_bytes())
    }

    #[test]
    fn a_push_is_read() {
        let message = read("push", &sender::github_push("refs/tags/v1", &"a".repeat(40))).unwrap();
        let expected = Pushed {
            full_name: "octo-org/hello".to_owned(),
            origin: Origin::Urls(vec![
                "git@github.com:octo-org/hello.git".to_owned(),
                "https://github.com/octo-org/hello.git".to_owned(),
            ]),
            changes: vec![Change {
                reference: "refs/tags/v1".to_owned(),
                after: After::Object("a".repeat(40)),
                summary: Some("Say hello".to_owned()),
            }],
            trigger: Trigger::Push,
            delivery_id: None,
        };
        assert_eq!(message, Message::Push(expected));
    }

    #[test]
    fn flag_or_null_id_means_deletion() {
        let mut flagged = sender::github_push("refs/heads/old", &"a".repeat(40));
        flagged["deleted"] = json!(true);
        for payload in [flagged, sender::github_push("refs/heads/old", &"0".repeat(40))] {
            let Message::Push(push) = read("push", &payload).unwrap() else { panic!("{payload}") };
            assert_eq!(push.changes[0].after, After::Deleted);
        }
    }

    #[test]
    fn other_events_are_not_even_parsed() {
        assert_eq!(read("ping", &json!({ "zen": "Design for failure." })).unwrap(), Message::Ping);
        for kind in ["create", "delete", "issues", ""] {
            assert!(matches!(read(kind, &json!([])).unwrap(), Message::Ignored(_)), "{kind}");
        }
    }

    #[test]
    fn published_release_becomes_its_tag() {
        let mut payload = sender::github_push("", "");
        payload["release"] = json!({ "tag_name": "v1" });
        payload["action"] = json!("published");
        let Message::Push(pushed) = read("release", &payload).unwrap() else { panic!("{payload}") };
        let change = Change { reference: "refs/tags/v1".to_owned(), after: After::Unknown, summary: None };
        assert_eq!((pushed.trigger, pushed.changes), (Trigger::Release, vec![change]));
        for action in ["created", "edited", "deleted", "unpublished", "released", "prereleased"] {
            payload["action"] = json!(action);
            assert!(matches!(read("release", &payload).unwrap(), Message::Ignored(_)), "{action}");
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        let check = |remove: &[&str], expected: &str| {
            let mut payload = sender::github_push("refs/heads/main", &"a".repeat(40));
            let (field, parents) = remove.split_last().unwrap();
            let parent = parents.iter().fold(&mut payload, |value, key| &mut value[*key]);
            parent.as_object_mut().unwrap().remove(*field).unwrap();
            let error = read("push", &payload).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check(&["ref"], "GitHub's payload is invalid at `.`: missing field `ref`");
        check(&["after"], "GitHub's payload is invalid at `.`: missing field `after`");
        check(&["repository"], "GitHub's payload is invalid at `.`: missing field `repository`");
        check(&["repository", "full_name"], "GitHub's payload is invalid at `repository`: missing field `full_name`");
    }

    #[test]
    fn mistyped_field_is_named() {
        let mut payload = sender::github_push("refs/heads/main", &"a".repeat(40));
        payload["repository"]["ssh_url"] = json!(7);
        let error = read("push", &payload).unwrap_err().to_string();
        assert!(error.starts_with("GitHub's payload is invalid at `repository.ssh_url`: invalid type"), "{error}");
    }

    #[test]
    fn text_after_the_payload_is_refused() {
        let payload = sender::github_push("refs/heads/main", &"a".repeat(40)).to_string() + "{}";
        let error = GitHub.read(&sender::headers(&[(EVENT, "push")]), payload.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("trailing characters"), "{error}");
    }
}
