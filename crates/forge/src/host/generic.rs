//! Any other sender: a custom `post-receive` hook, or an unsupported host. It sends a part of
//! GitHub's push payload: `ref`, `after`, `repository.full_name` (or `name`) and
//! `repository.ssh_url` or `repository.clone_url`.

use contract::Trigger;
use http::HeaderMap;
use serde::Deserialize;

use super::{
    git_host::GitHost,
    message::{After, Change, Message, Origin, Pushed},
    payload::{PayloadError, or_nothing, parse},
};

/// A sender without a distinctive header.
#[derive(Debug)]
pub(super) struct Generic;

impl GitHost for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }

    fn recognizes(&self, _: &HeaderMap) -> bool {
        true
    }

    fn delivery_id_headers(&self) -> &'static [&'static str] {
        &[]
    }

    fn read(&self, _: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError> {
        parse::<PushPayload>(self.name(), payload).map(Message::from)
    }
}

#[derive(Debug, Deserialize)]
struct PushPayload {
    #[serde(rename = "ref")]
    reference: String,
    after: Option<String>,
    #[serde(default, deserialize_with = "or_nothing")]
    deleted: bool,
    repository: Repository,
}

/// `name` is required only without `full_name`, so that is tried first.
#[derive(Debug, Deserialize)]
struct Repository {
    full_name: Option<String>,
    #[serde(default, deserialize_with = "or_nothing")]
    name: String,
    #[serde(default, deserialize_with = "or_nothing")]
    ssh_url: String,
    #[serde(default, deserialize_with = "or_nothing")]
    clone_url: String,
}

impl From<PushPayload> for Message {
    fn from(push: PushPayload) -> Self {
        let after = match push.after {
            _ if push.deleted => After::Deleted,
            Some(id) => After::from(id),
            None => After::Unknown,
        };
        let repository = push.repository;
        Self::Push(Pushed {
            full_name: repository.full_name.unwrap_or(repository.name),
            origin: Origin::Urls(vec![repository.ssh_url, repository.clone_url]),
            changes: vec![Change { reference: push.reference, after, summary: None }],
            trigger: Trigger::Push,
            delivery_id: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(payload: &Value) -> Pushed {
        match Generic.read(&HeaderMap::new(), payload.to_string().as_bytes()).unwrap() {
            Message::Push(pushed) => pushed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn minimal_payload_is_enough() {
        let pushed = read(&json!({
            "ref": "refs/heads/main", "after": null, "deleted": null,
            "repository": { "name": "hello", "full_name": null, "ssh_url": "ssh://git@git.example/hello.git" },
        }));
        assert_eq!(pushed.full_name, "hello");
        let change = Change { reference: "refs/heads/main".to_owned(), after: After::Unknown, summary: None };
        assert_eq!(pushed.changes, [change]);
    }

    #[test]
    fn either_url_is_enough() {
        let pushed = read(&json!({
            "ref": "refs/heads/main",
            "repository": { "full_name": "octo/hello", "clone_url": "https://git.example/octo/hello.git" },
        }));
        let urls = ["", "https://git.example/octo/hello.git"].map(str::to_owned).to_vec();
        assert_eq!(pushed.origin, Origin::Urls(urls));
    }

    #[test]
    fn full_name_precedes_name() {
        let pushed = read(&json!({
            "ref": "refs/heads/main", "after": "0".repeat(40),
            "repository": { "name": "hello", "full_name": "octo/hello", "ssh_url": "git@git.example:octo/hello.git" },
        }));
        assert_eq!(pushed.full_name, "octo/hello");
        assert_eq!(pushed.changes[0].after, After::Deleted);
    }

    #[test]
    fn a_missing_field_is_named() {
        let payload = json!({ "repository": { "name": "hello" } }).to_string();
        let error = Generic.read(&HeaderMap::new(), payload.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("generic's payload is invalid at `.`: missing field `ref`"), "{error}");
    }
}
