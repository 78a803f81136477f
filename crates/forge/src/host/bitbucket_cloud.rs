//! Bitbucket Cloud: [event
//! payloads](https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/). One push may
//! change several references.

use contract::{HostKind, Trigger};
use http::HeaderMap;
use serde::Deserialize;

use super::{
    git_host::GitHost,
    message::{After, Change, Message, Origin, Pushed},
    payload::{PayloadError, kind, or_nothing, parse},
};

const EVENT: &str = "x-event-key";
/// Data Center has the same header with other values.
const PUSH: &str = "repo:push";

/// Bitbucket Cloud.
#[derive(Debug)]
pub(super) struct BitbucketCloud;

impl GitHost for BitbucketCloud {
    fn name(&self) -> &'static str {
        "Bitbucket Cloud"
    }

    fn kind(&self) -> Option<HostKind> {
        Some(HostKind::Bitbucket)
    }

    /// Every delivery of Cloud has the ID of its hook, and none of Data Center's does.
    fn recognizes(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(EVENT) && (headers.contains_key("x-hook-uuid") || kind(headers, EVENT) == PUSH)
    }

    fn delivery_id_headers(&self) -> &'static [&'static str] {
        &["x-request-uuid"]
    }

    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError> {
        match kind(headers, EVENT) {
            PUSH => parse::<Payload>(self.name(), payload).map(Message::from),
            kind => Ok(Message::Ignored(format!("nothing is archived for the event {kind:?}"))),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Payload {
    push: PushPayload,
    repository: Repository,
}

#[derive(Debug, Deserialize)]
struct PushPayload {
    #[serde(deserialize_with = "or_nothing")]
    changes: Vec<RefChange>,
}

/// `new` is null for a deletion. Then `old` names what was deleted.
#[derive(Debug, Deserialize)]
struct RefChange {
    old: Option<Ref>,
    new: Option<Ref>,
}

#[derive(Debug, Deserialize)]
struct Ref {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    target: Target,
}

#[derive(Debug, Deserialize)]
struct Target {
    hash: String,
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Repository {
    full_name: String,
}

impl Ref {
    fn full_name(&self) -> String {
        match self.kind.as_str() {
            "branch" => format!("refs/heads/{}", self.name),
            "tag" => format!("refs/tags/{}", self.name),
            kind => format!("refs/{kind}/{}", self.name),
        }
    }
}

impl RefChange {
    fn change(self) -> Option<Change> {
        match (self.new, self.old) {
            (Some(new), _) => {
                let reference = new.full_name();
                Some(Change { reference, after: After::from(new.target.hash), summary: new.target.message })
            }
            (None, Some(old)) => Some(Change { reference: old.full_name(), after: After::Deleted, summary: None }),
            (None, None) => None,
        }
    }
}

impl From<Payload> for Message {
    fn from(payload: Payload) -> Self {
        let repository = payload.repository;
        Self::Push(Pushed {
            full_name: repository.full_name,
            // There is only one Cloud host, and the payload has no clone URL.
            origin: Origin::Unsaid,
            changes: payload.push.changes.into_iter().filter_map(RefChange::change).collect(),
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

    fn reference(kind: &str, name: &str) -> Value {
        json!({ "type": kind, "name": name, "target": { "hash": "a".repeat(40), "message": "Say hello\n" } })
    }

    fn push(changes: &Value) -> Value {
        json!({
            "push": { "changes": changes },
            "repository": {
                "full_name": "octo/hello", "links": { "html": { "href": "https://bitbucket.org/octo/hello" } },
            },
        })
    }

    fn read(payload: &Value) -> Result<Message, PayloadError> {
        BitbucketCloud.read(&sender::headers(&[(EVENT, PUSH)]), payload.to_string().as_bytes())
    }

    #[test]
    fn every_change_of_push_is_read() {
        let changes = json!([
            { "new": reference("branch", "feature/a"), "old": null, "closed": false },
            { "new": reference("tag", "v1"), "old": null },
            { "new": null, "old": reference("branch", "old"), "closed": true },
            { "new": reference("named_branch", "hg"), "old": null },
        ]);
        let Message::Push(pushed) = read(&push(&changes)).unwrap() else { panic!("not a push") };
        assert_eq!((pushed.origin, pushed.full_name.as_str()), (Origin::Unsaid, "octo/hello"));
        let change = |reference: &str, after: &After, summary: Option<&str>| Change {
            reference: reference.to_owned(),
            after: after.clone(),
            summary: summary.map(str::to_owned),
        };
        let commit = After::Object("a".repeat(40));
        assert_eq!(
            pushed.changes,
            [
                change("refs/heads/feature/a", &commit, Some("Say hello\n")),
                change("refs/tags/v1", &commit, Some("Say hello\n")),
                change("refs/heads/old", &After::Deleted, None),
                change("refs/named_branch/hg", &commit, Some("Say hello\n")),
            ]
        );
    }

    #[test]
    fn a_null_list_has_no_reference() {
        let Message::Push(pushed) = read(&push(&Value::Null)).unwrap() else { panic!("not a push") };
        assert!(pushed.changes.is_empty());
    }

    #[test]
    fn a_missing_field_is_named() {
        let mut payload = push(&json!([{ "new": { "type": "branch", "name": "main" } }]));
        let error = read(&payload).unwrap_err().to_string();
        let expected = "Bitbucket Cloud's payload is invalid at `push.changes[0].new`: missing field `target`";
        assert!(error.starts_with(expected), "{error}");
        payload["repository"].as_object_mut().unwrap().remove("full_name");
        payload["push"]["changes"] = json!([]);
        let error = read(&payload).unwrap_err().to_string();
        assert!(error.contains("at `repository`: missing field `full_name`"), "{error}");
    }

    #[test]
    fn other_events_are_ignored() {
        let headers = sender::headers(&[(EVENT, "repo:fork"), ("X-Hook-UUID", "u")]);
        assert!(BitbucketCloud.recognizes(&headers));
        assert!(matches!(BitbucketCloud.read(&headers, b"{}").unwrap(), Message::Ignored(_)));
    }
}
