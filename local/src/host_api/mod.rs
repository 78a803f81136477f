//! The management APIs of the Git hosts over HTTPS: repositories, deploy keys, webhooks, deliveries
//! and statuses of commits, with the traps of each host. What was changed stays changed, faults can
//! be planted, and all exchanges are kept, so that a test can compare them with the hosts'
//! specifications.
//!
//! Each kind of host has its own loopback address, so that one configuration can have all of them.

mod azure;
mod bitbucket_cloud;
mod bitbucket_dc;
mod gitea;
mod github;
mod github_app;
mod gitlab;
mod state;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use contract::HostKind;
use git_http::Authority;
use http::{Method, Request, Response, header};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use self::github_app::{App, Fetch, Installation, Token};
pub use self::state::{Hook, Key, Repetition, Repository, Sent, State, Status, Test};
use crate::archives::{PUBLIC, address};
use crate::process::free_port;

/// The token that all hosts accept.
pub const TOKEN: &str = "stand-in-token-of-a-person";

/// A request and its response.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The kind of the host.
    pub kind: HostKind,
    /// The method.
    pub method: Method,
    /// Path and query below the base of the API.
    pub target: String,
    /// The request's body.
    pub request: Option<Value>,
    /// The response's status.
    pub status: u16,
    /// The response's body.
    pub response: Option<Value>,
    /// Whether the response is a planted fault.
    pub is_planted: bool,
}

/// A fault to plant.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The method of the requests that it affects.
    pub method: Method,
    /// A part of their path.
    pub part: &'static str,
    /// How many of them.
    pub times: usize,
    /// The status of the response.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its message.
    pub message: &'static str,
    /// Its body instead of one with the message: any answer can be planted.
    pub body: Option<Value>,
}

impl Fault {
    /// A fault with this status in the next response to such a request.
    pub fn once(method: Method, part: &'static str, status: u16) -> Self {
        Self { method, part, times: 1, status, headers: Vec::new(), message: "", body: None }
    }
}

/// The servers of all kinds, which run until this is dropped.
#[derive(Debug)]
pub struct HostApis {
    /// Their common port.
    pub port: u16,
    /// The certificate authority in PEM.
    pub ca: String,
    servers: Vec<Server>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for HostApis {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl HostApis {
    /// Starts a server of each kind, without repositories.
    ///
    /// # Errors
    /// An address doesn't exist, or no port is free on all of them.
    pub async fn start() -> Result<Self> {
        Self::start_with(None).await
    }

    /// The same with Git over HTTPS at GitHub: for the bare repositories in `root`, with the tokens
    /// of Apps.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub async fn start_with_git(root: PathBuf) -> Result<Self> {
        Self::start_with(Some(root)).await
    }

    async fn start_with(root: Option<PathBuf>) -> Result<Self> {
        let authority = Authority::new()?;
        let tls = authority.acceptor(HostKind::ALL.map(|kind| address(kind).to_string()).to_vec())?;
        let port = free_port()?;
        let mut apis = Self { port, ca: authority.pem(), servers: Vec::new(), tasks: Vec::new() };
        for kind in HostKind::ALL {
            let listener = TcpListener::bind(SocketAddr::new(address(kind), port)).await.context("listen for APIs")?;
            let base = format!("https://{}:{port}", address(kind));
            let server = Server { kind, base, root: root.clone(), inner: Arc::default() };
            let answering = server.clone();
            let answer = move |request| {
                let server = answering.clone();
                async move { server.respond(&request) }
            };
            apis.tasks.push(tokio::spawn(git_http::serve(listener, tls.clone(), answer)));
            apis.servers.push(server);
        }
        Ok(apis)
    }

    /// The host's entry in `AllowedGitHosts`.
    pub fn entry(&self, kind: HostKind) -> String {
        let (address, port) = (address(kind), self.port);
        format!("{address} kind={kind} web=https://{address}:{port} private")
    }

    /// What a host contains. A test may change it. Requests wait until it is released.
    ///
    /// # Panics
    /// There is no server of this kind, which can't be.
    pub fn state(&self, kind: HostKind) -> impl std::ops::DerefMut<Target = State> {
        Locked(self.server(kind).lock())
    }

    /// Makes a host fail.
    ///
    /// # Panics
    /// See [`state`](Self::state).
    pub fn plant(&self, kind: HostKind, fault: Fault) {
        self.server(kind).lock().faults.push(fault);
    }

    /// Removes the faults that weren't used.
    ///
    /// # Panics
    /// See [`state`](Self::state).
    pub fn unplant(&self, kind: HostKind) {
        self.server(kind).lock().faults.clear();
    }

    /// The exchanges with all hosts so far.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.servers.iter().flat_map(|server| server.lock().exchanges.clone()).collect()
    }

