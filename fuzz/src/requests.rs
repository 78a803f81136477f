//! API Gateway's events: every request gets a response, and a job is queued only for senders who
//! know the secret.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use anyhow::Result;
use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::{Job, Worker};
use forge::AuthenticJob;
use secrecy::SecretString;
use secret::SecretSource;
use tokio::runtime::{Builder, Runtime};
use webhook::{JobSink, Webhook};

use crate::sender::{self, SECRET};

thread_local! {
    static TOKIO: Runtime = Builder::new_current_thread().enable_time().build().unwrap();
}

/// A source with the secret.
#[derive(Debug)]
struct Known;

impl SecretSource for Known {
    async fn read(&self) -> Result<SecretString> {
        Ok(SECRET.into())
    }
}

/// The queued jobs.
#[derive(Debug, Default)]
struct Queued(RefCell<Vec<AuthenticJob>>);

impl JobSink for &Queued {
    async fn send(&self, _worker: Worker, jobs: &[AuthenticJob]) -> Result<()> {
        self.0.borrow_mut().extend_from_slice(jobs);
        Ok(())
    }
}

/// The input is the event.
pub fn requests(data: &[u8]) {
    let Ok(mut request) = serde_json::from_slice::<ApiGatewayProxyRequest>(data) else { return };
    // This scheme has its own target, because it signs more than the body.
    request.headers.remove("webhook-signature");
    request.multi_value_headers.remove("webhook-signature");
    let proven = proven(&request);
    let queued = Queued::default();
    let webhook = Webhook::new(sender::endpoint(), Known, &queued);
    let answer = TOKIO
        .with(|tokio| tokio.block_on(webhook.handle(request, "request-1", Instant::now() + Duration::from_mins(1))));
    let jobs = queued.0.borrow();
    // An event that API Gateway wouldn't send is an error, which Lambda logs.
    let Ok(answer) = answer else {
        assert!(jobs.is_empty());
        return;
    };
    assert!(matches!(answer.status_code, 200 | 202 | 400 | 401 | 403 | 413 | 415), "{answer:?}");
    assert_eq!(answer.status_code == 202, !jobs.is_empty(), "{answer:?}");
    assert!(proven || answer.status_code >= 400, "{answer:?}");
    for job in jobs.iter() {
        assert_eq!(serde_json::from_str::<Job>(&serde_json::to_string(job).unwrap()).unwrap(), **job);
    }
}

/// Whether a header proves knowledge of the secret for this body.
fn proven(request: &ApiGatewayProxyRequest) -> bool {
    let text = request.body.clone().unwrap_or_default();
    let body = if request.is_base64_encoded { STANDARD.decode(text).unwrap_or_default() } else { text.into_bytes() };
    let payload =
        form_urlencoded::parse(&body).find(|(name, _)| name == "payload").map(|(_, value)| value.into_owned());
    let signed = [body, payload.unwrap_or_default().into_bytes()];
    let codes = signed.iter().flat_map(|signed| [sender::sha256(signed), sender::sha1(signed)]);
    let proofs: Vec<_> = codes.chain([SECRET.to_lowercase()]).collect();
    [&request.headers, &request.multi_value_headers].into_iter().flat_map(|headers| headers.values()).any(|value| {
        let shown = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let basic = shown.get(6..).and_then(|password| STANDARD.decode(password.trim()).ok()).unwrap_or_default();
        let shown = [shown.to_lowercase(), String::from_utf8_lossy(&basic).to_lowercase()];
        proofs.iter().any(|proof| shown.iter().any(|shown| shown.contains(proof)))
    })
}
