//! The same actions by an independent client, gfo, lead to the same state, and each client
//! understands and removes what the other made.

use std::path::Path;
use std::process::Command;

use contract::HostKind;
use host_api::NewDeployKey;
use local::host_api::{Hook, Key, TOKEN};
use serde_json::{Value, json};

use crate::{Hosts, KEY, SECRET, URL, owner, settings};

/// GitHub permits each key once.
const OTHER_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEdmb0dmb0dmb0dmb0dmb0dmb0dmb0dmb0dmb0dmb0dm";

/// The hosts that gfo manages, its names of them, and of the events.
const SERVICES: [(HostKind, &str, &str, &[&str]); 4] = [
    (HostKind::GitHub, "github", "/api/v3", &["push", "release"]),
    (HostKind::GitLab, "gitlab", "/api/v4", &["push", "tag_push", "releases"]),
    (HostKind::Bitbucket, "bitbucket", "/2.0", &["repo:push"]),
    (HostKind::Gitea, "gitea", "/api/v1", &["push", "delete", "release"]),
];

/// Runs gfo for a repository. Returns the keys and webhooks that it then sees.
async fn gfo(hosts: &Hosts, at: (HostKind, &str, &str), name: &str, arguments: &[&str]) -> Value {
    let (kind, service, prefix) = at;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.parent().unwrap().join(".tools/gfo/bin/python3");
    assert!(python.is_file(), "{}: run .ci/tools tests", python.display());
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &hosts.apis.ca).unwrap();
    let entry = hosts.apis.entry(kind);
    let web = entry.split_whitespace().find_map(|word| word.strip_prefix("web=")).unwrap();
    let token = if kind == HostKind::Bitbucket { format!("person@example.org:{TOKEN}") } else { TOKEN.to_owned() };
    let mut command = Command::new(python);
    command.arg(root.join("tests/host_api/manage.py")).args([service, &format!("{web}{prefix}"), owner(kind), name]);
    command.args(arguments).env("HOST_TOKEN", token).env("REQUESTS_CA_BUNDLE", &ca).env("HOME", folder.path());
    // The stand-ins run in this process.
    let out = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(out.status.success(), "{kind}: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// What must be the same: all but identifiers, the key, and GitLab's and Gitea's filter for all
/// branches, which has several spellings.
fn state(hosts: &Hosts, kind: HostKind, name: &str) -> (Vec<Key>, Vec<Hook>) {
    let mut state = hosts.apis.state(kind);
    let one = state.find(&format!("{}/{name}", owner(kind))).unwrap();
    let keys = one.keys.iter().map(|key| Key { id: 0, key: String::new(), ..key.clone() });
    let hooks = one.hooks.iter().map(|hook| {
        let mut events = hook.events.clone();
        events.sort();
        let sent = hook.sent.iter().map(|sent| local::host_api::Sent { id: 0, ..sent.clone() }).collect();
        Hook { id: 0, events, branches: String::new(), sent, ..hook.clone() }
    });
    (keys.collect(), hooks.collect())
}

#[tokio::test]
async fn independent_client_reaches_same_state() {
    let hosts = Hosts::start().await;
    for (kind, service, prefix, events) in SERVICES {
        let (ours, theirs) = (hosts.add(kind, "ours"), hosts.add(kind, "theirs"));
        let at = (kind, service, prefix);
        let api = hosts.api(kind);
        api.add_deploy_key(&ours, &NewDeployKey { title: "git2s3".to_owned(), key: KEY.parse().unwrap() })
            .await
            .unwrap();
        let hook = api.create_webhook(&ours, &settings()).await.unwrap();
        api.test_webhook(&ours, &hook).await.unwrap();

        let add = [&["add", OTHER_KEY, URL, SECRET], events].concat();
        let seen = gfo(&hosts, at, "theirs", &add).await;
        assert_eq!(seen, json!({ "keys": [["git2s3", OTHER_KEY, true]], "hooks": [[URL, true]] }), "{kind}");
        assert_eq!(state(&hosts, kind, "theirs"), state(&hosts, kind, "ours"), "{kind}");

        // Each reads and removes what the other made.
        let seen = gfo(&hosts, at, "ours", &["list"]).await;
        assert_eq!(seen, json!({ "keys": [["git2s3", KEY, true]], "hooks": [[URL, true]] }), "{kind}");
        let keys = api.deploy_keys(&theirs).await.unwrap();
        assert_eq!(keys[0].key.to_string(), OTHER_KEY, "{kind}");
        api.remove_deploy_key(&theirs, &keys[0].id).await.unwrap();
        let hooks = api.webhooks(&theirs).await.unwrap();
        assert_eq!(hooks[0].faults(&hooks[0].events), [], "{kind}");
        api.delete_webhook(&theirs, &hooks[0].id).await.unwrap();
        gfo(&hosts, at, "ours", &["remove"]).await;
        for name in ["ours", "theirs"] {
            assert_eq!(state(&hosts, kind, name), (Vec::new(), Vec::new()), "{kind}: {name}");
        }
    }
}