    #[allow(clippy::expect_used, reason = "start makes one of each kind")]
    fn server(&self, kind: HostKind) -> &Server {
        self.servers.iter().find(|server| server.kind == kind).expect("a server of each kind")
    }
}

struct Locked<'a>(MutexGuard<'a, Inner>);

impl std::ops::Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0.state
    }
}

impl std::ops::DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.0.state
    }
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    faults: Vec<Fault>,
    exchanges: Vec<Exchange>,
}

#[derive(Clone, Debug)]
struct Server {
    kind: HostKind,
    /// The base of its URLs.
    base: String,
    /// The folder with the bare repositories that it serves over HTTPS.
    root: Option<PathBuf>,
    inner: Arc<Mutex<Inner>>,
}

/// A request as the hosts see it.
struct Asked<'a> {
    method: &'a str,
    /// The segments of the path below the API's base, decoded.
    parts: Vec<&'a str>,
    query: &'a BTreeMap<String, String>,
    body: &'a Value,
    /// The header of this name.
    authorization: &'a str,
    /// The header of this name.
    if_none_match: &'a str,
    /// The base of the server's URLs.
    base: &'a str,
}

impl Asked<'_> {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    fn number(&self, name: &str, default: usize) -> usize {
        self.query(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// A text in the body.
    fn text(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer).and_then(Value::as_str)
    }

    fn flag(&self, pointer: &str) -> Option<bool> {
        self.body.pointer(pointer).and_then(Value::as_bool)
    }

    /// The texts of a list in the body.
    fn texts(&self, pointer: &str) -> Option<Vec<String>> {
        let list = self.body.pointer(pointer)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }
}

