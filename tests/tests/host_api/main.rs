//! The management APIs of the Git hosts: our client and the stand-ins, each compared with the
//! published specifications.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails a test")]

mod gfo;
mod github_app;
mod spec;
mod statuses;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::{AllowedHosts, HostKind, RepositoryPath};
use host_api::{
    Access, Clock, Content, Event, HostApi, HostApiError, NewDeployKey, Pause, SecretState, Tested, Webhook,
    WebhookFault, WebhookSettings,
};
use https::Method;
use local::host_api::{Exchange, Fault, HostApis, TOKEN};
use secrecy::SecretString;
use serde_json::Value;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBb3Yp1Kf3Cq7e0w0bVJzDqgE3n6V1y5lq0l5vY3c9Xw";
const URL: &str = "https://git2s3.example.com/Prod/gitpull";
const SECRET: &str = "the secret of the webhook";

/// A clock that doesn't wait, and remembers how long it should have waited.
#[derive(Debug, Default)]
struct Watch(Mutex<(Duration, Vec<(Duration, Pause)>)>);

impl Clock for Watch {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().0
    }

    fn wait(&self, time: Duration, why: Pause) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut state = self.0.lock().unwrap();
        state.0 += time;
        state.1.push((time, why));
        Box::pin(std::future::ready(()))
    }
}

impl Watch {
    /// The waits in seconds for this reason.
    fn waits(&self, reason: Pause) -> Vec<u64> {
        self.0.lock().unwrap().1.iter().filter(|(_, why)| *why == reason).map(|(time, _)| time.as_secs()).collect()
    }
}

/// The stand-ins, and a clock for our client.
struct Hosts {
    apis: HostApis,
    watch: Arc<Watch>,
}

impl Hosts {
    async fn start() -> Self {
        Self { apis: HostApis::start().await.unwrap(), watch: Arc::default() }
    }

    fn api(&self, kind: HostKind) -> HostApi {
        self.api_with(kind, TOKEN)
    }

    fn api_with(&self, kind: HostKind, token: &str) -> HostApi {
        let hosts: AllowedHosts = self.apis.entry(kind).parse().unwrap();
        let client = https::Client::new(&hosts, &self.apis.ca).unwrap();
        HostApi::with_clock(hosts.first().unwrap(), client, &token.into(), Arc::clone(&self.watch) as _).unwrap()
    }

    /// A repository that the host has, and its path.
    fn add(&self, kind: HostKind, name: &str) -> RepositoryPath {
        let path = format!("{}/{name}", owner(kind));
        self.apis.state(kind).add(&path);
        path.parse().unwrap()
    }

    /// Compares all exchanges with the specifications.
    fn compare(&self) -> Vec<(HostKind, spec::Compared)> {
        let exchanges = self.apis.exchanges();
        let of = |kind: HostKind| exchanges.iter().filter(move |one| one.kind == kind).cloned().collect::<Vec<_>>();
        let specs = HostKind::ALL.into_iter().flat_map(|kind| spec::of(kind).into_iter().map(move |one| (kind, one)));
        specs.map(|(kind, one)| (kind, one.compare(&of(kind)))).collect()
    }
}

fn owner(kind: HostKind) -> &'static str {
    match kind {
        HostKind::GitLab => "acme/platform",
        HostKind::BitbucketDataCenter => "ACME",
        HostKind::Azure => "acme/Our Project",
        _ => "acme",
    }
}

fn key() -> NewDeployKey {
    NewDeployKey { title: "git2s3".to_owned(), key: format!("{KEY} comment").parse().unwrap() }
}

fn settings() -> WebhookSettings {
    let events = [Event::Push, Event::TagPush, Event::Deletion, Event::Release].into();
    WebhookSettings { url: URL.to_owned(), secret: SECRET.into(), events }
}

