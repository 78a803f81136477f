//! GitLab: [webhook events](https://docs.gitlab.com/user/project/integrations/webhook_events/) of
//! projects and groups, and [system hooks](https://docs.gitlab.com/administration/system_hooks/) of
//! an instance.

use contract::{HostKind, Trigger};
use http::HeaderMap;
use serde::Deserialize;

use super::{
    git_host::GitHost,
    message::{After, Change, Message, Origin, Pushed},
    payload::{PayloadError, kind, or_nothing, parse},
};

const EVENT: &str = "x-gitlab-event";

/// GitLab: gitlab.com or a self-hosted instance.
#[derive(Debug)]
pub(super) struct GitLab;

impl GitHost for GitLab {
    fn name(&self) -> &'static str {
        "GitLab"
    }

    fn kind(&self) -> Option<HostKind> {
        Some(HostKind::GitLab)
    }

    fn recognizes(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(EVENT)
    }

    /// The event's own ID comes last: hooks triggered by another hook's work share it.
    fn delivery_id_headers(&self) -> &'static [&'static str] {
        &["webhook-id", "idempotency-key", "x-gitlab-event-uuid"]
    }

    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError> {
        match kind(headers, EVENT) {
            "Push Hook" | "Tag Push Hook" => self.read_push(payload),
            "Release Hook" => parse::<Release>(self.name(), payload).map(Message::from),
            "System Hook" => self.read_system_hook(payload),
            kind => Ok(Message::Ignored(format!("nothing is archived for the event {kind:?}"))),
        }
    }
}

impl GitLab {
    fn read_push(&self, payload: &[u8]) -> Result<Message, PayloadError> {
        parse::<PushPayload>(self.name(), payload).map(|push| if push.is_test() { Message::Ping } else { push.into() })
    }

    /// A system hook has the same header for all its kinds. The payload says which one it is.
    fn read_system_hook(&self, payload: &[u8]) -> Result<Message, PayloadError> {
        match parse::<SystemHook>(self.name(), payload)?.kind().as_str() {
            "push" | "tag_push" => self.read_push(payload),
            kind => Ok(Message::Ignored(format!("nothing is archived for the system hook {kind:?}"))),
        }
    }
}

#[derive(Debug, Deserialize)]
struct SystemHook {
    event_name: Option<String>,
    object_kind: Option<String>,
}

impl SystemHook {
    fn kind(self) -> String {
        self.event_name.or(self.object_kind).unwrap_or_default()
    }
}

#[derive(Debug, Deserialize)]
struct PushPayload {
    #[serde(rename = "ref")]
    reference: String,
    before: Option<String>,
    after: String,
    checkout_sha: Option<String>,
    #[serde(default, deserialize_with = "or_nothing")]
    commits: Vec<Commit>,
    project: Project,
}

#[derive(Debug, Deserialize)]
struct Release {
    action: String,
    tag: String,
    commit: Option<Commit>,
    project: Project,
}

