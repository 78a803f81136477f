//! Sends webhooks as a Git host would, signed with the stack's secret, and records the answers.

use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use contract::{RefName, Repository};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::record::{Answer, now};

/// How long an answer may take: API Gateway gives up after 29 s.
const PATIENCE: Duration = Duration::from_mins(1);
/// How much of an answer is kept.
const KEPT: usize = 300;

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Webhook {
    /// GitHub's name of the event.
    pub(super) event: &'static str,
    /// The body, in JSON.
    pub(super) body: Vec<u8>,
}

impl Webhook {
    /// A push to a branch, as GitHub tells of it. The endpoint asks the host for the branch's
    /// current commit, so any commit will do.
    pub(super) fn push(repository: &Repository, branch: &str) -> Self {
        Self { event: "push", body: push(repository, branch).to_string().into_bytes() }
    }

    /// The same with a body of `bytes` bytes, padded by an unused field.
    pub(super) fn push_of(repository: &Repository, branch: &str, bytes: usize) -> Self {
        let mut event = push(repository, branch);
        event["padding"] = "".into();
        let rest = event.to_string().len();
        event["padding"] = "x".repeat(bytes.saturating_sub(rest)).into();
        Self { event: "push", body: event.to_string().into_bytes() }
    }

    /// What a host sends when a webhook is set up.
    pub(super) fn ping() -> Self {
        Self { event: "ping", body: b"{}".to_vec() }
    }
}

fn push(repository: &Repository, branch: &str) -> Value {
    let path = &repository.path;
    json!({
        "ref": format!("refs/heads/{branch}"),
        "before": "0".repeat(40),
        "after": hex::encode(rand::random::<[u8; 20]>()),
        "head_commit": { "message": "infra acceptance" },
        "repository": { "full_name": path.as_str(), "ssh_url": format!("ssh://git@{}/{path}.git", repository.host.as_str()) },
    })
}

/// Whether a text names a branch.
pub(super) fn is_branch(name: &str) -> bool {
    format!("refs/heads/{name}").parse::<RefName>().is_ok()
}

/// Sends webhooks, with the HTTP client that is also used for AWS.
#[derive(Debug)]
pub(super) struct Sender {
    connector: Connector,
    secret: String,
}

impl Sender {
    /// A sender that signs with `secret`.
    pub(super) fn new(secret: &str) -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(PATIENCE).read_timeout(PATIENCE).build();
        let connector = Connector::builder().connector_settings(settings);
        let connector = connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
        Self { connector, secret: secret.to_owned() }
    }

    /// Sends a webhook to a path of the API, with `domain` as host if it isn't the URL's.
    pub(super) async fn send(&self, url: &str, domain: Option<&str>, webhook: &Webhook) -> Answer {
        let (time, begun) = (now(), Instant::now());
        let told = self.told(url, domain, webhook).await;
        let (status, body) = match told {
            Ok((status, body)) => (Some(status), body),
            Err(error) => (None, contract::error_chain(error.as_ref())),
        };
        let path = url.rsplit_once('/').map_or(url, |(_, path)| path);
        Answer {
            time,
            path: format!("/{path}"),
            bytes: webhook.body.len(),
            status,
            body: body.chars().take(KEPT).collect(),
            milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    async fn told(
        &self,
        url: &str,
        domain: Option<&str>,
        webhook: &Webhook,
    ) -> Result<(u16, String), Box<dyn std::error::Error + Send + Sync>> {
        let mut request = HttpRequest::new(webhook.body.clone().into());
        request.set_method("POST")?;
        request.set_uri(url)?;
        let delivery = hex::encode(rand::random::<[u8; 16]>());
        let length = webhook.body.len().to_string();
        let signature = signature(&self.secret, &webhook.body);
        let headers = [
            ("content-type", "application/json"),
            ("content-length", &*length),
            ("user-agent", "git2s3-acceptance"),
            ("x-github-event", webhook.event),
            ("x-github-delivery", &*delivery),
            ("x-hub-signature-256", &*signature),
        ];
        for (name, value) in headers.into_iter().chain(domain.map(|domain| ("host", domain))) {
            request.headers_mut().try_insert(name.to_owned(), value.to_owned())?;
        }
        let response = self.connector.call(request).await?;
        let status = response.status().as_u16();
        let body = ByteStream::new(response.into_body()).collect().await?.into_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// `X-Hub-Signature-256` of a body.
fn signature(secret: &str, body: &[u8]) -> String {
    // HMAC accepts keys of any length.
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map(|mac| mac.chain_update(body).finalize());
    mac.map(|mac| format!("sha256={}", hex::encode(mac.into_bytes()))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_github_s_published_example() {
        assert_eq!(
            signature("It's a Secret to Everybody", b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }

    #[test]
    fn push_body_has_requested_length() {
        let repository = "github.com/acme/rocket".parse().unwrap();
        for bytes in [1_000, 4_600_000] {
            let body = Webhook::push_of(&repository, "main", bytes).body;
            assert_eq!(body.len(), bytes);
            let event: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(event["ref"], "refs/heads/main");
        }
    }
}