/// The events that a host can report.
fn reported(kind: HostKind) -> Vec<Event> {
    match kind {
        HostKind::GitHub | HostKind::GitLab | HostKind::Gitea => {
            vec![Event::Push, Event::TagPush, Event::Deletion, Event::Release]
        }
        _ => vec![Event::Push, Event::TagPush, Event::Deletion],
    }
}

/// An event that isn't ours.
fn other_event(kind: HostKind) -> &'static str {
    match kind {
        HostKind::GitHub | HostKind::Gitea => "issues",
        HostKind::GitLab => "note_events",
        HostKind::Bitbucket => "issue:created",
        HostKind::BitbucketDataCenter => "pr:opened",
        HostKind::Azure => "git.pullrequest.created",
    }
}

async fn manage_keys(hosts: &Hosts, kind: HostKind, path: &RepositoryPath) {
    let api = hosts.api(kind);
    if kind == HostKind::Azure {
        let error = api.add_deploy_key(path, &key()).await.unwrap_err();
        assert!(error.hint().unwrap().contains("SSH public keys"), "{error}");
        assert!(matches!(api.deploy_keys(path).await, Err(HostApiError::NotOffered { .. })));
        return;
    }
    assert_eq!(api.deploy_keys(path).await.unwrap(), [], "{kind}");
    let added = api.add_deploy_key(path, &key()).await.unwrap();
    assert_eq!((added.key.to_string().as_str(), added.access, added.is_enabled), (KEY, Access::Read, true), "{kind}");
    assert_eq!(api.deploy_keys(path).await.unwrap(), std::slice::from_ref(&added), "{kind}");
    let known = hosts.apis.state(kind).find(path.as_str()).unwrap().keys.clone();
    assert!(known.len() == 1 && !known[0].may_push, "{kind}: {known:?}");
    api.remove_deploy_key(path, &added.id).await.unwrap();
    assert_eq!(hosts.apis.state(kind).find(path.as_str()).unwrap().keys, [], "{kind}");
}

async fn manage_webhooks(hosts: &Hosts, kind: HostKind, path: &RepositoryPath) {
    let api = hosts.api(kind);
    let stored = || hosts.apis.state(kind).find(path.as_str()).unwrap().hooks.clone();
    assert_eq!(api.webhooks(path).await.unwrap(), [], "{kind}");
    let created = api.create_webhook(path, &settings()).await.unwrap();
    assert_eq!(created.url, URL, "{kind}");
    assert_eq!(created.events.iter().copied().collect::<Vec<_>>(), reported(kind), "{kind}");
    assert_eq!(created.faults(&reported(kind).into_iter().collect()), [], "{kind}");
    assert_ne!(created.secret, SecretState::Missing, "{kind}");
    assert_eq!(api.webhooks(path).await.unwrap(), std::slice::from_ref(&created), "{kind}");
    assert_eq!(stored()[0].secret.as_deref(), Some(SECRET), "{kind}");

    // A person broke it.
    {
        let mut state = hosts.apis.state(kind);
        let hook = &mut state.find(path.as_str()).unwrap().hooks[0];
        hook.is_active = kind == HostKind::GitLab;
        hook.events = vec![other_event(kind).to_owned()];
        hook.secret = None;
    }
    let broken = api.webhooks(path).await.unwrap().remove(0);
    let faults = broken.faults(&[Event::Push].into());
    if kind != HostKind::GitLab {
        assert!(faults.contains(&WebhookFault::Inactive), "{kind}: {faults:?}");
    }
    assert!(faults.contains(&WebhookFault::Misses(Event::Push)) || kind == HostKind::Azure, "{kind}: {faults:?}");
    let updated = api.update_webhook(path, &broken.id, &settings()).await.unwrap();
    assert_eq!(updated.faults(&reported(kind).into_iter().collect()), [], "{kind}");
    assert_eq!(stored().len(), 1, "{kind}");
    assert_eq!(stored()[0].secret.as_deref(), Some(SECRET), "{kind}: the secret is set again");

    test_and_delete(hosts, kind, path, &updated).await;
    assert_eq!(stored(), [], "{kind}");
}

