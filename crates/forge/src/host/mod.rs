//! The differences between Git hosts: how to recognise their deliveries, and where the payload has
//! what. Each host has its own file. A new one only needs an entry in [`HOSTS`].

mod azure;
mod bitbucket_cloud;
mod bitbucket_dc;
mod generic;
mod gitea;
mod github;
mod gitlab;
mod gogs;

use std::{borrow::Cow, fmt};

use contract::{HostKind, Trigger};
use http::HeaderMap;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use crate::delivery::Delivery;

/// A kind of Git host.
pub trait Host: fmt::Debug + Sync {
    /// The product name, for display.
    fn name(&self) -> &'static str;

    /// The kind in `AllowedGitHosts`, if archives can be downloaded from it.
    fn kind(&self) -> Option<HostKind> {
        None
    }

    /// Whether a delivery with these headers is of this kind. [`HOSTS`] determines the order.
    fn recognizes(&self, headers: &HeaderMap) -> bool;

    /// Whether a payload is of this kind, for a host without a distinctive header. Called only for
    /// an authenticated payload if no host recognises the headers.
    fn recognizes_payload(&self, _payload: &[u8]) -> bool {
        false
    }

    /// The bytes that the delivery's signature covers: by default, the body as received.
    fn signed<'d>(&self, delivery: &'d Delivery) -> Cow<'d, [u8]> {
        Cow::Borrowed(&delivery.body)
    }

    /// The headers that may have the delivery's ID, best first.
    fn delivery_id_headers(&self) -> &'static [&'static str];

    /// Parses a delivery. `payload` is the JSON text of an authenticated body.
    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError>;
}

/// All kinds of hosts in order of precedence. A host that also sends another's headers (as Gitea
/// does GitHub's) comes before that other. The last one accepts everything.
pub const HOSTS: &[&dyn Host] = &[
    &gitlab::GitLab,
    &bitbucket_cloud::BitbucketCloud,
    &bitbucket_dc::BitbucketDataCenter,
    &gitea::FORGEJO,
    &gitea::GITEA,
    &gogs::Gogs,
    &github::GitHub,
    &azure::AzureDevOps,
    GENERIC,
];

const GENERIC: &dyn Host = &generic::Generic;

/// The kind of host that sent these headers.
pub(crate) fn detect(headers: &HeaderMap) -> &'static dyn Host {
    HOSTS.iter().copied().find(|host| host.recognizes(headers)).unwrap_or(GENERIC)
}

/// The kind of host that sent these headers and this authenticated payload.
pub(crate) fn detect_with_payload(headers: &HeaderMap, payload: &[u8]) -> &'static dyn Host {
    let named = HOSTS.iter().copied().find(|host| host.recognizes(headers));
    let unnamed = || HOSTS.iter().copied().find(|host| host.recognizes_payload(payload));
    named.filter(|host| host.name() != GENERIC.name()).or_else(unnamed).unwrap_or(GENERIC)
}

/// The content of a delivery. Nothing in it has been validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// References of a repository changed.
    Push(Pushed),
    /// A ping: the sender tests the webhook.
    Ping,
    /// An event that creates no zip, with the reason.
    Ignored(String),
}

/// References of a repository changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The repository's full name, `owner/name`.
    pub full_name: String,
    /// Where it is, by the payload.
    pub origin: Origin,
    /// What changed.
    pub changes: Vec<Change>,
    /// What triggered it.
    pub trigger: Trigger,
    /// The delivery's ID, if the payload has it and no header.
    pub delivery_id: Option<String>,
}

/// What a payload says about a repository's location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The URLs to clone or view it: each has the repository's full name as its path. The first one
    /// determines the host to fetch from.
    Urls(Vec<String>),
    /// Only the host: the paths of its URLs aren't repository names.
    Host(String),
    /// Nothing: it must be the only allowed host of its kind.
    Unsaid,
}

/// A reference changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its full name.
    pub reference: String,
    /// What it names now.
    pub after: After,
    /// The message of that commit, if the payload has it.
    pub summary: Option<String>,
}

/// What a reference names after a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// The object with this ID.
    Object(String),
    /// The sender doesn't say.
    Unknown,
    /// Nothing: it was deleted.
    Deleted,
}

impl From<String> for After {
    /// The null ID means that the reference was deleted.
    fn from(id: String) -> Self {
        if !id.is_empty() && id.bytes().all(|digit| digit == b'0') { Self::Deleted } else { Self::Object(id) }
    }
}

