//! Payloads of all hosts with a valid proof: whatever they contain, the result names an allowed
//! host, a valid repository and valid references, and gives small jobs.

use contract::{AllowedHosts, Job, KeyLayout};
use forge::{ArchiveApi, Endpoint, Event, Push};

use crate::sender::{self, HOSTS, SECRET};

/// The hosts' headers for kinds of events.
pub(crate) const KINDS: [(&str, &str); 20] = [
    ("x-github-event", "push"),
    ("x-github-event", "release"),
    ("x-github-event", "create"),
    ("x-github-event", "ping"),
    ("x-gitlab-event", "Push Hook"),
    ("x-gitlab-event", "Tag Push Hook"),
    ("x-gitlab-event", "Release Hook"),
    ("x-gitlab-event", "System Hook"),
    ("x-event-key", "repo:push"),
    ("x-event-key", "repo:refs_changed"),
    ("x-event-key", "diagnostics:ping"),
    ("x-gitea-event", "push"),
    ("x-gitea-event", "release"),
    ("x-forgejo-event", "push"),
    ("x-gogs-event", "push"),
    ("x-gogs-event", "create"),
    ("x-gogs-event", "release"),
    ("x-vss-subscriptionid", "1"),
    ("x-other-event", "push"),
    ("x-github-event", "deployment"),
];

/// Added to the kind's number: the payload is a form field.
pub(crate) const FORM: u8 = 0x40;
/// Added to the kind's number: the endpoint allows only some repositories and references.
const NARROW: u8 = 0x80;

/// The first byte chooses the sender and the format, the rest is the body.
pub fn events(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let (header, kind) = KINDS[usize::from(choice & 0x3f) % KINDS.len()];
    let media_type = if choice & FORM == 0 { "application/json" } else { "application/x-www-form-urlencoded" };
    let headers = [("content-type", media_type), (header, kind), ("x-git-token", SECRET)];
    let delivery = sender::delivery(body, &headers.map(|(name, value)| (name, value.as_bytes())));
    let narrow = choice & NARROW != 0;
    let endpoint = if narrow {
        Endpoint {
            repositories: "github.com/octo*/**,gitlab.com/**,!**/secret".parse().unwrap(),
            refs: "main,v*,!vile".parse().unwrap(),
            ..sender::endpoint()
        }
    } else {
        sender::endpoint()
    };
    match endpoint.receive(&delivery, &sender::secrets()) {
        Ok(Event::Push(push)) => check(&push, narrow),
        Ok(_) => {}
        Err(refusal) => {
            assert!(matches!(refusal.status(), 400 | 403 | 413 | 415), "{refusal:?}");
            assert!(refusal.public_text().chars().count() <= 400);
        }
    }
}

/// Checks the invariants of every push.
pub(crate) fn check(push: &Push, narrow: bool) {
    let hosts: AllowedHosts = HOSTS.parse().unwrap();
    let host = hosts.find(push.repository().host.as_str()).unwrap();
    assert!(!push.updates().is_empty());
    let path = &push.repository().path;
    assert!(!leads_astray(path.as_str()), "{path}");
    if narrow {
        let name = push.repository().to_string();
        assert!(name.starts_with("github.com/octo") || name.starts_with("gitlab.com/"), "{name}");
    }
    for job in push.jobs() {
        let json = serde_json::to_string(&job).unwrap();
        assert!(json.len() < 16 * 1024, "{} bytes", json.len());
        assert_eq!(serde_json::from_str::<Job>(&json).unwrap(), *job);
        for layout in KeyLayout::ALL {
            let key = job.artifact_key(layout, Some("main"));
            let prefix = layout.prefix(push.repository());
            assert!(key.len() <= 1024 && key.starts_with(&format!("{prefix}/")) && !leads_astray(&key), "{key}");
        }
        if let Some(kind) = host.kind {
            let api = ArchiveApi { host, kind };
            let of_commit = job.commit.as_ref().map(|commit| api.archive(path, commit));
            for url in of_commit.into_iter().chain([api.tip(path, &job.reference), api.default_branch(path).0]) {
                let visible = url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'#' | b'\\'));
                assert!(url.starts_with("https://") && visible && !url.contains("/../"), "{url}");
            }
        }
    }
}

/// Whether a path has a part that isn't a name. Git's names have no ASCII control characters, but
/// may have those above ASCII, which are ordinary characters to UTF-8 readers.
pub(crate) fn leads_astray(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "" | "." | "..")) || path.bytes().any(|byte| byte.is_ascii_control())
}
