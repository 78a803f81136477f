//! A proxy between the functions and their AWS account that injects faults: it forwards every call
//! unchanged, including the signature, except for those that a test has named.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::peer::Connection;

/// Calls that fail.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The IAM action without its service: `PutObject`, `Decrypt`.
    pub action: &'static str,
    /// A substring of the call's path, or of its body if the path says nothing.
    pub about: String,
    /// How many such calls succeed before.
    pub skip: usize,
    /// How many fail after that.
    pub times: usize,
    /// How they fail.
    pub how: How,
}

/// How a call fails.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// AWS responds with this status and error code, and does nothing.
    Answer(u16, &'static str),
    /// The connection is reset before AWS gets the call.
    Reset,
    /// AWS executes the call, but the response is lost.
    Lost,
    /// AWS never responds.
    Silence,
    /// The caller is killed before AWS gets the call.
    Kill,
    /// AWS executes the call, but the caller is killed before the response.
    KillAfter,
}

/// The proxy.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Debug, Default)]
struct State {
    target: OnceLock<String>,
    http: reqwest::Client,
    faults: Mutex<Vec<Fault>>,
    calls: Mutex<BTreeMap<String, usize>>,
}

impl FaultProxy {
    /// A proxy without a target.
    ///
    /// # Errors
    /// It can't listen on any port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen as a proxy")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { http: crate::webhook::http_client()?, ..State::default() });
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { address, state, server })
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forwards calls to the account at `endpoint`. Only the first call of this counts.
    pub fn forward_to(&self, endpoint: &str) {
        self.state.target.get_or_init(|| endpoint.to_owned());
    }

    /// Lets these calls fail.
    pub fn add(&self, fault: Fault) {
        lock(&self.state.faults).push(fault);
    }

    /// The faults that haven't happened yet.
    pub fn left(&self) -> Vec<Fault> {
        lock(&self.state.faults).clone()
    }

    /// The number of calls of each action.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        lock(&self.state.calls).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((connection, _)) = listener.accept().await {
        connection.set_nodelay(true).ok();
        let Ok(caller) = Connection::of(&connection) else { continue };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&state), caller, request));
            // Functions that disconnect are part of the tests.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await);
        });
    }
}

/// Handles a call. An error closes the connection without a response.
async fn answer(state: Arc<State>, caller: Connection, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.context("read a call")?.to_bytes();
    let action = action(&head.method, &head.uri, &head.headers);
    *lock(&state.calls).entry(action.clone()).or_default() += 1;
    let how = state.strike(&action, &head.uri, &body);
    match how {
        None | Some(How::Lost | How::KillAfter) => {}
        Some(How::Answer(status, code)) => return refusal(&head.headers, status, code),
        Some(How::Reset) => anyhow::bail!("reset"),
        Some(How::Silence) => std::future::pending().await,
        Some(How::Kill) => {
            caller.kill_client()?;
            anyhow::bail!("killed");
        }
    }
    let answer = state.forward(head, body).await?;
    match how {
        Some(How::KillAfter) => caller.kill_client()?,
        Some(How::Lost) => {}
        _ => return Ok(answer),
    }
    anyhow::bail!("the answer is lost")
}

impl State {
    /// The fault for a call, which is counted as used.
    fn strike(&self, action: &str, uri: &Uri, body: &[u8]) -> Option<How> {
        let mut faults = lock(&self.faults);
        let is_about = |about: &str| {
            uri.path().contains(about) || body.windows(about.len().max(1)).any(|part| part == about.as_bytes())
        };
        let index = faults.iter().position(|fault| fault.action == action && is_about(&fault.about))?;
        let fault = faults.get_mut(index)?;
        if let Some(skip) = fault.skip.checked_sub(1) {
            fault.skip = skip;
            return None;
        }
        let how = fault.how;
        fault.times -= 1;
        if fault.times == 0 {
            faults.remove(index);
        }
        Some(how)
    }

    async fn forward(&self, head: http::request::Parts, body: Bytes) -> Result<Response<Full<Bytes>>> {
        let target = self.target.get().context("there is no account yet")?;
        let path = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut headers = head.headers;
        for name in [header::TRANSFER_ENCODING, header::CONNECTION] {
            headers.remove(name);
        }
        let request = self.http.request(head.method, format!("{target}{path}")).headers(headers).body(body);
        let answer = request.send().await.context("pass a call on")?;
        let mut response = Response::builder().status(answer.status());
        let hop = |name: &HeaderName| *name == header::TRANSFER_ENCODING || *name == header::CONNECTION;
        for (name, value) in answer.headers().iter().filter(|(name, _)| !hop(name)) {
            response = response.header(name, value);
        }
        response.body(Full::new(answer.bytes().await.context("read an answer")?)).context("pass an answer back")
    }
}

/// The action of a call: most services send it in a header. For S3, it follows from the method and
/// the query.
fn action(method: &Method, uri: &Uri, headers: &HeaderMap) -> String {
    if let Some(target) = headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let query: Vec<&str> =
        uri.query().unwrap_or_default().split('&').map(|part| part.split('=').next().unwrap_or_default()).collect();
    let action = match (method.as_str(), query.contains(&"uploadId"), query.contains(&"uploads")) {
        ("PUT", true, _) => "UploadPart",
        ("PUT", false, _) => "PutObject",
        ("POST", true, _) => "CompleteMultipartUpload",
        ("POST", false, true) => "CreateMultipartUpload",
        ("POST", false, false) => "DeleteObjects",
        ("DELETE", true, _) => "AbortMultipartUpload",
        ("HEAD", ..) => "HeadObject",
        ("GET", _, true) => "ListMultipartUploads",
        ("GET", false, false) => "GetObject",
        _ => "unknown",
    };
    action.to_owned()
}

/// An error in the service's format: XML for S3, JSON for the others.
fn refusal(headers: &HeaderMap, status: u16, code: &str) -> Result<Response<Full<Bytes>>> {
    let response = Response::builder().status(status);
    let refusal = if headers.contains_key("x-amz-target") {
        let body = serde_json::json!({ "__type": code, "message": "injected" }).to_string();
        response.header(header::CONTENT_TYPE, "application/x-amz-json-1.1").body(Full::from(body))
    } else {
        let body = format!("<Error><Code>{code}</Code><Message>injected</Message></Error>");
        response.header(header::CONTENT_TYPE, "application/xml").body(Full::from(body))
    };
    refusal.context("refuse a call")
}
