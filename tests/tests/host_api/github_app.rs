//! A GitHub App: our client and the stand-in, compared with the specifications; signatures, which
//! OpenSSL verifies; tokens, and what they are refused for.

use std::process::Command;
use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{AllowedHosts, HostKind, RepositoryPath, Retry};
use github_app::{AppError, GitHubApp, SignError, Signer};
use host_api::{Content, GitHubAppApi, HostApi, HostApiError, SecretState};
use https::{HttpsError, Method};
use local::host_api::{Fault, Sent};
use ring::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::{Hosts, SECRET, URL, spec};

const GITHUB: HostKind = HostKind::GitHub;

/// Signs with ring, and counts.
struct Ring {
    pair: KeyPair,
    signed: std::sync::atomic::AtomicUsize,
}

impl Ring {
    fn new(pem: &str) -> Self {
        let encoded: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let pair = KeyPair::from_der(&STANDARD.decode(encoded).unwrap()).unwrap();
        Self { pair, signed: 0.into() }
    }
}

impl Signer for &Ring {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        self.signed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(signature)
    }
}

/// A host with an App that is installed on `acme/rocket`, but not on `acme/probe`.
struct Scene {
    hosts: Hosts,
    id: u64,
    key: Ring,
    rocket: RepositoryPath,
    probe: RepositoryPath,
}

impl Scene {
    async fn set() -> Self {
        let hosts = Hosts::start().await;
        let [rocket, probe] = ["rocket", "probe"].map(|name| hosts.add(GITHUB, name));
        let (id, pem) = hosts.apis.state(GITHUB).add_app("acme");
        hosts.apis.state(GITHUB).install(id, "acme", &["acme/rocket"]);
        Self { hosts, id, key: Ring::new(&pem), rocket, probe }
    }

    fn client(&self) -> (AllowedHosts, https::Client) {
        let allowed: AllowedHosts = self.hosts.apis.entry(GITHUB).parse().unwrap();
        let client = https::Client::new(&allowed, &self.hosts.apis.ca).unwrap();
        (allowed, client)
    }

    fn app(&self) -> GitHubApp<&Ring> {
        self.app_with(&self.id.to_string())
    }

    fn app_with(&self, id: &str) -> GitHubApp<&Ring> {
        let (allowed, client) = self.client();
        GitHubApp::new(allowed.first().unwrap().clone(), id, &self.key, client)
    }

    async fn api(&self) -> GitHubAppApi {
        let (allowed, client) = self.client();
        let jwt = self.app().jwt(SystemTime::now()).await.unwrap();
        GitHubAppApi::new(allowed.first().unwrap(), client, &jwt).unwrap()
    }

    /// How many requests there were.
    fn requests(&self) -> usize {
        self.hosts.apis.exchanges().len()
    }
}

#[tokio::test]
async fn app_follows_its_specification() {
    let scene = Scene::set().await;
    let token = scene.app().token(&scene.rocket, SystemTime::now()).await.unwrap();
    assert!(token.expose_secret().len() > 40);
    let client_id = scene.hosts.apis.state(GITHUB).apps[0].client_id.clone();
    scene.app_with(&client_id).token(&scene.rocket, SystemTime::now()).await.unwrap();
    let installation = scene.app().installation(&scene.rocket, SystemTime::now()).await.unwrap();
    assert_eq!(installation.events, ["push"]);

    let api = scene.api().await;
    let description = api.description().await.unwrap();
    assert!(description.install_url().ends_with(&format!("/apps/git2s3-{}/installations/new", scene.id)));
    assert_eq!(api.webhook().await.unwrap().secret, SecretState::Missing);
    let changed = api.update_webhook(URL, &SECRET.into()).await.unwrap();
    assert_eq!(api.webhook().await.unwrap(), changed);
    assert_eq!((&*changed.url, changed.content, changed.secret), (URL, Content::Json, SecretState::Set));
    assert_eq!(scene.hosts.apis.state(GITHUB).apps[0].secret.as_deref(), Some(SECRET));
    assert_eq!(api.deliveries().await.unwrap(), []);
    let sent = Sent { id: 7, event: "push".to_owned(), status: 401, ..Sent::default() };
    scene.hosts.apis.state(GITHUB).apps[0].sent.push(sent);
    assert_eq!(api.deliveries().await.unwrap()[0].status, Some(401));

    let (app, now) = (scene.app(), SystemTime::now());
    let page = app.deliveries(None, None, now).await.unwrap().unwrap();
    assert_eq!((page.deliveries[0].id, page.deliveries[0].status_code, &page.next), (7, 401, &None));
    assert_eq!(app.deliveries(None, page.etag.as_deref(), now).await.unwrap(), None, "nothing is new");
    app.deliver_again(7, now).await.unwrap();
    let repeated: Vec<_> = scene.hosts.apis.state(GITHUB).repetitions.iter().map(|one| one.of.id).collect();
    assert_eq!(repeated, [7]);
    let error = app.deliver_again(8, now).await.unwrap_err();
    assert!(matches!(error, AppError::Journal { status: 404, .. }), "{error}");

    // The token reads what commands need to know of a repository.
    let (allowed, client) = scene.client();
    let as_app = HostApi::new(allowed.first().unwrap(), client, &token).unwrap();
    assert_eq!(as_app.repository(&scene.rocket).await.unwrap().default_branch.as_deref(), Some("main"));
    assert!(matches!(as_app.repository(&scene.probe).await, Err(HostApiError::NotFound { .. })));

    for (kind, compared) in scene.hosts.compare() {
        // GitHub's specification doesn't say what it answers to the number of no delivery.
        let expected = if kind == GITHUB { (16, 1) } else { (0, 0) };
        assert_eq!((compared.requests, compared.unlisted), expected, "{kind}: {compared:?}");
    }
}