/// A payload doesn't match the format of its kind.
#[derive(Debug, thiserror::Error)]
#[error("{host}'s payload is invalid at `{path}`: {reason}")]
pub struct PayloadError {
    /// The kind of host.
    host: &'static str,
    /// The path of the field, such as `repository.full_name`. `.` is the payload itself.
    path: String,
    /// What is wrong, such as a missing field and its name.
    reason: String,
}

/// Parses the part of a payload that `T` describes.
fn parse<T: DeserializeOwned>(host: &dyn Host, payload: &[u8]) -> Result<T, PayloadError> {
    let error =
        |path: String, error: serde_json::Error| PayloadError { host: host.name(), path, reason: error.to_string() };
    let mut json = serde_json::Deserializer::from_slice(payload);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|failure| error(failure.path().to_string(), failure.into_inner()))?;
    json.end().map_err(|failure| error(".".to_owned(), failure))?;
    Ok(value)
}

/// Reads `null` as the default, such as an empty list. Some hosts write `null` where others omit
/// the field.
fn or_nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(value: D) -> Result<T, D::Error> {
    Option::deserialize(value).map(Option::unwrap_or_default)
}

/// The header with the kind of event.
fn kind<'h>(headers: &'h HeaderMap, header: &str) -> &'h str {
    headers.get(header).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sender::headers;

    #[test]
    fn host_is_recognized_by_headers() {
        for (sent, name) in [
            (&[("X-GitHub-Event", "push")][..], "GitHub"),
            (&[("X-Gitlab-Event", "Push Hook")], "GitLab"),
            (&[("X-Gitlab-Event", "Push Hook"), ("X-GitHub-Event", "push")], "GitLab"),
            (&[("X-Event-Key", "repo:push")], "Bitbucket Cloud"),
            (&[("X-Event-Key", "repo:refs_changed")], "Bitbucket Data Center"),
            (&[("X-Event-Key", "diagnostics:ping")], "Bitbucket Data Center"),
            (&[("X-Gogs-Event", "push"), ("X-Gitea-Event", "push"), ("X-GitHub-Event", "push")], "Gitea"),
            (&[("X-Forgejo-Event", "push"), ("X-Gitea-Event", "push"), ("X-Gogs-Event", "push")], "Forgejo"),
            (&[("X-Gogs-Event", "push")], "Gogs"),
            (&[("X-Git-Token", "x")], "generic"),
            (&[], "generic"),
        ] {
            assert_eq!(detect(&headers(sent)).name(), name, "{sent:?}");
        }
    }

    #[test]
    fn only_last_host_accepts_everything() {
        let (last, others) = HOSTS.split_last().unwrap();
        assert!(last.recognizes(&HeaderMap::new()));
        for (index, host) in others.iter().enumerate() {
            assert!(!host.recognizes(&HeaderMap::new()), "{}", host.name());
            assert!(HOSTS[index + 1..].iter().all(|other| other.name() != host.name()), "{}", host.name());
        }
    }

    #[test]
    fn both_null_ids_mean_deletion() {
        assert_eq!(After::from("0".repeat(40)), After::Deleted);
        assert_eq!(After::from("0".repeat(64)), After::Deleted);
        assert_eq!(After::from("0a".to_owned()), After::Object("0a".to_owned()));
        assert_eq!(After::from(String::new()), After::Object(String::new()));
    }

    const KINDS: [&str; 8] =
        ["push", "create", "release", "Push Hook", "System Hook", "Release Hook", "repo:push", "repo:refs_changed"];

    /// JSON that resembles a payload.
    fn json() -> impl Strategy<Value = String> {
        let text = "(ref|after|deleted|repository|project|full_name|ssh_url|object_kind|[{}\\[\\]:,\"0-9 a-z]){0,40}";
        prop_oneof![text, any::<String>()]
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload in json(), bytes: Vec<u8>) {
            for host in HOSTS {
                for kind in KINDS {
                    let headers = headers(&[
                        ("X-GitHub-Event", kind), ("X-Gitlab-Event", kind), ("X-Event-Key", kind),
                        ("X-Gitea-Event", kind), ("X-Forgejo-Event", kind), ("X-Gogs-Event", kind),
                    ]);
                    host.recognizes_payload(&bytes);
                    drop(host.read(&headers, payload.as_bytes()));
                    drop(host.read(&headers, &bytes));
                }
            }
        }
    }
}
