//! [Gitea](https://docs.gitea.com/usage/webhooks) and its fork
//! [Forgejo](https://forgejo.org/docs/latest/user/webhooks/). Both send GitHub's payloads, and
//! GitHub's and each other's headers besides their own.

use std::borrow::Cow;

use contract::{HostKind, Trigger};
use http::HeaderMap;
use serde::Deserialize;

use super::{
    git_host::GitHost,
    github,
    message::{After, Change, Message},
    payload::{PayloadError, kind, parse},
};
use crate::{content, delivery::Delivery};

/// Gitea or a fork. Only the names of the headers differ.
#[derive(Debug)]
pub(super) struct Gitea {
    name: &'static str,
    event: &'static str,
    delivery: &'static [&'static str],
}

/// Gitea itself.
pub(super) const GITEA: Gitea = Gitea { name: "Gitea", event: "x-gitea-event", delivery: &["x-gitea-delivery"] };

/// Forgejo: codeberg.org or a self-hosted instance.
pub(super) const FORGEJO: Gitea =
    Gitea { name: "Forgejo", event: "x-forgejo-event", delivery: &["x-forgejo-delivery"] };

impl GitHost for Gitea {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> Option<HostKind> {
        Some(HostKind::Gitea)
    }

    fn recognizes(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(self.event)
    }

    fn delivery_id_headers(&self) -> &'static [&'static str] {
        self.delivery
    }

    fn signed<'d>(&self, delivery: &'d Delivery) -> Cow<'d, [u8]> {
        signed_json(delivery)
    }

    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError> {
        match kind(headers, self.event) {
            "delete" => parse::<Deletion>(self.name, payload).map(Deletion::of_branch),
            kind => github::read(self, kind, payload),
        }
    }
}

/// The event `delete`, which only Gogs sends instead of a push for tags, too.
#[derive(Debug, Deserialize)]
pub(super) struct Deletion {
    /// The short name.
    #[serde(rename = "ref")]
    name: String,
    ref_type: String,
    repository: github::Repository,
}

impl Deletion {
    /// The deletion of a branch, which Gitea [doesn't report as a
    /// push](https://github.com/go-gitea/gitea/blob/v1.24.0/services/repository/push.go). A tag's
    /// is a push, too.
    fn of_branch(self) -> Message {
        match self.ref_type.as_str() {
            "branch" => self.of_either(),
            kind => Message::Ignored(format!("the deletion of a {kind} is covered by its push")),
        }
    }

    /// The deletion of a branch or a tag.
    pub(super) fn of_either(self) -> Message {
        let folder = match self.ref_type.as_str() {
            "branch" => "heads",
            "tag" => "tags",
            kind => return Message::Ignored(format!("{kind:?} is neither a branch nor a tag")),
        };
        let reference = format!("refs/{folder}/{}", self.name);
        self.repository.pushed(Change { reference, after: After::Deleted, summary: None }, Trigger::Push)
    }
}

/// The JSON, even if it is sent as a form field: Gitea, Forgejo and Gogs sign the JSON. A body
/// without JSON can't have their signature.
pub(super) fn signed_json(delivery: &Delivery) -> Cow<'_, [u8]> {
    content::payload(delivery).unwrap_or(Cow::Borrowed(&delivery.body))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sender;

    #[test]
    fn the_test_button_is_a_ping() {
        // In a repository without commits, both IDs are null.
        for id in ["a", "0"] {
            let mut test = sender::github_push("refs/heads/main", &id.repeat(40));
            test["before"] = test["after"].clone();
            for host in [GITEA, FORGEJO] {
                let headers = sender::headers(&[(host.event, "push")]);
                assert_eq!(host.read(&headers, test.to_string().as_bytes()).unwrap(), Message::Ping);
            }
            let headers = sender::headers(&[("X-Gogs-Event", "push")]);
            assert_eq!(super::super::gogs::Gogs.read(&headers, test.to_string().as_bytes()).unwrap(), Message::Ping);
        }
    }

    #[test]
    fn pushes_and_releases_are_githubs() {
        for host in [GITEA, FORGEJO] {
            let read = |kind: &str, payload: &serde_json::Value| {
                host.read(&sender::headers(&[(host.event, kind)]), payload.to_string().as_bytes()).unwrap()
            };
            assert!(matches!(read("push", &sender::ordinary_push()), Message::Push(_)));
            let mut release = sender::ordinary_push();
            release["action"] = json!("published");
            release["release"] = json!({ "tag_name": "v1" });
            assert!(matches!(read("release", &release), Message::Push(_)));
            for kind in ["create", "fork", "issues"] {
                assert!(matches!(read(kind, &json!({})), Message::Ignored(_)), "{kind}");
            }
        }
    }

    #[test]
    fn deletion_comes_from_either_event() {
        let mut payload = sender::github_push("a/b", "");
        payload["ref_type"] = json!("branch");
        payload["pusher_type"] = json!("user");
        for host in [GITEA, FORGEJO] {
            let read = |kind: &str, payload: &serde_json::Value| {
                host.read(&sender::headers(&[(host.event, kind)]), payload.to_string().as_bytes()).unwrap()
            };
            let deleted = |message: Message| match message {
                Message::Push(pushed) => pushed.changes,
                other => panic!("{other:?}"),
            };
            let change =
                |reference: &str| [Change { reference: reference.to_owned(), after: After::Deleted, summary: None }];
            assert_eq!(deleted(read("delete", &payload)), change("refs/heads/a/b"));
            // A tag's comes as a push, too: one of them is enough.
            let mut tag = sender::github_push("refs/tags/v1", &"0".repeat(40));
            tag["head_commit"] = json!(null);
            assert_eq!(deleted(read("push", &tag)), change("refs/tags/v1"));
            let mut of_tag = payload.clone();
            of_tag["ref_type"] = json!("tag");
            assert!(matches!(read("delete", &of_tag), Message::Ignored(_)));
        }
    }

    #[test]
    fn missing_field_error_names_forgejo() {
        let error = FORGEJO.read(&sender::headers(&[(FORGEJO.event, "push")]), b"{}").unwrap_err().to_string();
        assert!(error.starts_with("Forgejo's payload is invalid at `.`: missing field `ref`"), "{error}");
    }

    #[test]
    fn form_signature_covers_its_json() {
        let mut delivery = Delivery::new("d".parse().unwrap(), b"payload=%7B%7D&secret=".to_vec());
        delivery.headers = sender::headers(&[("content-type", "application/x-www-form-urlencoded")]);
        assert_eq!(*GITEA.signed(&delivery), *b"{}");
        delivery.headers = sender::headers(&[("content-type", "application/json")]);
        assert_eq!(*GITEA.signed(&delivery), *delivery.body);
    }
}