#[tokio::test]
async fn journal_is_read_by_cursor() {
    let scene = Scene::set().await;
    let (app, now) = (scene.app(), SystemTime::now());
    let sent = (1..=250).map(|id| Sent { id, event: "push".to_owned(), status: 502, at: Some(now), ..Sent::default() });
    scene.hosts.apis.state(GITHUB).apps[0].sent.extend(sent);
    let (mut ids, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = app.deliveries(cursor.as_deref(), None, now).await.unwrap().unwrap();
        ids.extend(page.deliveries.iter().map(|one| one.id));
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((pages, ids), (3, (1..=250).rev().collect::<Vec<_>>()));
    let error = app.deliveries(Some("v1_0&per_page=1"), None, now).await.unwrap_err();
    assert!(matches!(error, AppError::Journal { status: 422, .. }), "{error}");
    for (status, headers, seconds) in [(429, ("retry-after", "7"), 7), (403, ("retry-after", "60"), 60)] {
        let headers = vec![(headers.0, headers.1.to_owned())];
        scene.hosts.apis.plant(GITHUB, Fault { headers, ..Fault::once(Method::GET, "/app/hook/deliveries", status) });
        let error = app.deliveries(None, None, now).await.unwrap_err();
        let AppError::Https(HttpsError::Busy { after, .. }) = error else { panic!("{error}") };
        assert_eq!(after.as_secs(), seconds);
    }
    scene.hosts.compare();
}

#[tokio::test]
async fn manifest_becomes_app_once() {
    let scene = Scene::set().await;
    let (allowed, client) = scene.client();
    let host = allowed.first().unwrap();
    let manifest = json!({
        "name": "git2s3 zips", "url": URL, "redirect_url": "http://127.0.0.1:1/created", "public": false,
        "hook_attributes": { "url": URL }, "default_events": ["push"],
        "default_permissions": { "contents": "read", "metadata": "read" },
    });
    let (_, code) = scene.hosts.apis.state(GITHUB).submit("acme", &manifest.to_string()).unwrap();
    let code: SecretString = code.into();
    let app = GitHubAppApi::create(host, client.clone(), &code).await.unwrap();
    assert!(app.pem.expose_secret().starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    assert!(!format!("{app:?}").contains("PRIVATE"));
    let again = GitHubAppApi::create(host, client, &code).await.unwrap_err();
    assert!(matches!(again, HostApiError::NotFound { .. }), "{again}");
    assert!(!contract::error_chain(&again).contains(code.expose_secret()), "{again}");
    for (kind, compared) in scene.hosts.compare() {
        assert_eq!(compared.responses, if kind == GITHUB { 2 } else { 0 }, "{kind}: {compared:?}");
    }
}

/// OpenSSL's own check of an RS256 signature ([RFC
/// 7515](https://www.rfc-editor.org/rfc/rfc7515#appendix-A.2)).
fn openssl_verifies(jwt: &str, public: &[u8]) -> bool {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let pem = format!("-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n", STANDARD.encode(public));
    let pkcs1 = file("pkcs1.pem", pem.as_bytes());
    let key = dir.path().join("key.pem");
    let mut convert = Command::new("openssl");
    convert.args(["rsa", "-RSAPublicKey_in", "-pubout", "-in"]).arg(pkcs1).arg("-out").arg(&key);
    assert!(convert.output().unwrap().status.success());
    let signature = file("signature", &URL_SAFE_NO_PAD.decode(signature).unwrap());
    let mut verify = Command::new("openssl");
    verify.args(["dgst", "-sha256", "-verify"]).arg(key).arg("-signature").arg(signature);
    verify.arg(file("signed", signed.as_bytes())).output().unwrap().status.success()
}

#[tokio::test]
async fn openssl_verifies_signatures() {
    let scene = Scene::set().await;
    let now = SystemTime::now();
    let jwt = scene.app().jwt(now).await.unwrap();
    let jwt = jwt.expose_secret();
    let public = scene.hosts.apis.state(GITHUB).apps[0].keys[0].clone();
    assert!(openssl_verifies(jwt, &public));
    // One character of the claims.
    let at = jwt.find('.').unwrap() + 3;
    let other = if &jwt[at..=at] == "A" { "B" } else { "A" };
    assert!(!openssl_verifies(&format!("{}{other}{}", &jwt[..at], &jwt[at + 1..]), &public));
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(claims, json!({ "iat": seconds - 60, "exp": seconds + 540, "iss": scene.id.to_string() }));
}

#[tokio::test]
async fn token_is_scoped_and_cached() {
    let scene = Scene::set().await;
    scene.hosts.apis.state(GITHUB).apps[0].installations[0].repositories.insert("acme/probe".to_owned());
    let (app, now) = (scene.app(), SystemTime::now());
    let token = async |path: &RepositoryPath, later: Duration| {
        app.token(path, now + later).await.unwrap().expose_secret().to_owned()
    };
    let first = token(&scene.rocket, Duration::ZERO).await;
    let other = token(&scene.probe, Duration::ZERO).await;
    assert_ne!(first, other);
    {
        let state = scene.hosts.apis.state(GITHUB);
        let of = |token: &str| state.tokens.iter().find(|one| one.token == token).unwrap();
        assert_eq!(of(&first).repositories, ["acme/rocket".to_owned()].into());
        assert_eq!(of(&other).repositories, ["acme/probe".to_owned()].into());
        let permissions = [("contents", "read"), ("metadata", "read")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(of(&first).permissions, permissions.into());
    }
    // An hour, less what a fetch may take.
    let requests = scene.requests();
    assert_eq!(token(&scene.rocket, Duration::from_mins(54)).await, first);
    assert_eq!(scene.requests(), requests);
    scene.hosts.apis.state(GITHUB).clock_ahead = Duration::from_mins(56);
    let second = token(&scene.rocket, Duration::from_mins(56)).await;
    assert_ne!(second, first);
    assert_eq!(scene.requests(), requests + 2);
    // The host refused it.
    app.forget(&scene.rocket).await;
    assert_ne!(token(&scene.rocket, Duration::from_mins(56)).await, second);
    let signed = scene.key.signed.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(signed, 2, "one signature for the requests of four minutes");
    // Whoever asks for the installation then, asks nobody.
    let requests = scene.requests();
    app.installation(&scene.rocket, now + Duration::from_mins(56)).await.unwrap();
    assert_eq!(scene.requests(), requests);
    // One that the host doesn't accept isn't shown again.
    scene.hosts.apis.state(GITHUB).clock_ahead = Duration::from_hours(2);
    app.forget(&scene.rocket).await;
    app.token(&scene.rocket, now + Duration::from_mins(57)).await.unwrap_err();
    scene.hosts.apis.state(GITHUB).clock_ahead = Duration::from_mins(57);
    token(&scene.rocket, Duration::from_mins(57)).await;
    assert_eq!(scene.key.signed.load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[tokio::test]
async fn app_refusals_name_reason_and_remedy() {
    let scene = Scene::set().await;
    let now = SystemTime::now();
    let check = |error: AppError, said: &str, hint: &str| {
        let text = contract::error_chain(&error);
        assert!(text.contains(said), "{text}");
        assert!(error.hint().unwrap_or_default().contains(hint), "{error:?}");
        assert!(!text.contains("ghs_") && !text.contains("eyJ"), "{text}");
    };
    let app = scene.app();
    let refused = async |path: &RepositoryPath| app.token(path, now).await.unwrap_err();
    check(refused(&scene.probe).await, "is not installed on", "install the App");
    scene.hosts.apis.state(GITHUB).apps[0].installations[0].is_suspended = true;
    check(refused(&scene.rocket).await, "is suspended", "unsuspend");
    scene.hosts.apis.state(GITHUB).apps[0].installations[0].is_suspended = false;
    scene.hosts.apis.state(GITHUB).apps[0].installations[0].permissions.remove("contents");
    check(refused(&scene.rocket).await, "may not read contents", "Contents: read");
    let another = scene.app_with("1").token(&scene.rocket, now).await.unwrap_err();
    check(another, "does not accept the signature", "different Apps");
    scene.hosts.apis.state(GITHUB).clock_ahead = Duration::from_hours(1);
    check(refused(&scene.rocket).await, "does not accept the signature", "clocks differ");
    scene.hosts.apis.state(GITHUB).clock_ahead = Duration::ZERO;

    let plant = |status, headers| {
        let fault = Fault { headers, ..Fault::once(Method::GET, "installation", status) };
        scene.hosts.apis.plant(GITHUB, fault);
    };
    plant(301, vec![("location", "https://elsewhere.example/".to_owned())]);
    let moved = refused(&scene.rocket).await;
    assert_eq!(moved.retry(), Retry::Never);
    check(moved, "renamed or moved", "new name");
    plant(403, vec![("retry-after", "7".to_owned())]);
    let busy = refused(&scene.rocket).await;
    assert!(matches!(busy, AppError::Https(HttpsError::Busy { after, .. }) if after.as_secs() == 7), "{busy:?}");
    plant(500, Vec::new());
    assert_eq!(refused(&scene.rocket).await.retry(), Retry::Again);
    plant(418, Vec::new());
    check(refused(&scene.rocket).await, "gave the GitHub App", "");
}

/// What `PyGithub` has recorded of GitHub.
#[tokio::test]
async fn recorded_app_answers_are_understood() {
    let scene = Scene::set().await;
    let (app, now) = (scene.app(), SystemTime::UNIX_EPOCH);
    let recorded = spec::recorded();
    let of = |method: &str, end: &str| -> Vec<Value> {
        let fits = |one: &&Value| {
            one["method"] == method && one["kind"] == "github" && one["path"].as_str().unwrap().ends_with(end)
        };
        recorded.iter().filter(fits).map(|one| one["body"].clone()).collect()
    };
    let plant = |method: Method, part, status, body: &Value| {
        let fault = Fault { body: Some(body.clone()), ..Fault::once(method, part, status) };
        scene.hosts.apis.plant(GITHUB, fault);
    };
    let installations = of("GET", "/installation");
    let mut tokens = 0;
    for body in of("POST", "/access_tokens") {
        let mut installation = installations[0].clone();
        installation["permissions"]["contents"] = "read".into();
        plant(Method::GET, "/installation", 200, &installation);
        plant(Method::POST, "/access_tokens", 201, &body);
        app.forget(&scene.rocket).await;
        let token: SecretString = app.token(&scene.rocket, now).await.unwrap();
        assert_eq!(body["token"], token.expose_secret());
        tokens += 1;
    }
    let api = scene.api().await;
    for body in of("GET", "/app") {
        plant(Method::GET, "/app", 200, &body);
        let description = api.description().await.unwrap();
        assert!(description.html_url.starts_with("https://github.com/apps/"), "{description:?}");
    }
    assert_eq!((installations.len(), tokens, of("GET", "/app").len()), (1, 10, 2));
}

#[tokio::test]
async fn status_tokens_read_no_contents() {
    let scene = Scene::set().await;
    let app = || scene.app().for_statuses();
    let error = app().token(&scene.rocket, SystemTime::now()).await.unwrap_err();
    assert!(matches!(error, AppError::MayNotSetStatuses { .. }) && error.is_about_access(), "{error}");
    assert!(error.hint().unwrap().contains("Commit statuses: write"), "{error}");

    let statuses = ("statuses".to_owned(), "write".to_owned());
    scene.hosts.apis.state(GITHUB).apps[0].installations[0].permissions.extend([statuses.clone()]);
    let token = app().token(&scene.rocket, SystemTime::now()).await.unwrap();
    let metadata = ("metadata".to_owned(), "read".to_owned());
    let granted = scene.hosts.apis.state(GITHUB).tokens[0].clone();
    assert_eq!(granted.permissions, [metadata, statuses].into());
    assert_eq!(granted.repositories, ["acme/rocket".to_owned()].into());

    let api = scene.hosts.api_with(GITHUB, token.expose_secret());
    let (name, status) = crate::statuses::any();
    api.set_commit_status(&scene.rocket, &name, &status).await.unwrap();
    let error = api.set_commit_status(&scene.probe, &name, &status).await.unwrap_err();
    assert!(matches!(error, HostApiError::Forbidden { .. }), "{error}");
    // The other way round, a token that reads contents sets no status.
    let reading = scene.app().token(&scene.rocket, SystemTime::now()).await.unwrap();
    let api = scene.hosts.api_with(GITHUB, reading.expose_secret());
    assert!(api.set_commit_status(&scene.rocket, &name, &status).await.is_err());
}