async fn test_and_delete(hosts: &Hosts, kind: HostKind, path: &RepositoryPath, webhook: &Webhook) {
    let api = hosts.api(kind);
    hosts.apis.state(kind).endpoint_status = 401;
    let tested = api.test_webhook(path, webhook).await.unwrap();
    let pushes = hosts.apis.state(kind).tests.clone();
    match tested {
        Tested::Push => assert!(pushes.len() == 1 && pushes[0].url == URL, "{kind}: {pushes:?}"),
        Tested::Ping(status) => assert!(status.is_none_or(|status| status == 401) && pushes.is_empty(), "{kind}"),
        Tested::NotOffered(click) => assert!(kind == HostKind::Bitbucket && !click.is_empty()),
    }
    let deliveries = api.deliveries(path, &webhook.id).await.unwrap();
    let has_history = !matches!(kind, HostKind::Bitbucket | HostKind::Gitea);
    assert_eq!(deliveries.is_some(), has_history, "{kind}");
    if let Some(newest) = deliveries.as_ref().and_then(|all| all.first()) {
        assert_eq!((newest.status, newest.is_accepted()), (Some(401), false), "{kind}: {newest:?}");
    }
    api.delete_webhook(path, &webhook.id).await.unwrap();
}

#[tokio::test]
async fn every_host_follows_its_specification() {
    let hosts = Hosts::start().await;
    for kind in HostKind::ALL {
        let path = hosts.add(kind, "hello");
        hosts.add(kind, "other");
        let api = hosts.api(kind);
        let found = api.repository(&path).await.unwrap();
        assert_eq!((found.path.as_str(), found.default_branch.as_deref()), (path.as_str(), Some("main")), "{kind}");
        assert!(!found.is_archived && found.may_administer != Some(false), "{kind}: {found:?}");
        assert_eq!(api.repositories(owner(kind)).await.unwrap().len(), 2, "{kind}");
        manage_keys(&hosts, kind, &path).await;
        manage_webhooks(&hosts, kind, &path).await;
    }
    for (kind, compared) in hosts.compare() {
        println!("{kind}: {compared:?}");
        assert!(compared.requests >= 12 && compared.responses == compared.requests, "{kind}: {compared:?}");
    }
}

#[tokio::test]
async fn altered_exchanges_are_found() {
    let hosts = Hosts::start().await;
    let mut altered = 0;
    for kind in HostKind::ALL {
        let path = hosts.add(kind, "hello");
        hosts.api(kind).create_webhook(&path, &settings()).await.unwrap();
        let exchanges = hosts.apis.exchanges();
        let created = exchanges.iter().rfind(|one| one.kind == kind && one.method == Method::POST).unwrap();
        let alter = |change: fn(&mut Exchange)| {
            let mut exchange = created.clone();
            change(&mut exchange);
            exchange
        };
        let parameter = |one: &mut Exchange| one.target += if one.target.contains('?') { "&x=1" } else { "?x=1" };
        for one in spec::of(kind) {
            assert_eq!(one.compare(std::slice::from_ref(created)).responses, 1);
            for exchange in [
                alter(|one| one.request.as_mut().unwrap()["urll"] = URL.into()),
                alter(|one| one.request = None),
                alter(|one| one.response.as_mut().unwrap()["id"] = serde_json::json!({})),
                alter(|one| one.status = 206),
                alter(|one| one.method = Method::PATCH),
                alter(|one| one.target = one.target.replace("hooks", "hook")),
                alter(parameter),
            ] {
                // Bitbucket's types lack the identifiers.
                let is_unseen = exchange.response != created.response
                    && matches!(kind, HostKind::Bitbucket | HostKind::BitbucketDataCenter);
                let found = std::panic::catch_unwind(|| one.compare(std::slice::from_ref(&exchange))).is_err();
                assert!(found || is_unseen, "{kind}: {exchange:?}");
                altered += 1;
            }
        }
    }
    assert_eq!(altered, 49);
}

