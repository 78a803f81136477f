//! What differs from one Git host to another: how its deliveries are recognised, and where in a
//! payload the facts stand. One file a host; a new one needs an entry in [`HOSTS`] and nothing
//! else.

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
pub trait GitHost: fmt::Debug + Sync {
    /// Its name, as people write it.
    fn name(&self) -> &'static str;

    /// What a host of this kind is called in `AllowedGitHosts`, where archives can be downloaded
    /// from it.
    fn kind(&self) -> Option<HostKind> {
        None
    }

    /// Whether a delivery with these headers is of this kind. Others may have been asked before,
    /// see [`HOSTS`].
    fn recognizes(&self, headers: &HeaderMap) -> bool;

    /// Whether a payload is of this kind, for a host without a header of its own. Only asked when
    /// no host recognises the headers, and of an authenticated payload.
    fn recognizes_payload(&self, _payload: &[u8]) -> bool {
        false
    }

    /// The bytes of a delivery that its signature is of: the body as it came, unless the host does
    /// otherwise.
    fn signed<'d>(&self, delivery: &'d Delivery) -> Cow<'d, [u8]> {
        Cow::Borrowed(&delivery.body)
    }

    /// The headers that may hold the delivery's id, the best first.
    fn delivery_id_headers(&self) -> &'static [&'static str];

    /// What a delivery says, as it says it. `payload` is the JSON text, from an authenticated body.
    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError>;
}

/// All kinds of hosts in the order in which they are asked, so that one that also sends another's
/// headers (as Gitea does GitHub's) comes before that other. The last one recognises everything.
pub const HOSTS: &[&dyn GitHost] = &[
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

const GENERIC: &dyn GitHost = &generic::Generic;

/// The kind of host that sent these headers.
pub(crate) fn detect(headers: &HeaderMap) -> &'static dyn GitHost {
    HOSTS.iter().copied().find(|host| host.recognizes(headers)).unwrap_or(GENERIC)
}

/// The kind of host that sent this authenticated payload with headers that name `detected`, or no
/// host.
pub(crate) fn detect_by_payload(detected: &'static dyn GitHost, payload: &[u8]) -> &'static dyn GitHost {
    if detected.name() != GENERIC.name() {
        return detected;
    }
    HOSTS.iter().copied().find(|host| host.recognizes_payload(payload)).unwrap_or(GENERIC)
}

/// What a delivery says, in the sender's words: nothing in it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// References of a repository changed.
    Push(Pushed),
    /// The sender tries out whether it is heard.
    Ping,
    /// Something that concerns no archive, and what it is.
    Ignored(String),
}

/// References of a repository changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The repository's own name, `owner/name`.
    pub full_name: String,
    /// What the payload says of where it is.
    pub origin: Origin,
    /// What changed.
    pub changes: Vec<Change>,
    /// What happened to it.
    pub trigger: Trigger,
    /// The delivery's id, where it stands in the payload and in no header.
    pub delivery_id: Option<String>,
}

/// What a payload says of where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The URLs by which it can be cloned or looked at: each has the repository's full name for a
    /// path. The first one tells the host to fetch from.
    Urls(Vec<String>),
    /// The host; the paths of this host's URLs aren't the repositories' names.
    Host(String),
    /// Nothing: it can only be the one allowed host of that kind.
    Unsaid,
}

/// A reference changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its full name.
    pub reference: String,
    /// What it names now.
    pub after: After,
    /// The message of the commit that it names now, where the payload has it.
    pub summary: Option<String>,
}

/// What a reference names after a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// The object with this id.
    Object(String),
    /// The sender doesn't tell.
    Unknown,
    /// Nothing: it was deleted.
    Deleted,
}

impl From<String> for After {
    /// The null id means that the reference was deleted.
    fn from(id: String) -> Self {
        if !id.is_empty() && id.bytes().all(|digit| digit == b'0') { Self::Deleted } else { Self::Object(id) }
    }
}

/// A payload doesn't say what a payload of its kind says.
#[derive(Debug, thiserror::Error)]
#[error("{host}'s payload doesn't fit at `{path}`: {reason}")]
pub struct PayloadError {
    /// The kind of host that the headers announced.
    host: &'static str,
    /// Where in the payload, such as `repository.full_name`; `.` is the payload itself.
    path: String,
    /// What is wrong there, such as a missing field and its name.
    reason: String,
}

/// Reads the part of a payload that `T` describes.
fn parse<T: DeserializeOwned>(host: &dyn GitHost, payload: &[u8]) -> Result<T, PayloadError> {
    let error =
        |path: String, error: serde_json::Error| PayloadError { host: host.name(), path, reason: error.to_string() };
    let mut json = serde_json::Deserializer::from_slice(payload);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|failure| error(failure.path().to_string(), failure.into_inner()))?;
    json.end().map_err(|failure| error(".".to_owned(), failure))?;
    Ok(value)
}

/// Reads `null` as nothing: an empty list, an object without members. Some hosts write so what
/// others leave out.
fn or_nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(value: D) -> Result<T, D::Error> {
    Option::deserialize(value).map(Option::unwrap_or_default)
}

/// The header of a host that says what kind of event a delivery is.
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

    /// JSON that looks a little like a payload.
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
