//! Lambda's [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) as a
//! function sees it: it requests the next invocation, and reports its result. So a release binary
//! is measured without an emulator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use local::http_server;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// The longest invocation: Lambda's limit.
const TIMEOUT: Duration = Duration::from_mins(15);

/// A request of the function.
#[derive(Debug)]
enum Event {
    /// It requested the next invocation.
    Asked(Instant),
    /// It sent a response.
    Answered(Instant, Bytes),
    /// It reported an error.
    Failed(Bytes),
}

/// The API of one function.
#[derive(Debug)]
pub(crate) struct Runtime {
    /// Its address.
    pub(crate) address: SocketAddr,
    events: mpsc::UnboundedReceiver<Event>,
    invocations: mpsc::UnboundedSender<Bytes>,
    server: JoinHandle<()>,
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The state of the server.
#[derive(Debug)]
struct State {
    events: mpsc::UnboundedSender<Event>,
    invocations: Mutex<mpsc::UnboundedReceiver<Bytes>>,
}

impl Runtime {
    /// Starts to listen.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen as Lambda's runtime")?;
        let address = listener.local_addr()?;
        let (events, seen) = mpsc::unbounded_channel();
        let (invocations, waiting) = mpsc::unbounded_channel();
        let state = Arc::new(State { events, invocations: Mutex::new(waiting) });
        let server = http_server::serve(listener, move |request| answer(Arc::clone(&state), request));
        Ok(Self { address, events: seen, invocations, server })
    }

    /// Waits until the function requests work.
    pub(crate) async fn asked(&mut self) -> Result<Instant> {
        match self.event().await? {
            Event::Asked(when) => Ok(when),
            Event::Answered(_, body) | Event::Failed(body) => bail!("it said {}", String::from_utf8_lossy(&body)),
        }
    }

    /// Sends an event to a waiting function, and waits for the response.
    pub(crate) async fn invoke(&mut self, event: Bytes) -> Result<(Duration, Bytes)> {
        let begun = Instant::now();
        self.invocations.send(event).ok().context("hand an invocation out")?;
        match self.event().await? {
            Event::Answered(when, body) => Ok((when - begun, body)),
            Event::Failed(body) => bail!("the function failed: {}", String::from_utf8_lossy(&body)),
            Event::Asked(_) => bail!("the function asked again before it answered"),
        }
    }

    async fn event(&mut self) -> Result<Event> {
        let event = tokio::time::timeout(TIMEOUT, self.events.recv()).await.context("wait for the function")?;
        event.context("the runtime has ended")
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let now = Instant::now();
    let path = request.uri().path().to_owned();
    let last = path.rsplit('/').next().unwrap_or_default();
    if last == "next" {
        state.events.send(Event::Asked(now)).ok();
        let invocation = state.invocations.lock().await.recv().await;
        return invocation.map_or_else(|| status(StatusCode::GONE), next);
    }
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let event = if last == "response" { Event::Answered(Instant::now(), body) } else { Event::Failed(body) };
    state.events.send(event).ok();
    status(StatusCode::ACCEPTED)
}

fn next(event: Bytes) -> Response<Full<Bytes>> {
    let deadline = SystemTime::now() + TIMEOUT;
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut response = Response::new(Full::new(event));
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:bench".to_owned()),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".to_owned(),
        ),
        ("content-type", "application/json".to_owned()),
    ];
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