/// Requests what was recorded, and returns how many entries our client found in the answer.
async fn replay(hosts: &Hosts, api: &HostApi, kind: HostKind, method: &str, path: &str, body: &Value) -> Option<usize> {
    // Before 2013.
    if kind == HostKind::GitHub && path.split('/').count() == 4 && body.get("full_name").is_none() {
        return None;
    }
    let parts: Vec<&str> = path.split('/').skip(1).filter(|part| *part != "projects" && *part != "repos").collect();
    let (owner, name) = (*parts.first()?, parts.get(1).copied().unwrap_or_default());
    let repository: RepositoryPath = format!("{owner}/{name}").parse().ok()?;
    let method: Method = method.parse().ok()?;
    hosts.apis.plant(kind, Fault { body: Some(body.clone()), ..Fault::once(method.clone(), "", 200) });
    let found = match (method.as_str(), parts.get(2..).unwrap_or_default()) {
        ("GET", []) if kind == HostKind::GitHub && path.starts_with("/repos/") => {
            api.repository(&repository).await.map(|_| 1)
        }
        ("GET", ["keys"]) => api.deploy_keys(&repository).await.map(|keys| keys.len()),
        ("POST", ["keys"]) => api.add_deploy_key(&repository, &key()).await.map(|_| 1),
        ("GET", ["hooks" | "webhooks"]) => api.webhooks(&repository).await.map(|hooks| hooks.len()),
        ("POST", ["hooks" | "webhooks"]) => api.create_webhook(&repository, &settings()).await.map(|_| 1),
        ("GET", ["hooks", id, "deliveries"]) => {
            let hook = format!("\"{id}\"");
            let id = serde_json::from_str(&hook).unwrap();
            api.deliveries(&repository, &id).await.map(|all| all.unwrap().len())
        }
        ("PATCH" | "PUT", ["hooks" | "webhooks", id]) => {
            let id = serde_json::from_str(&format!("\"{id}\"")).unwrap();
            api.update_webhook(&repository, &id, &settings()).await.map(|_| 1)
        }
        _ => {
            hosts.apis.unplant(kind);
            return None;
        }
    };
    Some(found.unwrap_or_else(|error| panic!("{path}: {error:?} {body}")))
}

#[tokio::test]
async fn recorded_answers_are_understood() {
    let hosts = Hosts::start().await;
    let apis = HostKind::ALL.map(|kind| (kind, hosts.api(kind)));
    let mut replayed = std::collections::BTreeMap::new();
    for recorded in spec::recorded() {
        let text = |name: &str| recorded[name].as_str().unwrap();
        let (kind, api) = apis.iter().find(|(kind, _)| kind.name() == text("kind")).unwrap();
        let (method, path, body) = (text("method"), text("path"), &recorded["body"]);
        let Some(found) = replay(&hosts, api, *kind, method, path, body).await else { continue };
        let entries = body.as_array().or_else(|| body["values"].as_array());
        assert_eq!(found, entries.map_or(1, Vec::len), "{path}: {body}");
        *replayed.entry(kind.name()).or_insert(0) += 1;
    }
    println!("{replayed:?}");
    assert!(replayed["github"] > 200 && replayed["bitbucket-dc"] == 3, "{replayed:?}");
}

#[tokio::test]
async fn lists_have_all_their_pages() {
    let hosts = Hosts::start().await;
    for kind in HostKind::ALL {
        for number in 0..230 {
            hosts.add(kind, &format!("r{number}"));
        }
        let found = hosts.api(kind).repositories(owner(kind)).await.unwrap();
        assert_eq!(found.len(), 230, "{kind}");
        assert!(found.iter().all(|one| one.path.as_str().starts_with(owner(kind))), "{kind}");
    }
    for (kind, compared) in hosts.compare() {
        let pages = if kind == HostKind::Azure { 1 } else { 3 };
        assert!(compared.responses >= pages && compared.unlisted == 0, "{kind}: {compared:?}");
    }
}

