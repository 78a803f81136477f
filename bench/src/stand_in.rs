//! A minimal AWS for a single function, for cases in which the emulator would dominate the
//! measurement: it discards uploads, returns one secret and one private key, and accepts messages.
//! It ignores signatures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use local::http_server;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The data to return.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    /// The value of every secret.
    pub(crate) secret: String,
    /// The plaintext of every decryption.
    pub(crate) private_key: Vec<u8>,
}

/// The endpoint of all services.
#[derive(Debug)]
pub(crate) struct StandIn {
    /// Its URL.
    pub(crate) endpoint: String,
    received: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StandIn {
    /// Starts to listen.
    pub(crate) async fn start(secrets: Secrets) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen as AWS")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let (secrets, received) = (Arc::new(secrets), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&received);
        let task =
            http_server::serve(listener, move |request| answer(Arc::clone(&secrets), Arc::clone(&count), request));
        Ok(Self { endpoint, received, task })
    }

    /// The bytes of all request bodies so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }
}

async fn answer(
    secrets: Arc<Secrets>,
    received: Arc<AtomicU64>,
    mut request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    // Frame by frame, so that discarded data needs no memory.
    while let Some(Ok(frame)) = request.body_mut().frame().await {
        received.fetch_add(frame.data_ref().map_or(0, Bytes::len) as u64, Ordering::SeqCst);
    }
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    match target.rsplit('.').next().unwrap_or_default() {
        "" => object(&request),
        "GetSecretValue" => json_answer(&json!({ "ARN": "arn", "Name": "bench", "SecretString": secrets.secret })),
        "Decrypt" => json_answer(&json!({ "KeyId": "bench", "Plaintext": STANDARD.encode(&secrets.private_key) })),
        "SendMessage" => json_answer(&json!({ "MessageId": "1", "MD5OfMessageBody": "", "SequenceNumber": "1" })),
        _ => json_answer(&json!({})),
    }
}

/// S3, with only the encrypted private key in its buckets.
fn object(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let query = request.uri().query().unwrap_or_default();
    let is_key = request.uri().path().ends_with(crate::account::KEY_OBJECT);
    match *request.method() {
        Method::POST if query.contains("uploads") => {
            xml("<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
        }
        Method::POST => xml("<CompleteMultipartUploadResult><ETag>\"1\"</ETag></CompleteMultipartUploadResult>"),
        Method::PUT => {
            let mut response = xml("");
            response.headers_mut().insert("etag", http::HeaderValue::from_static("\"1\""));
            response
        }
        Method::GET if is_key => xml("ciphertext"),
        Method::DELETE => status(StatusCode::NO_CONTENT, xml("")),
        Method::HEAD => status(StatusCode::NOT_FOUND, xml("")),
        _ => status(StatusCode::NOT_FOUND, xml("<Error><Code>NoSuchKey</Code></Error>")),
    }
}

fn status(status: StatusCode, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    *response.status_mut() = status;
    response
}

fn xml(text: &'static str) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(text.as_bytes())))
}

fn json_answer(value: &Value) -> Response<Full<Bytes>> {
    Response::new(Full::new(value.to_string().into()))
}