#[derive(Debug, Deserialize)]
struct Commit {
    id: String,
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Project {
    path_with_namespace: String,
    #[serde(default, deserialize_with = "or_nothing")]
    git_ssh_url: String,
    #[serde(default, deserialize_with = "or_nothing")]
    git_http_url: String,
}

impl Project {
    fn pushed(self, change: Change, trigger: Trigger) -> Message {
        Message::Push(Pushed {
            full_name: self.path_with_namespace,
            origin: Origin::Urls(vec![self.git_ssh_url, self.git_http_url]),
            changes: vec![change],
            trigger,
            delivery_id: None,
        })
    }
}

/// The project in test deliveries of system hooks and of projects without commits. The name is
/// [reserved](https://www.rfc-editor.org/rfc/rfc2606#section-3).
const SAMPLE: &str = "http://test.example.com/";

impl PushPayload {
    /// Whether the "Test" button sent it, which the payload doesn't say. The button sends [the last
    /// three
    /// commits](https://gitlab.com/gitlab-org/gitlab/-/blob/master/lib/gitlab/data_builder/push.rb)
    /// as a push from the third to the first. So the push starts at one of its own commits, which
    /// no real push does.
    fn is_test(&self) -> bool {
        let is_sample = self.project.git_http_url.starts_with(SAMPLE);
        let before = |before: &String| *before == self.after || self.commits.iter().any(|commit| commit.id == *before);
        is_sample || self.before.as_ref().is_some_and(before)
    }
}

impl From<PushPayload> for Message {
    /// For an annotated tag, `after` is the tag's ID and `checkout_sha` the commit's.
    fn from(push: PushPayload) -> Self {
        let head = push.checkout_sha.unwrap_or(push.after);
        let summary = push.commits.into_iter().find(|commit| commit.id == head).and_then(|commit| commit.message);
        push.project.pushed(Change { reference: push.reference, after: After::from(head), summary }, Trigger::Push)
    }
}

impl From<Release> for Message {
    fn from(release: Release) -> Self {
        if release.action != "create" {
            return Self::Ignored(format!(
                "a release is archived when it is created, not for the action {}",
                release.action
            ));
        }
        let reference = format!("refs/tags/{}", release.tag);
        let (after, summary) = match release.commit {
            Some(commit) => (After::from(commit.id), commit.message),
            None => (After::Unknown, None),
        };
        release.project.pushed(Change { reference, after, summary }, Trigger::Release)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sender;

    fn read(kind: &str, payload: &Value) -> Result<Message, PayloadError> {
        GitLab.read(&sender::headers(&[(EVENT, kind)]), payload.to_string().as_bytes())
    }

    fn push(after: &str) -> Value {
        json!({
            "object_kind": "push", "event_name": "push", "ref": "refs/heads/main",
            "before": "1".repeat(40), "after": after, "checkout_sha": after,
            "commits": [{ "id": "1", "message": "Older" }, { "id": after, "message": "Say hello" }],
            "project": {
                "path_with_namespace": "group/sub/hello", "default_branch": "main",
                "git_ssh_url": "git@gitlab.com:group/sub/hello.git",
                "git_http_url": "https://gitlab.com/group/sub/hello.git",
            },
            "repository": { "name": "hello" },
        })
    }

    #[test]
    fn push_and_tag_events_are_read() {
        for kind in ["Push Hook", "Tag Push Hook", "System Hook"] {
            let Message::Push(pushed) = read(kind, &push(&"b".repeat(40))).unwrap() else { panic!("{kind}") };
            assert_eq!(pushed.full_name, "group/sub/hello");
            let Origin::Urls(urls) = pushed.origin else { panic!("{kind}") };
            assert_eq!(urls, ["git@gitlab.com:group/sub/hello.git", "https://gitlab.com/group/sub/hello.git"]);
            assert_eq!(pushed.changes[0].after, After::Object("b".repeat(40)));
            assert_eq!(pushed.changes[0].summary.as_deref(), Some("Say hello"));
        }
    }

    #[test]
    fn the_test_button_is_a_ping() {
        let check = |payload: &Value| {
            for kind in ["Push Hook", "Tag Push Hook", "System Hook"] {
                assert_eq!(read(kind, payload).unwrap(), Message::Ping, "{kind} {payload}");
            }
        };
        let mut last_three = push(&"b".repeat(40));
        last_three["commits"][0]["id"] = last_three["before"].clone();
        check(&last_three);
        let mut only_one = push(&"b".repeat(40));
        only_one["before"] = only_one["after"].clone();
        check(&only_one);
        let mut sample = push(&"b".repeat(40));
        sample["project"]["git_http_url"] = json!("http://test.example.com/gitlab/gitlab.git");
        check(&sample);
    }

    #[test]
    fn created_release_becomes_its_tag() {
        let mut payload = push("");
        payload["tag"] = json!("v1");
        payload["action"] = json!("create");
        payload["commit"] = json!({ "id": "c".repeat(40), "message": "Release" });
        let Message::Push(pushed) = read("Release Hook", &payload).unwrap() else { panic!("{payload}") };
        assert_eq!((pushed.trigger, pushed.changes[0].reference.as_str()), (Trigger::Release, "refs/tags/v1"));
        assert_eq!(pushed.changes[0].after, After::Object("c".repeat(40)));
        payload["action"] = json!("update");
        assert!(matches!(read("Release Hook", &payload).unwrap(), Message::Ignored(_)));
    }

    #[test]
    fn null_id_means_deletion() {
        let mut payload = push(&"0".repeat(40));
        payload["checkout_sha"] = Value::Null;
        let Message::Push(pushed) = read("Push Hook", &payload).unwrap() else { panic!("not a push") };
        assert_eq!(pushed.changes[0].after, After::Deleted);
    }

    #[test]
    fn other_events_are_ignored() {
        for (kind, payload) in [
            ("Issue Hook", json!({})),
            ("System Hook", json!({ "event_name": "project_create" })),
            ("System Hook", json!({ "object_kind": "merge_request" })),
            ("System Hook", json!({ "event_name": "repository_update" })),
        ] {
            assert!(matches!(read(kind, &payload).unwrap(), Message::Ignored(_)), "{kind} {payload}");
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        let mut payload = push(&"b".repeat(40));
        payload["project"].as_object_mut().unwrap().remove("path_with_namespace");
        let error = read("Push Hook", &payload).unwrap_err().to_string();
        assert!(
            error.starts_with("GitLab's payload is invalid at `project`: missing field `path_with_namespace`"),
            "{error}"
        );
    }
}
