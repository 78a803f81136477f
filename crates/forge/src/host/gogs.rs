//! [Gogs](https://gogs.io/docs/features/webhook): GitHub's payloads, except that only `create`
//! reports a tag, and only `delete` a deletion.

use std::borrow::Cow;

use contract::Trigger;
use http::HeaderMap;
use serde::Deserialize;

use super::{
    git_host::GitHost,
    gitea, github,
    message::{After, Change, Message},
    payload::{PayloadError, kind, parse},
};
use crate::delivery::Delivery;

const EVENT: &str = "x-gogs-event";

/// Gogs. It has no archive API.
#[derive(Debug)]
pub(super) struct Gogs;

impl GitHost for Gogs {
    fn name(&self) -> &'static str {
        "Gogs"
    }

    fn recognizes(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(EVENT)
    }

    fn delivery_id_headers(&self) -> &'static [&'static str] {
        &["x-gogs-delivery"]
    }

    fn signed<'d>(&self, delivery: &'d Delivery) -> Cow<'d, [u8]> {
        gitea::signed_json(delivery)
    }

    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError> {
        match kind(headers, EVENT) {
            "create" => parse::<Create>(self.name(), payload).map(Message::from),
            "delete" => parse::<gitea::Deletion>(self.name(), payload).map(gitea::Deletion::of_either),
            kind => github::read(self, kind, payload),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Create {
    #[serde(rename = "ref")]
    name: String,
    ref_type: String,
    #[serde(rename = "sha")]
    commit: Option<String>,
    repository: github::Repository,
}

impl From<Create> for Message {
    fn from(create: Create) -> Self {
        if create.ref_type != "tag" {
            return Self::Ignored(format!("a {} is covered by its push", create.ref_type));
        }
        let after = create.commit.map_or(After::Unknown, After::from);
        let change = Change { reference: format!("refs/tags/{}", create.name), after, summary: None };
        create.repository.pushed(change, Trigger::Push)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sender;

    fn read(kind: &str, payload: &Value) -> Message {
        Gogs.read(&sender::headers(&[(EVENT, kind)]), payload.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn tag_comes_from_create_event() {
        let mut payload = sender::github_push("v1.0", &"a".repeat(40));
        payload["ref_type"] = json!("tag");
        let Message::Push(pushed) = read("create", &payload) else { panic!("{payload}") };
        let change = Change { reference: "refs/tags/v1.0".to_owned(), after: After::Unknown, summary: None };
        assert_eq!(pushed.changes, [change]);
        payload["sha"] = json!("b".repeat(40));
        let Message::Push(pushed) = read("create", &payload) else { panic!("{payload}") };
        assert_eq!(pushed.changes[0].after, After::Object("b".repeat(40)));
    }

    #[test]
    fn branches_are_read_only_from_pushes() {
        let mut payload = sender::github_push("main", &"a".repeat(40));
        payload["ref_type"] = json!("branch");
        assert!(matches!(read("create", &payload), Message::Ignored(_)));
        assert!(matches!(read("push", &sender::ordinary_push()), Message::Push(_)));
    }

    #[test]
    fn deletion_comes_from_delete_event() {
        for (kind, reference) in [("branch", "refs/heads/v1"), ("tag", "refs/tags/v1")] {
            let mut payload = sender::github_push("v1", "");
            payload["ref_type"] = json!(kind);
            let Message::Push(pushed) = read("delete", &payload) else { panic!("{payload}") };
            let change = Change { reference: reference.to_owned(), after: After::Deleted, summary: None };
            assert_eq!(pushed.changes, [change]);
        }
        let mut payload = sender::github_push("v1", "");
        payload["ref_type"] = json!("commit");
        assert!(matches!(read("delete", &payload), Message::Ignored(_)));
    }
}
