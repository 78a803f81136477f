//! GitHub and GitHub Enterprise Server:
//! [events and payloads](https://docs.github.com/en/webhooks/webhook-events-and-payloads).

use http::HeaderMap;
use serde::Deserialize;

use super::{After, Change, Host, Message, PayloadError, Pushed, kind, parse};

const EVENT: &str = "x-github-event";

/// GitHub, GitHub Enterprise Server, and whatever sends what they send.
#[derive(Debug)]
pub(super) struct GitHub;

impl Host for GitHub {
    fn name(&self) -> &'static str {
        "GitHub"
    }

    fn recognizes(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(EVENT)
    }

    fn delivery_id_headers(&self) -> &'static [&'static str] {
        &["x-github-delivery"]
    }

    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError> {
        match kind(headers, EVENT) {
            "push" => parse::<Push>(self, payload).map(Message::from),
            "ping" => Ok(Message::Ping),
            kind @ ("create" | "delete") => Ok(Message::Ignored(format!("{kind} comes with a push, which is heeded"))),
            kind => Ok(Message::Ignored(format!("nothing is archived for the event {kind:?}"))),
        }
    }
}

/// What a push says. Gitea and Gogs took the shape over.
#[derive(Debug, Deserialize)]
pub(super) struct Push {
    #[serde(rename = "ref")]
    reference: String,
    after: String,
    #[serde(default)]
    deleted: bool,
    repository: Repository,
}

#[derive(Debug, Deserialize)]
struct Repository {
    full_name: String,
    ssh_url: String,
    clone_url: Option<String>,
    default_branch: Option<String>,
}

impl From<Push> for Message {
    fn from(push: Push) -> Self {
        let after = if push.deleted { After::Deleted } else { After::from(push.after) };
        let repository = push.repository;
        Self::Push(Pushed {
            full_name: repository.full_name,
            clone_urls: [Some(repository.ssh_url), repository.clone_url].into_iter().flatten().collect(),
            default_branch: repository.default_branch,
            changes: vec![Change { reference: push.reference, after }],
        })
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
            clone_urls: vec![
                "git@github.com:octo-org/hello.git".to_owned(),
                "https://github.com/octo-org/hello.git".to_owned(),
            ],
            default_branch: Some("main".to_owned()),
            changes: vec![Change { reference: "refs/tags/v1".to_owned(), after: After::Object("a".repeat(40)) }],
        };
        assert_eq!(message, Message::Push(expected));
    }

    #[test]
    fn a_deletion_is_told_by_the_flag_or_the_null_id() {
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
        for kind in ["create", "delete", "release", "issues", ""] {
            assert!(matches!(read(kind, &json!([])).unwrap(), Message::Ignored(_)), "{kind}");
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
        check(&["ref"], "GitHub's payload doesn't fit at `.`: missing field `ref`");
        check(&["after"], "GitHub's payload doesn't fit at `.`: missing field `after`");
        check(&["repository"], "GitHub's payload doesn't fit at `.`: missing field `repository`");
        check(&["repository", "full_name"], "GitHub's payload doesn't fit at `repository`: missing field `full_name`");
        check(&["repository", "ssh_url"], "GitHub's payload doesn't fit at `repository`: missing field `ssh_url`");
    }

    #[test]
    fn a_field_of_another_type_is_named() {
        let mut payload = sender::github_push("refs/heads/main", &"a".repeat(40));
        payload["repository"]["ssh_url"] = json!(7);
        let error = read("push", &payload).unwrap_err().to_string();
        assert!(error.starts_with("GitHub's payload doesn't fit at `repository.ssh_url`: invalid type"), "{error}");
    }

    #[test]
    fn text_after_the_payload_is_refused() {
        let payload = sender::github_push("refs/heads/main", &"a".repeat(40)).to_string() + "{}";
        let error = GitHub.read(&sender::headers(&[(EVENT, "push")]), payload.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("trailing characters"), "{error}");
    }
}