#[tokio::test]
async fn repositories_of_users_are_found() {
    let hosts = Hosts::start().await;
    for kind in [HostKind::GitHub, HostKind::GitLab, HostKind::Gitea] {
        for path in ["person/a", "person/b", "acme/c"] {
            hosts.apis.state(kind).add(path);
        }
        hosts.apis.state(kind).users.push("person".to_owned());
        assert_eq!(hosts.api(kind).repositories("person").await.unwrap().len(), 2, "{kind}");
        let error = hosts.api(kind).repositories("nobody").await.unwrap_err();
        assert!(matches!(error, HostApiError::NotFound { .. }), "{kind}: {error}");
    }
    hosts.compare();
}

#[tokio::test]
async fn refusals_name_reason_and_remedy() {
    let hosts = Hosts::start().await;
    for kind in HostKind::ALL {
        let path = hosts.add(kind, "hello");
        let api = hosts.api(kind);
        let hooks = if kind == HostKind::Azure { "subscriptions" } else { "hooks" };
        for (status, word, hint) in [
            (403, "forbids it (status 403): because", "administer the repository"),
            (404, "doesn't exist, or the token has no access", "check the name"),
            (400, "refused it (status 400): because", ""),
            (301, "renamed or moved", "new name"),
        ] {
            hosts.apis.plant(kind, Fault { message: "because", ..Fault::once(Method::GET, hooks, status) });
            let error = api.webhooks(&path).await.unwrap_err();
            assert!(error.to_string().contains(word), "{kind}: {error}");
            assert!(error.to_string().contains(path.as_str()), "{kind}: {error}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{kind}: {error:?}");
        }
        let error = hosts.api_with(kind, "another").webhooks(&path).await.unwrap_err();
        assert!(matches!(error, HostApiError::Unauthorized { .. }), "{kind}: {error}");
        assert!(error.hint().unwrap().contains("token that hasn't expired"), "{kind}");
        let missing = "nowhere/Our Project/none".parse().unwrap();
        let missing = if kind == HostKind::BitbucketDataCenter { "NO/none".parse().unwrap() } else { missing };
        let error = api.repository(&missing).await.unwrap_err();
        assert!(matches!(error, HostApiError::NotFound { .. }), "{kind}: {error}");
    }
}

#[tokio::test]
async fn lacking_rights_are_recognised() {
    let hosts = Hosts::start().await;
    for kind in HostKind::ALL {
        let path = hosts.add(kind, "hello");
        hosts.apis.state(kind).find(path.as_str()).unwrap().may_administer = false;
        let api = hosts.api(kind);
        let error = api.create_webhook(&path, &settings()).await.unwrap_err();
        let is_right = match kind {
            HostKind::GitHub => matches!(error, HostApiError::NotFound { .. }),
            HostKind::BitbucketDataCenter => matches!(error, HostApiError::Unauthorized { .. }),
            _ => matches!(error, HostApiError::Forbidden { .. }),
        };
        assert!(is_right, "{kind}: {error:?}");
        let said = api.repository(&path).await.unwrap().may_administer;
        let says = matches!(kind, HostKind::GitHub | HostKind::GitLab | HostKind::Gitea);
        assert_eq!(said, says.then_some(false), "{kind}");
    }
    hosts.compare();
}

