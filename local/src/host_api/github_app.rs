//! GitHub Apps: their signatures, which ring verifies; installations; tokens, which real Git over
//! HTTPS honours; and their creation by a manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rsa::pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey, LineEnding};
use serde_json::{Value, json};

use super::github::{TIME, in_full, journal, of_user, owner, refused, repository, statuses};
use super::state::{Repetition, Sent, State};
use super::{Asked, Reply};

/// How long a token is good for.
const HOUR: Duration = Duration::from_hours(1);
/// How far ahead a signature may end.
const LONGEST: u64 = 600;

/// A GitHub App.
#[derive(Clone, Debug)]
pub struct App {
    /// Its number.
    pub id: u64,
    /// Its other name in signatures.
    pub client_id: String,
    /// Its name in URLs.
    pub slug: String,
    /// Who owns it.
    pub owner: String,
    /// Its public keys, PKCS#1 DER: it may have several.
    pub keys: Vec<Vec<u8>>,
    /// The target of its webhook.
    pub url: String,
    /// The secret of its webhook.
    pub secret: Option<String>,
    /// What it may do.
    pub permissions: BTreeMap<String, String>,
    /// The events that it gets.
    pub events: Vec<String>,
    /// Where it is installed.
    pub installations: Vec<Installation>,
    /// What its webhook has sent, oldest first.
    pub sent: Vec<Sent>,
}

/// An installation of an App.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Its identifier.
    pub id: u64,
    /// The organisation or user.
    pub account: String,
    /// The paths of its repositories.
    pub repositories: BTreeSet<String>,
    /// Whether its owner has suspended it.
    pub is_suspended: bool,
    /// What its owner has permitted.
    pub permissions: BTreeMap<String, String>,
    /// The events that it sends.
    pub events: Vec<String>,
}

/// A token of an installation.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub token: String,
    /// The paths of the repositories that it is for.
    pub repositories: BTreeSet<String>,
    /// What it permits.
    pub permissions: BTreeMap<String, String>,
    /// When it ends.
    pub ends: SystemTime,
}

/// A request of Git over HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The repository's path.
    pub repository: String,
    /// The token that it shows.
    pub token: Option<String>,
    /// The response's status.
    pub status: u16,
}

