//! A GitHub App from its creation to zips: `infra app`, a deployment with it, `connect`, pushes,
//! and `doctor`. The browser is an HTTP client that does what the pages say. Git's own server is
//! asked with each token.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use local::archives::{PUBLIC, address};
use local::artifact::Artifact;
use local::aws::REGION;
use local::host_api::{Fetch, Sent, TOKEN};
use local::local::STACK;
use local::reconcile::{now, reconcile};
use local::webhook::{deliver, delivery_id, post, signature};
use reqwest::header::LOCATION;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::connect::{GITHUB, Scene};
use crate::desk::Desk;

pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A client that trusts the host, and follows no redirect by itself.
fn browser(scene: &Scene) -> reqwest::Client {
    let authority = reqwest::Certificate::from_pem(scene.apis.ca.as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.tls_certs_only([authority]).build().unwrap()
}

/// The value of an attribute in a page, as HTML has it.
fn attribute(html: &str, before: &str, name: &str) -> String {
    let from = html.find(before).unwrap();
    let value = html[from..].split_once(&format!("{name}=\"")).unwrap().1;
    let value = value.split('"').next().unwrap();
    value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// What a person does with the page in the terminal: confirms the App at the host. Returns every
/// secret that was in the browser.
async fn confirm(scene: &Scene, page: &str) -> Vec<String> {
    let browser = browser(scene);
    let get = async |url: &str| {
        let answer = browser.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (origin, path) = page.rsplit_once('/').unwrap();
    assert_eq!((path.len(), get(&format!("{origin}/")).await.0), (32, 404), "{page} can be guessed");
    let other_site = browser.get(page).header("host", "attacker.example").send().await.unwrap();
    assert_eq!(other_site.status(), 404);
    let (status, html) = get(page).await;
    assert_eq!(status, 200);
    let action = attribute(&html, "<form", "action");
    assert!(action.contains("/organizations/acme/settings/apps/new?state="), "{action}");
    let manifest = attribute(&html, "name=\"manifest\"", "value");
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("manifest", &manifest).finish();
    let answer = browser.post(&action).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    let back = answer.headers()[LOCATION].to_str().unwrap().to_owned();

    // Somebody else's answer, and one without a state.
    let (before, state) = back.split_once("&state=").unwrap();
    let code = before.split_once("code=").unwrap().1;
    for wrong in [format!("{before}&state={}", "0".repeat(32)), before.to_owned(), format!("{before}&state=")] {
        assert_eq!(get(&wrong).await.0, 403, "{wrong}");
    }
    assert_eq!(get(&back).await.0, 200);
    vec![code.to_owned(), state.to_owned()]
}

/// Runs `infra app create`, confirms the App, and returns the settings that the command prints.
pub(crate) async fn create(scene: &Scene, desk: &Desk<'_>, more: &[&str]) -> String {
    let host = address(GITHUB).to_string();
    let arguments = ["app", "create", "--organisation", "acme", "--host", &host];
    let mut command = desk.command(&[&arguments[..], more, &["--stack-name", STACK, "--region", REGION]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let page = loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).await.unwrap() > 0, "the command ended: {said}");
        said += &line;
        if let Some((_, page)) = line.split_once(": http://127.0.0.1:") {
            break format!("http://127.0.0.1:{}", page.trim());
        }
    };
    let secrets = confirm(scene, &page).await;
    let mut settings = String::new();
    child.stdout.take().unwrap().read_to_string(&mut settings).await.unwrap();
    lines.read_to_string(&mut said).await.unwrap();
    assert!(child.wait().await.unwrap().success(), "{said}");
    for secret in secrets.iter().chain([&scene.stack.api_secret]).map(String::as_str).chain(["PRIVATE KEY", "eyJ"]) {
        assert!(!said.replace(&page, "").contains(secret) && !settings.contains(secret), "{secret} in {said}");
    }
    assert!(said.contains("/installations/new"), "{said}");
    settings
}

/// Makes the host report a push, and waits for its zip.
pub(crate) async fn push(scene: &Scene, path: &str) -> String {
    let push = scene.push(path, "0".repeat(40)).await;
    let answer = deliver(&scene.stack.webhook_url, &scene.stack.api_secret, &push).await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    push.after
}

pub(crate) async fn stored(scene: &Scene, path: &str, commit: &str) {
    let bucket = scene.stack.output("OutputBucketName").unwrap();
    let key = format!("{path}/{}.zip", path.replace('/', "_"));
    let zip = Artifact::wait(&scene.local.cloud.account, bucket, &key, commit, PATIENCE).await.unwrap();
    zip.same_tree(&scene.clone_of(path).archive(commit).await.unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn github_app_serves_private_repositories() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let paths = ["acme/rocket", "acme/probe", "acme/other", "acme/lander"];
    let scene = Scene::set(&dir.path().join("cloud"), &paths).await;
    let account = &scene.local.cloud.account;
    let work = dir.path().join("work");
    let desk = Desk::packaged(&scene.local, &work);
    let names = paths.map(|path| format!("{}/{path}", address(GITHUB)));
    let [rocket, probe, other, lander] = [&*names[0], &*names[1], &*names[2], &*names[3]];

    // One repository has a deploy key before there is an App.
    let (code, stdout, stderr) = scene.infra(&desk, &["connect", lander]).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");

    let settings = create(&scene, &desk, &[]).await;
    let (app, url) = {
        let state = scene.apis.state(GITHUB);
        (state.apps[0].clone(), scene.stack.output("GitPullWebHookApi").unwrap().to_owned())
    };
    assert_eq!((&app.url, app.secret.as_deref()), (&url, Some(&*scene.stack.api_secret)), "the stack's own secret");
    assert_eq!((&*app.owner, &app.events[..]), ("acme", &["push".to_owned()][..]));
    desk.write("git2s3.toml", &settings);
    let (code, stdout, stderr) = scene.infra_with(&desk, &["deploy", "--yes"], None).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");

    // No person's token is asked for. Nothing is connected before the App is installed.
    let (code, stdout, stderr) = scene.infra_with(&desk, &["connect", rocket], None).await;
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stdout.contains("is not installed on") && stdout.contains("/installations/new"), "{stdout}");
    scene.apis.state(GITHUB).install(app.id, "acme", &["acme/rocket", "acme/probe"]);
    let (code, stdout, stderr) = scene.infra_with(&desk, &["connect", rocket, probe], None).await;
    assert_eq!((code, stdout.matches("was connected").count()), (Some(0), 2), "{stdout}{stderr}");
    let is_bare = |path: &str| {
        let mut state = scene.apis.state(GITHUB);
        let one = state.find(path).unwrap();
        one.keys.is_empty() && one.hooks.is_empty()
    };
    assert!(paths[..3].iter().all(|path| is_bare(path)) && !is_bare(paths[3]));

    // Two private repositories on one stack, each fetched with a token of its own.
    for path in &paths[..2] {
        let commit = push(&scene, path).await;
        stored(&scene, path, &commit).await;
    }
    tokens_are_for_one_repository(&scene).await;

    // One without the App is still fetched with its deploy key.
    scene.clone_of(paths[3]).commit("With a deploy key").await.unwrap();
    scene.clone_of(paths[3]).push(&["main"]).await.unwrap();
    let commit = push(&scene, paths[3]).await;
    stored(&scene, paths[3], &commit).await;

    // Another repository of the same owner isn't the App's, and has no deploy key.
    push(&scene, paths[2]).await;
    logged(&scene, "is not installed on").await;
    let (code, stdout, _) = scene.infra_with(&desk, &["doctor", other, "--json"], None).await;
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("is not installed on") && stdout.contains("install the App"), "{stdout}");
    let (_, stdout, _) = scene.infra_with(&desk, &["doctor", rocket, "--json"], None).await;
    let findings: Value = serde_json::from_str(&stdout).unwrap();
    let of_app = findings.as_array().unwrap().iter().find(|finding| finding["step"] == "GitHub App").unwrap();
    assert_eq!(of_app["is"], "fine", "{of_app}");

    // Without the App's token, it serves what is public, such as others' submodules.
    std::fs::write(scene.local.host.root().join(format!("{}.git", paths[2])).join(PUBLIC), "").unwrap();
    let commit = push(&scene, paths[2]).await;
    stored(&scene, paths[2], &commit).await;
    let fetches = scene.apis.state(GITHUB).fetches.clone();
    let of_other: Vec<_> = fetches.iter().filter(|fetch| fetch.repository == paths[2]).collect();
    assert!(of_other.iter().all(|fetch| fetch.token.is_none()) && of_other.iter().any(|fetch| fetch.status == 401));

    let log = account.log_messages().await.unwrap().concat();
    let tokens: Vec<String> = scene.apis.state(GITHUB).tokens.iter().map(|token| token.token.clone()).collect();
    let encoded = tokens.iter().map(|token| STANDARD.encode(format!("x-access-token:{token}")));
    for secret in tokens.iter().cloned().chain(encoded).chain(["eyJ".to_owned(), "ghs_".to_owned()]) {
        assert!(!log.contains(&secret), "a secret is in the log");
    }
    let exchanges = scene.apis.exchanges();
    assert!(exchanges.iter().all(|one| tokens.iter().all(|token| !one.target.contains(token))), "a token in a URL");
}

/// Real Git was asked with a different token for each repository, and refuses each for the other
/// one.
async fn tokens_are_for_one_repository(scene: &Scene) {
    let fetches: Vec<Fetch> = scene.apis.state(GITHUB).fetches.clone();
    let of = |path: &str| -> BTreeSet<String> {
        let own = fetches.iter().filter(|fetch| fetch.repository == path && fetch.status == 200);
        own.map(|fetch| fetch.token.clone().unwrap()).collect()
    };
    let (rocket, probe) = (of("acme/rocket"), of("acme/probe"));
    assert!(!rocket.is_empty() && !probe.is_empty() && rocket.is_disjoint(&probe), "{fetches:?}");
    assert!(fetches.iter().all(|fetch| fetch.status == 200), "{fetches:?}");
    let base = format!("https://{}:{}", address(GITHUB), scene.apis.port);
    let browser = browser(scene);
    let ask = async |path: &str, token: &str| {
        let url = format!("{base}/{path}.git/info/refs?service=git-upload-pack");
        let request = browser.get(url).basic_auth("x-access-token", Some(token));
        request.send().await.unwrap().status().as_u16()
    };
    let (rocket, probe) = (rocket.first().unwrap(), probe.first().unwrap());
    let asked = [
        ask("acme/rocket", rocket).await,
        ask("acme/probe", probe).await,
        ask("acme/rocket", probe).await,
        ask("acme/probe", rocket).await,
        ask("acme/rocket", TOKEN).await,
    ];
    assert_eq!(asked, [200, 200, 404, 404, 401]);
}

pub(crate) async fn logged(scene: &Scene, words: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = scene.local.cloud.account.log_messages().await.unwrap().concat();
        if log.contains(words) {
            return;
        }
        assert!(Instant::now() < deadline, "nobody logged {words}: {log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the App's webhook sends as one delivery, and what becomes of it at this address: the
/// endpoint's status, or 0 if nobody answers. The host keeps it in its journal.
async fn attempt(scene: &Scene, url: &str, guid: &str, payload: Vec<u8>, secret: &str) -> u16 {
    let signature = signature(secret, &payload);
    let headers = [("x-github-event", "push"), ("x-github-delivery", guid), ("x-hub-signature-256", &*signature)];
    let status = post(url, &headers, payload.clone()).await.map_or(0, |answer| answer.status);
    let mut state = scene.apis.state(GITHUB);
    let id = 1 + state.apps[0].sent.len() as u64;
    let (event, guid, at) = ("push".to_owned(), Some(guid.to_owned()), Some(SystemTime::now()));
    state.apps[0].sent.push(Sent { id, event, status, guid, at, payload });
    status
}

/// The endpoint is down during a push of a repository of which nothing was ever stored, so that no
/// comparison would find it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undelivered_push_is_delivered_again() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = "acme/rocket";
    let scene = Scene::set(&dir.path().join("cloud"), &[path]).await;
    let account = &scene.local.cloud.account;
    let work = dir.path().join("work");
    let desk = Desk::packaged(&scene.local, &work);
    let settings = create(&scene, &desk, &[]).await;
    desk.write("git2s3.toml", &settings);
    let (code, stdout, stderr) = scene.infra_with(&desk, &["deploy", "--yes"], None).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let app = scene.apis.state(GITHUB).apps[0].id;
    scene.apis.state(GITHUB).install(app, "acme", &[path]);
    let resources = account.resources(STACK).await.unwrap();
    let (secret, url) = (&*scene.stack.api_secret, &*scene.stack.webhook_url);

    // Nothing was sent.
    reconcile(account, &resources, &now()).await.unwrap();
    let push = scene.push(path, "0".repeat(40)).await;
    let (lost, refused) = (delivery_id(), delivery_id());
    assert_eq!(attempt(&scene, "http://127.0.0.1:9/", &lost, push.body(), secret).await, 0);
    // What the endpoint itself has refused would be refused again.
    assert_eq!(attempt(&scene, url, &refused, push.body(), "guess").await, 401);
    tokio::time::sleep(Duration::from_secs(1)).await;
    reconcile(account, &resources, &now()).await.unwrap();
    let repetitions = std::mem::take(&mut scene.apis.state(GITHUB).repetitions);
    let guids: Vec<_> = repetitions.iter().map(|one| one.of.guid.clone().unwrap()).collect();
    assert_eq!(guids, std::slice::from_ref(&lost));
    let payload = repetitions[0].of.payload.clone();
    assert_eq!(attempt(&scene, url, &lost, payload, secret).await, 202);
    stored(&scene, path, &push.after).await;
    let bucket = scene.stack.output("OutputBucketName").unwrap();
    let zip = Artifact::get(account, bucket, "acme/rocket/acme_rocket.zip").await.unwrap();
    assert_eq!(zip.metadata["delivery-id"], lost);

    // It has arrived: nothing is repeated, and then nothing is new.
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        reconcile(account, &resources, &now()).await.unwrap();
    }
    assert_eq!(scene.apis.state(GITHUB).repetitions, []);
    let of_journal = |one: &local::host_api::Exchange| one.target.starts_with("/app/hook/deliveries");
    let statuses: Vec<_> = scene.apis.exchanges().iter().filter(|one| of_journal(one)).map(|one| one.status).collect();
    assert_eq!(statuses, [200, 200, 202, 200, 304]);
    let (code, told, stderr) = scene.infra_with(&desk, &["trace", &lost], None).await;
    assert_eq!(code, Some(0), "{told}{stderr}");
    for words in ["asked GitHub to deliver it again, for the first time: push", "stored", "by a webhook"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!told.contains(secret), "{told}");
}
