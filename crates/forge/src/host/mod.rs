//! The differences between Git hosts: how to recognise their deliveries, and where the payload has
//! what. Each host has its own file. A new one only needs an entry in [`HOSTS`].

mod azure;
mod bitbucket_cloud;
mod bitbucket_dc;
mod generic;
mod git_host;
mod gitea;
mod github;
mod gitlab;
mod gogs;
mod message;
mod payload;

use http::HeaderMap;

pub use self::{
    git_host::GitHost,
    message::{After, Change, Message, Origin, Pushed},
    payload::PayloadError,
};

/// All kinds of hosts in order of precedence. A host that also sends another's headers (as Gitea
/// does GitHub's) comes before that other. The last one accepts everything.
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