/// What an App has by default.
fn texts(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A new key pair as GitHub makes it: the private key in PEM, the public one in DER, both PKCS#1.
#[allow(clippy::expect_used, reason = "what fails here fails a test")]
fn key_pair() -> (String, Vec<u8>) {
    let private = rsa::RsaPrivateKey::new(&mut rand::rng(), 2048).expect("an RSA key");
    let pem = private.to_pkcs1_pem(LineEnding::LF).expect("a private key in PEM");
    let public = private.to_public_key().to_pkcs1_der().expect("a public key in DER");
    (pem.to_string(), public.into_vec())
}

impl State {
    /// Registers an App that may read contents and gets pushes. Returns its ID and its private key,
    /// PKCS#1 in PEM.
    pub fn add_app(&mut self, owner: &str) -> (u64, String) {
        let id = 4_000_000 + self.next();
        let (pem, public) = key_pair();
        self.apps.push(App {
            id,
            client_id: format!("Iv23li{id:014}"),
            slug: format!("git2s3-{id}"),
            owner: owner.to_owned(),
            keys: vec![public],
            url: String::new(),
            secret: None,
            permissions: texts(&[("contents", "read"), ("metadata", "read")]),
            events: vec!["push".to_owned()],
            installations: Vec::new(),
            sent: Vec::new(),
        });
        (id, pem)
    }

    /// Installs an App for these repositories of an owner.
    ///
    /// # Panics
    /// There is no such App.
    #[allow(clippy::expect_used, reason = "what fails here fails a test")]
    pub fn install(&mut self, app: u64, account: &str, repositories: &[&str]) {
        let id = 50_000_000 + self.next();
        let app = self.apps.iter_mut().find(|one| one.id == app).expect("an App");
        app.installations.push(Installation {
            id,
            account: account.to_owned(),
            repositories: repositories.iter().map(|path| (*path).to_owned()).collect(),
            is_suspended: false,
            permissions: app.permissions.clone(),
            events: app.events.clone(),
        });
    }

    /// The host's time.
    pub(super) fn now(&self) -> SystemTime {
        SystemTime::now() + self.clock_ahead
    }

    /// The App whose valid signature a request shows.
    fn app(&self, authorization: &str) -> Option<&App> {
        let jwt = authorization.strip_prefix("Bearer ")?;
        let (signed, signature) = jwt.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let [header, claims] = [header, claims].map(|part| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice::<Value>(&bytes).ok()
        });
        let (header, claims) = (header?, claims?);
        let now = self.now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let (begins, ends) = (claims["iat"].as_u64()?, claims["exp"].as_u64()?);
        let is_now = begins <= now && now < ends && ends <= now + LONGEST;
        let issuer = claims["iss"].as_str()?;
        let app = self.apps.iter().find(|app| app.id.to_string() == issuer || app.client_id == issuer)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let is_signed = app.keys.iter().any(|key| {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(signed.as_bytes(), &signature).is_ok()
        });
        (header["alg"] == "RS256" && is_now && is_signed).then_some(app)
    }

    /// The token that a request shows, if it is good.
    fn token(&self, authorization: &str) -> Option<&Token> {
        let shown = match authorization.split_once(' ')? {
            ("Bearer" | "token", token) => token.to_owned(),
            ("Basic", encoded) => {
                let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
                decoded.split_once(':')?.1.to_owned()
            }
            _ => return None,
        };
        self.tokens.iter().find(|token| token.token == shown && token.ends > self.now())
    }

    /// Whether a request to this path of the API shows what it has to.
    pub(super) fn accepts_app(&self, path: &str, authorization: &str) -> bool {
        if path.starts_with("/app-manifests/") {
            return true;
        }
        if path == "/app" || path.starts_with("/app/") || path.ends_with("/installation") {
            return self.app(authorization).is_some();
        }
        self.token(authorization).is_some()
    }

    /// The status with which the host answers Git's request for a repository. `None`: it serves it.
    pub(super) fn refuses_git(&mut self, path: &str, authorization: &str, is_public: bool) -> Option<u16> {
        let found = self.token(authorization);
        let permits = |token: &Token| token.repositories.contains(path) && token.permissions.contains_key("contents");
        let status = match found {
            Some(token) if permits(token) => 200,
            _ if is_public && authorization.is_empty() => 200,
            Some(_) => 404,
            None => 401,
        };
        let (repository, token) = (path.to_owned(), found.map(|token| token.token.clone()));
        self.fetches.push(Fetch { repository, token, status });
        (status != 200).then_some(status)
    }

    /// Takes the manifest that a person submits, and returns where the host leads the person, and
    /// with which code. `None`: the host would show an error.
    pub fn submit(&mut self, owner: &str, manifest: &str) -> Option<(String, String)> {
        let manifest: Value = serde_json::from_str(manifest).ok()?;
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let redirect = text("/redirect_url")?;
        let is_complete = text("/name").is_some_and(|name| (1..=34).contains(&name.len()))
            && text("/url").is_some_and(|url| url.starts_with("https://"))
            && text("/hook_attributes/url").is_some_and(|url| url.starts_with("https://"));
        if !is_complete {
            return None;
        }
        let code = hex::encode(rand::random::<[u8; 20]>());
        self.codes.push((code.clone(), owner.to_owned(), manifest));
        Some((redirect, code))
    }

    /// Creates the App of a manifest, once.
    fn convert(&mut self, code: &str, base: &str) -> Option<Reply> {
        let at = self.codes.iter().position(|(known, ..)| known == code)?;
        let (_, owner, manifest) = self.codes.remove(at);
        let (_, pem) = self.add_app(&owner);
        let app = self.apps.last_mut()?;
        manifest.pointer("/hook_attributes/url")?.as_str()?.clone_into(&mut app.url);
        app.secret = Some(hex::encode(rand::random::<[u8; 20]>()));
        app.permissions = serde_json::from_value(manifest["default_permissions"].clone()).ok()?;
        app.events = serde_json::from_value(manifest["default_events"].clone()).ok()?;
        app.slug = manifest["name"].as_str()?.to_lowercase().replace(' ', "-");
        let mut body = described(app, base);
        body["client_secret"] = hex::encode(rand::random::<[u8; 20]>()).into();
        body["webhook_secret"] = app.secret.clone().into();
        body["pem"] = pem.into();
        Some(Reply::json(201, body))
    }

    fn installation(&mut self, app: u64, matches: impl Fn(&Installation) -> bool) -> Option<(App, Installation)> {
        let app = self.apps.iter().find(|one| one.id == app)?;
        let found = app.installations.iter().find(|one| matches(one))?;
        Some((app.clone(), found.clone()))
    }

    fn grant(&mut self, app: u64, id: &str, asked: &Asked) -> Option<Reply> {
        let (_, installation) = self.installation(app, |one| one.id.to_string() == id)?;
        if installation.is_suspended {
            return Some(refused(403, "This installation has been suspended"));
        }
        let names = asked.texts("/repositories");
        let paths: BTreeSet<String> = names.map_or_else(
            || installation.repositories.clone(),
            |names| names.iter().map(|name| format!("{}/{name}", installation.account)).collect(),
        );
        if !paths.is_subset(&installation.repositories) {
            let message = "There is at least one repository that does not exist or is not accessible to the parent \
                installation.";
            return Some(refused(422, message));
        }
        let wanted = asked.body.get("permissions").cloned().and_then(|wanted| serde_json::from_value(wanted).ok());
        let mut permissions: BTreeMap<String, String> = wanted.unwrap_or_else(|| installation.permissions.clone());
        let is_granted = |(name, level): (&String, &String)| {
            installation.permissions.get(name).is_some_and(|granted| granted == level || granted == "write")
        };
        if !permissions.iter().all(is_granted) {
            return Some(refused(422, "The permissions requested are not granted to this installation."));
        }
        permissions.insert("metadata".to_owned(), "read".to_owned());
        // Longer than 40 characters, as they are now.
        let token = format!("ghs_{app}_{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 90]>()));
        let ends = self.now() + self.token_lifetime.unwrap_or(HOUR);
        let of = |path: &String, state: &Self| {
            let known = state.repositories.iter().find(|known| known.path == *path)?;
            Some(of_user(in_full(repository(known, asked.base), asked.base, path)))
        };
        let repositories: Vec<Value> = paths.iter().filter_map(|path| of(path, self)).collect();
        self.tokens.push(Token { token: token.clone(), repositories: paths, permissions: permissions.clone(), ends });
        Some(Reply::json(
            201,
            json!({ "token": token, "expires_at": time(ends), "permissions": permissions,
                "repository_selection": "selected", "repositories": repositories }),
        ))
    }
}

pub(super) fn time(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    jiff::Timestamp::from_second(seconds.try_into().unwrap_or_default()).unwrap_or_default().to_string()
}

fn described(app: &App, base: &str) -> Value {
    json!({ "id": app.id, "slug": app.slug, "node_id": "A_1", "client_id": app.client_id,
        "owner": owner(&app.owner, base), "name": app.slug, "description": null,
        "external_url": "https://git2s3.example.com", "html_url": format!("{base}/apps/{}", app.slug),
        "created_at": TIME, "updated_at": TIME, "permissions": app.permissions, "events": app.events,
        "installations_count": app.installations.len() })
}

fn installed(app: &App, one: &Installation, base: &str) -> Value {
    let suspended = one.is_suspended;
    let by = if suspended { owner(&one.account, base) } else { Value::Null };
    json!({ "id": one.id, "account": owner(&one.account, base), "repository_selection": "selected",
        "access_tokens_url": format!("{base}/api/v3/app/installations/{}/access_tokens", one.id),
        "repositories_url": format!("{base}/api/v3/installation/repositories"),
        "html_url": format!("{base}/organizations/{}/settings/installations/{}", one.account, one.id),
        "app_id": app.id, "app_slug": app.slug, "target_id": 1, "target_type": "Organization",
        "permissions": one.permissions, "events": one.events, "created_at": TIME, "updated_at": TIME,
        "single_file_name": null, "suspended_by": by, "suspended_at": suspended.then_some(TIME) })
}

fn webhook(app: &App) -> Value {
    let mut config = json!({ "content_type": "json", "insecure_ssl": "0" });
    if !app.url.is_empty() {
        config["url"] = app.url.clone().into();
    }
    if app.secret.is_some() {
        config["secret"] = "********".into();
    }
    config
}

/// Whether a request shows an App's signature or token, or creates an App.
pub(super) fn is_of_app(state: &State, asked: &Asked) -> bool {
    asked.parts.first() == Some(&"app-manifests")
        || state.token(asked.authorization).is_some()
        || state.app(asked.authorization).is_some()
}

/// The answer to such a request.
pub(super) fn answer(state: &mut State, asked: &Asked) -> Option<Reply> {
    let base = asked.base;
    if let ("POST", ["app-manifests", code, "conversions"]) = (asked.method, &asked.parts[..]) {
        return state.convert(code, base);
    }
    if let (Some(token), ["repos", owner, name, ..]) = (state.token(asked.authorization), &asked.parts[..]) {
        let path = format!("{owner}/{name}");
        let is_its = token.repositories.contains(&path);
        if let ["statuses", ..] = asked.parts.get(3..).unwrap_or_default() {
            return if is_its && token.permissions.get("statuses").is_some_and(|level| level == "write") {
                let one = state.find(&path)?.clone();
                statuses(state, asked, &one, asked.parts.get(3..).unwrap_or_default())
            } else {
                Some(refused(403, "Resource not accessible by integration"))
            };
        }
        let permits = asked.method == "GET" && is_its && asked.parts.len() == 3;
        let known = state.find(&path).filter(|_| permits).map(|one| one.clone());
        return known.map(|mut one| {
            one.may_administer = false;
            Reply::json(200, in_full(repository(&one, base), base, &path))
        });
    }
    let app = state.app(asked.authorization)?.clone();
    match (asked.method, &asked.parts[..]) {
        ("GET", ["app"]) => Some(Reply::json(200, described(&app, base))),
        ("GET", ["app", "hook", "config"]) => Some(Reply::json(200, webhook(&app))),
        ("PATCH", ["app", "hook", "config"]) => state.apps.iter_mut().find(|one| one.id == app.id).map(|known| {
            if let Some(url) = asked.text("/url") {
                url.clone_into(&mut known.url);
            }
            if let Some(secret) = asked.text("/secret") {
                known.secret = Some(secret.to_owned());
            }
            Reply::json(200, webhook(known))
        }),
        ("GET", ["app", "hook", "deliveries"]) => Some(journal(asked, &app.sent)),
        ("POST", ["app", "hook", "deliveries", id, "attempts"]) => {
            let of = app.sent.iter().find(|one| one.id.to_string() == *id)?.clone();
            state.repetitions.push(Repetition { app: app.id, of });
            Some(Reply::json(202, json!({})))
        }
        ("POST", ["app", "installations", id, "access_tokens"]) => state.grant(app.id, id, asked),
        ("GET", ["repos", owner, name, "installation"]) => {
            let path = format!("{owner}/{name}");
            let found = state.installation(app.id, |one| one.repositories.contains(&path));
            found.map(|(app, one)| Reply::json(200, installed(&app, &one, base)))
        }
        _ => None,
    }
}