#[tokio::test]
async fn archived_repositories_are_recognised() {
    let hosts = Hosts::start().await;
    for kind in [HostKind::GitHub, HostKind::GitLab, HostKind::BitbucketDataCenter, HostKind::Gitea] {
        let path = hosts.add(kind, "old");
        hosts.apis.state(kind).find(path.as_str()).unwrap().is_archived = true;
        let api = hosts.api(kind);
        assert!(api.repository(&path).await.unwrap().is_archived, "{kind}");
        assert!(api.repositories(owner(kind)).await.unwrap()[0].is_archived, "{kind}");
        let error = api.create_webhook(&path, &settings()).await.unwrap_err();
        // GitLab doesn't say why.
        let is_right = matches!(error, HostApiError::Archived { .. }) || kind == HostKind::GitLab;
        assert!(is_right, "{kind}: {error:?}");
    }
    let path = hosts.add(HostKind::Azure, "old");
    hosts.apis.state(HostKind::Azure).find(path.as_str()).unwrap().is_archived = true;
    assert!(hosts.api(HostKind::Azure).repository(&path).await.unwrap().is_archived);
    hosts.compare();
}

#[tokio::test]
async fn github_permits_a_key_once() {
    let hosts = Hosts::start().await;
    let kind = HostKind::GitHub;
    let (one, other) = (hosts.add(kind, "one"), hosts.add(kind, "other"));
    let api = hosts.api(kind);
    api.add_deploy_key(&one, &key()).await.unwrap();
    let error = api.add_deploy_key(&other, &key()).await.unwrap_err();
    assert!(matches!(error, HostApiError::KeyInUse { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("for each repository"), "{error:?}");
    for shared in [HostKind::GitLab, HostKind::Bitbucket, HostKind::BitbucketDataCenter, HostKind::Gitea] {
        for path in [hosts.add(shared, "one"), hosts.add(shared, "other")] {
            hosts.api(shared).add_deploy_key(&path, &key()).await.unwrap();
        }
    }
    hosts.compare();
}

#[tokio::test]
async fn forbidden_deploy_keys_are_recognised() {
    let hosts = Hosts::start().await;
    let kind = HostKind::GitHub;
    let path = hosts.add(kind, "hello");
    hosts.apis.state(kind).without_deploy_keys.push("acme".to_owned());
    let api = hosts.api(kind);
    let error = api.add_deploy_key(&path, &key()).await.unwrap_err();
    assert!(matches!(error, HostApiError::DeployKeysDisabled { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("organisation settings"), "{error:?}");
    // The organisation's setting says it, whatever the message.
    hosts.apis.plant(kind, Fault { message: "Validation Failed", ..Fault::once(Method::POST, "/keys", 422) });
    let error = api.add_deploy_key(&path, &key()).await.unwrap_err();
    assert!(matches!(error, HostApiError::DeployKeysDisabled { .. }), "{error:?}");
    hosts.compare();
}

#[tokio::test]
async fn github_form_webhooks_are_faults() {
    let hosts = Hosts::start().await;
    for kind in [HostKind::GitHub, HostKind::Gitea] {
        let path = hosts.add(kind, "hello");
        let api = hosts.api(kind);
        api.create_webhook(&path, &settings()).await.unwrap();
        "form".clone_into(&mut hosts.apis.state(kind).find(path.as_str()).unwrap().hooks[0].content_type);
        let hook = api.webhooks(&path).await.unwrap().remove(0);
        assert_eq!((hook.content, hook.faults(&hook.events)), (Content::Form, vec![WebhookFault::Form]), "{kind}");
    }
}

#[tokio::test]
async fn writes_to_github_are_paced() {
    let hosts = Hosts::start().await;
    for name in 0..20 {
        let path = hosts.add(HostKind::GitHub, &format!("r{name}"));
        hosts.api(HostKind::GitHub).webhooks(&path).await.unwrap();
    }
    assert_eq!(hosts.watch.waits(Pause::Pace), [0; 0], "reading isn't paced");
    let api = hosts.api(HostKind::GitHub);
    for name in 0..20 {
        api.create_webhook(&format!("acme/r{name}").parse().unwrap(), &settings()).await.unwrap();
    }
    assert_eq!(hosts.watch.waits(Pause::Pace), [1; 19]);
}

#[tokio::test]
async fn many_tasks_share_one_pace() {
    let hosts = Hosts::start().await;
    let api = Arc::new(hosts.api(HostKind::GitHub));
    let paths: Vec<_> = (0..10).map(|number| hosts.add(HostKind::GitHub, &format!("r{number}"))).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for path in paths {
        let api = Arc::clone(&api);
        tasks.spawn(async move { api.create_webhook(&path, &settings()).await.map(drop) });
    }
    for done in tasks.join_all().await {
        done.unwrap();
    }
    assert_eq!(hosts.watch.waits(Pause::Pace), [1; 9]);
}

#[tokio::test]
async fn limits_are_waited_for() {
    let hosts = Hosts::start().await;
    for kind in HostKind::ALL {
        let path = hosts.add(kind, "hello");
        let api = hosts.api(kind);
        let hooks = if kind == HostKind::Azure { "subscriptions" } else { "hooks" };
        let before = hosts.watch.waits(Pause::Limit).len();
        let busy = Fault { headers: vec![("retry-after", "7".to_owned())], ..Fault::once(Method::POST, hooks, 429) };
        hosts.apis.plant(kind, Fault { times: 2, ..busy.clone() });
        api.create_webhook(&path, &settings()).await.unwrap();
        assert_eq!(hosts.watch.waits(Pause::Limit)[before..], [7, 7], "{kind}");
        assert_eq!(hosts.apis.state(kind).find(path.as_str()).unwrap().hooks.len(), 1, "{kind}");
        // Not for ever.
        hosts.apis.plant(kind, Fault { times: 4, ..busy.clone() });
        let error = api.create_webhook(&path, &settings()).await.unwrap_err();
        assert!(matches!(error, HostApiError::Limited { .. }), "{kind}: {error}");
        let long = Fault { headers: vec![("retry-after", "3000".to_owned())], ..busy };
        hosts.apis.plant(kind, long);
        let error = api.create_webhook(&path, &settings()).await.unwrap_err();
        assert!(error.to_string().contains("retry in 3000 seconds"), "{kind}: {error}");
    }
}

/// A clock that stands still until it is released.
#[derive(Debug, Default)]
struct Stopped {
    now: Mutex<Duration>,
    waiting: Mutex<usize>,
    release: tokio::sync::Notify,
}

impl Clock for Stopped {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn wait(&self, _: Duration, _: Pause) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let released = self.release.notified();
        *self.waiting.lock().unwrap() += 1;
        Box::pin(released)
    }
}

#[tokio::test]
async fn all_tasks_wait_for_limits() {
    let hosts = Hosts::start().await;
    let allowed: AllowedHosts = hosts.apis.entry(HostKind::GitHub).parse().unwrap();
    let client = https::Client::new(&allowed, &hosts.apis.ca).unwrap();
    let clock = Arc::new(Stopped::default());
    let api = HostApi::with_clock(allowed.first().unwrap(), client, &TOKEN.into(), Arc::clone(&clock) as _).unwrap();
    let api = Arc::new(api);
    let headers = vec![("retry-after", "120".to_owned())];
    hosts.apis.plant(HostKind::GitHub, Fault { headers, ..Fault::once(Method::GET, "hooks", 429) });
    let mut tasks = tokio::task::JoinSet::new();
    for (name, waiting) in [("one", 1), ("other", 2)] {
        let (api, path) = (Arc::clone(&api), hosts.add(HostKind::GitHub, name));
        tasks.spawn(async move { api.webhooks(&path).await.map(|hooks| hooks.len()) });
        while *clock.waiting.lock().unwrap() < waiting {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(hosts.apis.exchanges().len(), 1, "the second task sends nothing");
    *clock.now.lock().unwrap() = Duration::from_mins(2);
    clock.release.notify_waiters();
    for found in tasks.join_all().await {
        assert_eq!(found.unwrap(), 0);
    }
}

#[tokio::test]
async fn github_limits_with_status_403() {
    let hosts = Hosts::start().await;
    let path = hosts.add(HostKind::GitHub, "hello");
    let api = hosts.api(HostKind::GitHub);
    let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    hosts.apis.plant(HostKind::GitHub, Fault { message, ..Fault::once(Method::GET, "hooks", 403) });
    api.webhooks(&path).await.unwrap();
    assert_eq!(hosts.watch.waits(Pause::Limit), [60]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let headers = vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", (now + 90).to_string())];
    hosts.apis.plant(HostKind::GitHub, Fault { headers, ..Fault::once(Method::GET, "hooks", 403) });
    api.webhooks(&path).await.unwrap();
    let wait = hosts.watch.waits(Pause::Limit)[1];
    assert!((80..=90).contains(&wait), "{wait}");
}

#[tokio::test]
async fn only_safe_requests_are_repeated() {
    let hosts = Hosts::start().await;
    let kind = HostKind::GitHub;
    let path = hosts.add(kind, "hello");
    let api = hosts.api(kind);
    let fails = |method: Method, times| Fault { times, ..Fault::once(method, "hooks", 502) };
    hosts.apis.plant(kind, fails(Method::POST, 1));
    let error = api.create_webhook(&path, &settings()).await.unwrap_err();
    assert!(matches!(error, HostApiError::Server { status: 502, .. }), "{error}");
    assert_eq!(hosts.watch.waits(Pause::Retry), [0; 0]);

    let hook = api.create_webhook(&path, &settings()).await.unwrap();
    hosts.apis.plant(kind, fails(Method::GET, 3));
    assert_eq!(api.webhooks(&path).await.unwrap().len(), 1);
    assert_eq!(hosts.watch.waits(Pause::Retry), [2, 4, 8]);
    hosts.apis.plant(kind, fails(Method::GET, 4));
    assert!(matches!(api.webhooks(&path).await, Err(HostApiError::Server { .. })));
    hosts.apis.plant(kind, fails(Method::DELETE, 1));
    api.delete_webhook(&path, &hook.id).await.unwrap();
    assert_eq!(api.webhooks(&path).await.unwrap(), []);
}

#[tokio::test]
async fn tokens_and_secrets_are_never_shown() {
    let hosts = Hosts::start().await;
    for kind in HostKind::ALL {
        let path = hosts.add(kind, "hello");
        let token = "canary-of-the-token";
        let api = hosts.api_with(kind, token);
        let secret: SecretString = "canary-of-the-secret".into();
        let wanted = WebhookSettings { secret, ..settings() };
        let hooks = if kind == HostKind::Azure { "subscriptions" } else { "hooks" };
        let message = "bad canary-of-the-token or canary-of-the-secret";
        hosts.apis.plant(kind, Fault { message, ..Fault::once(Method::POST, hooks, 400) });
        let error = api.create_webhook(&path, &wanted).await.unwrap_err();
        for shown in [format!("{api:?}"), format!("{wanted:?}"), format!("{error:?}"), format!("{error}")] {
            assert!(!shown.contains("canary"), "{kind}: {shown}");
        }
    }
    let targets = hosts.apis.exchanges().into_iter().map(|exchange| exchange.target);
    assert!(targets.into_iter().all(|target| !target.contains("canary")));
}

#[tokio::test]
async fn unknown_hosts_have_no_api() {
    let hosts: AllowedHosts = "git.example".parse().unwrap();
    let client = https::Client::new(&hosts, "").unwrap();
    let error = HostApi::new(hosts.first().unwrap(), client, &TOKEN.into()).unwrap_err();
    assert!(error.hint().unwrap().contains("kind="), "{error}");
    let hosts: AllowedHosts = "github.com".parse().unwrap();
    let client = https::Client::new(&hosts, "").unwrap();
    let error = HostApi::new(hosts.first().unwrap(), client, &"two\nlines".into()).unwrap_err();
    assert!(matches!(error, HostApiError::Token { .. }), "{error}");
}