/// A response.
struct Reply {
    status: u16,
    body: Option<Value>,
    headers: Vec<(&'static str, String)>,
}

impl Reply {
    fn json(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), headers: Vec::new() }
    }

    fn empty(status: u16) -> Self {
        Self { status, body: None, headers: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One page of a list, and whether there is another one. Pages begin with 1.
fn page<T>(list: Vec<T>, size: usize, number: usize) -> (Vec<T>, bool) {
    let size = size.clamp(1, 100);
    let from = number.saturating_sub(1) * size;
    let more = list.len() > from + size;
    (list.into_iter().skip(from).take(size).collect(), more)
}

/// The pages of GitHub and GitLab, which name the next one in a header.
fn linked(asked: &Asked, list: Vec<Value>) -> Reply {
    let number = asked.number("page", 1);
    let (entries, more) = page(list, asked.number("per_page", 30), number);
    let reply = Reply::json(200, entries.into());
    let link = format!("<{}/{}?page={}>; rel=\"next\"", asked.base, asked.parts.join("/"), number + 1);
    if more { reply.with("link", link) } else { reply }
}

/// The UUID that stands for a number.
fn uuid(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// The number that a UUID stands for.
fn number(uuid: &str) -> Option<u64> {
    uuid.trim_matches(['{', '}']).rsplit('-').next()?.parse().ok()
}

impl Server {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        if self.kind == HostKind::GitHub && !request.uri().path().starts_with("/api/v3/") {
            return self.web(request).unwrap_or_else(|| plain_response(404, ""));
        }
        let reply = self.reply(request);
        let mut response = Response::builder().status(reply.status).header("content-type", "application/json");
        if let Ok(now) = jiff::Timestamp::try_from(self.lock().state.now()) {
            let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
            response = response.header(header::DATE, date.unwrap_or_default());
        }
        for (name, value) in &reply.headers {
            response = response.header(*name, value);
        }
        let text = reply.body.map(|body| body.to_string()).unwrap_or_default();
        response.body(Full::new(text.into())).unwrap_or_default()
    }

    /// What isn't the API: Git, and the page that takes an App's manifest.
    fn web(&self, request: &Request<Bytes>) -> Option<Response<Full<Bytes>>> {
        let path = request.uri().path();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let owner = match (request.method().as_str(), &parts[..]) {
            ("POST", ["settings", "apps", "new"]) => "person",
            ("POST", ["organizations", organisation, "settings", "apps", "new"]) => organisation,
            _ => return self.git(request),
        };
        let fields = |text: &[u8], name: &str| {
            form_urlencoded::parse(text).find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
        };
        let state = fields(request.uri().query().unwrap_or_default().as_bytes(), "state").unwrap_or_default();
        let manifest = fields(request.body(), "manifest")?;
        let Some((redirect, code)) = self.lock().state.submit(owner, &manifest) else {
            return Some(plain_response(422, "the manifest is not valid"));
        };
        let query: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs([("code", &code), ("state", &state)]).finish();
        let response = Response::builder().status(302).header(header::LOCATION, format!("{redirect}?{query}"));
        response.body(Full::default()).ok()
    }

    /// Git over HTTPS, for what an App's token may read, and for what is public.
    fn git(&self, request: &Request<Bytes>) -> Option<Response<Full<Bytes>>> {
        let (root, path) = (self.root.as_ref()?, request.uri().path());
        let (repository, _) = path.trim_start_matches('/').split_once(".git/")?;
        let bare = root.join(format!("{repository}.git"));
        let is_public = bare.join(PUBLIC).exists();
        let authorization = authorization(request);
        match self.lock().state.refuses_git(repository, authorization, is_public) {
            None => git_http::backend(root, path, request).ok().map(|response| response.map(Full::new)),
            Some(401) => {
                let response = Response::builder().status(401).header("www-authenticate", "Basic realm=\"GitHub\"");
                response.body(Full::default()).ok()
            }
            Some(status) => Some(plain_response(status, "Repository not found.")),
        }
    }

    fn reply(&self, request: &Request<Bytes>) -> Reply {
        let prefix = match self.kind {
            HostKind::GitHub => "/api/v3",
            HostKind::GitLab => "/api/v4",
            HostKind::Bitbucket => "/2.0",
            HostKind::BitbucketDataCenter => "/rest",
            HostKind::Gitea => "/api/v1",
            HostKind::Azure => "",
        };
        let whole = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let Some(target) = whole.strip_prefix(prefix) else { return self.refusal(404, "no such API") };
        let mut inner = self.lock();
        if let Some(jwt) = authorization(request).strip_prefix("Bearer ").filter(|shown| shown.starts_with("eyJ")) {
            inner.state.jwts.push(jwt.to_owned());
        }
        let body: Option<Value> = serde_json::from_slice(request.body()).ok();
        let planted = plant(&mut inner.faults, request.method(), target);
        let is_planted = planted.is_some();
        let reply = match planted {
            Some(fault) => {
                let mut reply = self.refusal(fault.status, fault.message);
                reply.headers = fault.headers;
                reply.body = fault.body.or(reply.body);
                reply
            }
            None if !self.accepts(request, &inner.state, target) => self.refusal(401, "Bad credentials"),
            None if !request.body().is_empty() && !is_json(request) => self.refusal(415, "send application/json"),
            None => self.ask(&mut inner.state, request, target, body.as_ref().unwrap_or(&Value::Null)),
        };
        let exchange = Exchange {
            kind: self.kind,
            method: request.method().clone(),
            target: target.to_owned(),
            request: body,
            status: reply.status,
            response: reply.body.clone(),
            is_planted,
        };
        inner.exchanges.push(exchange);
        reply
    }

    fn ask(&self, state: &mut State, request: &Request<Bytes>, target: &str, body: &Value) -> Reply {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        // Decoded as in a form, in which only a plus differs.
        let decoded = |text: &str| {
            form_urlencoded::parse(text.replace('+', "%2B").as_bytes()).next().map(|(text, _)| text.into_owned())
        };
        let parts: Vec<String> = path.split('/').skip(1).map(|part| decoded(part).unwrap_or_default()).collect();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let parts = parts.iter().map(String::as_str).collect();
        let (method, authorization) = (request.method().as_str(), authorization(request));
        let if_none_match = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let if_none_match = if_none_match.unwrap_or_default();
        let asked = Asked { method, parts, query: &query, body, authorization, if_none_match, base: &self.base };
        let answer = match self.kind {
            HostKind::GitHub => github::answer,
            HostKind::GitLab => gitlab::answer,
            HostKind::Bitbucket => bitbucket_cloud::answer,
            HostKind::BitbucketDataCenter => bitbucket_dc::answer,
            HostKind::Gitea => gitea::answer,
            HostKind::Azure => azure::answer,
        };
        answer(state, &asked).unwrap_or_else(|| self.refusal(404, "Not Found"))
    }

    /// A failure in the host's format.
    fn refusal(&self, status: u16, message: &str) -> Reply {
        let body = match self.kind {
            HostKind::GitHub => json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }),
            HostKind::GitLab | HostKind::Azure => json!({ "message": message }),
            HostKind::Bitbucket => json!({ "type": "error", "error": { "message": message } }),
            HostKind::BitbucketDataCenter => json!({ "errors": [{ "message": message }] }),
            HostKind::Gitea => json!({ "message": message, "url": "https://git.example/api/swagger" }),
        };
        Reply::json(status, body)
    }

    /// Whether the request has the token in a form that the host accepts.
    fn accepts(&self, request: &Request<Bytes>, state: &State, target: &str) -> bool {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let authorization = authorization(request);
        let bearer = authorization == format!("Bearer {TOKEN}");
        let path = target.split('?').next().unwrap_or_default();
        match self.kind {
            HostKind::GitHub if state.accepts_app(path, authorization) => true,
            HostKind::GitHub | HostKind::Gitea => bearer || authorization == format!("token {TOKEN}"),
            HostKind::GitLab => bearer || header("private-token") == Some(TOKEN),
            HostKind::Bitbucket | HostKind::BitbucketDataCenter => {
                bearer || authorization == format!("Basic {}", STANDARD.encode(format!("person@example.org:{TOKEN}")))
            }
            HostKind::Azure => bearer || authorization == format!("Basic {}", STANDARD.encode(format!(":{TOKEN}"))),
        }
    }
}

fn authorization(request: &Request<Bytes>) -> &str {
    request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn plain_response(status: u16, text: &'static str) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "text/plain");
    response.body(Full::new(text.into())).unwrap_or_default()
}

fn is_json(request: &Request<Bytes>) -> bool {
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media.is_some_and(|media| media.starts_with("application/json"))
}

/// The planted fault for a request, which is used up.
fn plant(faults: &mut Vec<Fault>, method: &Method, target: &str) -> Option<Fault> {
    let at = faults.iter().position(|fault| fault.method == *method && target.contains(fault.part))?;
    let fault = faults.get_mut(at)?;
    fault.times = fault.times.saturating_sub(1);
    let found = fault.clone();
    if found.times == 0 {
        faults.remove(at);
    }
    Some(found)
}
