//! The response to CloudFormation: one PUT of at most 4,096 bytes to a presigned URL.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref-responses.html>

use std::time::Duration;

use reqwest::{Client, StatusCode, Url, header::CONTENT_TYPE, redirect};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::request::Sender;

/// The largest response that CloudFormation accepts, in bytes.
const MAX_BYTES: usize = 4096;

/// The most attempts to send a response.
const ATTEMPTS: u32 = 5;

/// The pause after the first attempt. It doubles each time.
const BACKOFF: Duration = Duration::from_millis(200);

/// Why a response didn't reach CloudFormation. Never contains the URL, which is presigned.
#[derive(Debug, thiserror::Error)]
pub enum RespondError {
    /// The response can't be serialized.
    #[error("could not serialize the response")]
    Write(#[source] serde_json::Error),
    /// The URL is invalid.
    #[error("the ResponseURL is not a URL")]
    Url,
    /// The URL would send the response unencrypted, or to somewhere other than S3.
    #[error("the ResponseURL is neither https nor loopback http")]
    Insecure,
    /// The HTTP client can't be created.
    #[error("could not create an HTTP client")]
    Client(#[source] reqwest::Error),
    /// The connection failed.
    #[error("could not send the response to CloudFormation")]
    Send(#[source] reqwest::Error),
    /// The server refused the response.
    #[error("the response to CloudFormation was refused with status {0}")]
    Refused(StatusCode),
    /// Time ran out.
    #[error("no time is left to respond to CloudFormation")]
    OutOfTime,
}

/// The outcome.
#[derive(Debug)]
pub(crate) enum Ending {
    Success { physical_resource_id: String, data: Option<Value> },
    Failed { reason: String },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    physical_resource_id: &'a str,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

/// The prefix of the ID of a resource that could not be created: CloudFormation requires an ID even
/// then.
pub(crate) const NEVER_MADE: &str = "never-made/";

/// A response of at most 4,096 bytes. If the attributes don't fit, a success becomes a failure. A
/// reason that doesn't fit is truncated.
pub(crate) fn body(sender: &Sender, outcome: &Ending) -> Result<String, serde_json::Error> {
    match outcome {
        Ending::Success { physical_resource_id, data } => {
            let body = write(sender, "SUCCESS", "", physical_resource_id, data.as_ref())?;
            if body.len() <= MAX_BYTES {
                return Ok(body);
            }
            failed(sender, &format!("the attributes have {} bytes, CloudFormation accepts {MAX_BYTES}", body.len()))
        }
        Ending::Failed { reason } => failed(sender, reason),
    }
}

fn failed(sender: &Sender, reason: &str) -> Result<String, serde_json::Error> {
    let never_made = format!("{NEVER_MADE}{}", sender.request_id);
    let id = sender.physical_resource_id.as_deref().unwrap_or(&never_made);
    let mut reason = if reason.is_empty() { "no reason was given" } else { reason };
    loop {
        let body = write(sender, "FAILED", reason, id, None)?;
        let excess = body.len().saturating_sub(MAX_BYTES);
        if excess == 0 || reason.is_empty() {
            return Ok(body);
        }
        // A character takes at most six bytes (\u0000) for each of its own, so this never removes
        // too much.
        let kept = reason.len() - excess.div_ceil(6).min(reason.len());
        reason = reason.get(..reason.floor_char_boundary(kept)).unwrap_or_default();
    }
}

fn write(
    sender: &Sender,
    status: &'static str,
    reason: &str,
    physical_resource_id: &str,
    data: Option<&Value>,
) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Body {
        status,
        reason,
        physical_resource_id,
        stack_id: &sender.stack_id,
        request_id: &sender.request_id,
        logical_resource_id: &sender.logical_resource_id,
        data,
    })
}

/// Sends the response, with retries after failures that may pass: network, throttling, server
/// errors.
pub(crate) async fn respond(sender: &Sender, outcome: &Ending, deadline: Instant) -> Result<(), RespondError> {
    let body = body(sender, outcome).map_err(RespondError::Write)?;
    let url = response_url(sender)?;
    let client = client()?;
    let attempts = async {
        for attempt in 0..ATTEMPTS {
            match put(&client, url.clone(), body.clone()).await {
                Err(error) if attempt + 1 < ATTEMPTS && error.may_pass() => {
                    tracing::warn!(%error, "retrying the response to CloudFormation");
                    sleep(BACKOFF * 2_u32.pow(attempt)).await;
                }
                result => return result,
            }
        }
        Err(RespondError::OutOfTime)
    };
    timeout_at(deadline, attempts).await.unwrap_or(Err(RespondError::OutOfTime))
}

fn response_url(sender: &Sender) -> Result<Url, RespondError> {
    let url = Url::parse(sender.response_url.expose_secret()).map_err(|_| RespondError::Url)?;
    let local = url.host_str().is_some_and(is_loopback);
    if url.scheme() == "https" || (url.scheme() == "http" && local) { Ok(url) } else { Err(RespondError::Insecure) }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn client() -> Result<Client, RespondError> {
    // The first one wins. An already installed one is no error.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = Client::builder().redirect(redirect::Policy::none()).no_proxy().timeout(Duration::from_secs(10));
    builder.build().map_err(|error| RespondError::Client(error.without_url()))
}

async fn put(client: &Client, url: Url, body: String) -> Result<(), RespondError> {
    // The signature covers an empty content type.
    let request = client.put(url).header(CONTENT_TYPE, "").body(body);
    let answer = request.send().await.map_err(|error| RespondError::Send(error.without_url()))?;
    if answer.status().is_success() { Ok(()) } else { Err(RespondError::Refused(answer.status())) }
}

impl RespondError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Send(_) => true,
            Self::Refused(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn sender(url: &str) -> Sender {
        Sender::read(&json!({
            "ResponseURL": url, "StackId": "arn:stack", "RequestId": "r1", "LogicalResourceId": "SshKey",
        }))
        .unwrap()
    }

    fn parsed(outcome: &Ending) -> Value {
        let body = body(&sender("https://s3.example"), outcome).unwrap();
        assert!(body.len() <= MAX_BYTES, "{}", body.len());
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn success_carries_the_attributes() {
        let data = json!({ "PublicKey": "ssh-ed25519 AAAA" });
        let outcome = Ending::Success { physical_resource_id: "k".into(), data: Some(data.clone()) };
        assert_eq!(
            parsed(&outcome),
            json!({
                "Status": "SUCCESS", "PhysicalResourceId": "k", "StackId": "arn:stack", "RequestId": "r1",
                "LogicalResourceId": "SshKey", "Data": data,
            })
        );
    }

    #[test]
    fn oversized_attributes_become_failure() {
        let data = Some(json!({ "PublicKey": "a".repeat(5000) }));
        let answer = parsed(&Ending::Success { physical_resource_id: "k".into(), data });
        assert_eq!(answer["Status"], "FAILED");
        assert!(answer["Reason"].as_str().unwrap().contains("CloudFormation accepts 4096"));
    }

    #[test]
    fn failure_response_has_id_and_reason() {
        let answer = parsed(&Ending::Failed { reason: String::new() });
        assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("FAILED"), &json!("never-made/r1")));
        assert_eq!(answer["Reason"], "no reason was given");
    }

    #[test]
    fn response_url_is_https_or_local() {
        for good in [
            "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/x?X-Amz-Signature=1",
            "http://127.0.0.1:4566/x",
            "http://localhost:1/x",
            "http://[::1]:1/x",
        ] {
            assert!(response_url(&sender(good)).is_ok(), "{good}");
        }
        for bad in
            ["http://example.com/x", "http://127.0.0.1.example.com/", "ftp://127.0.0.1/", "http://169.254.169.254/"]
        {
            assert!(matches!(response_url(&sender(bad)), Err(RespondError::Insecure)), "{bad}");
        }
        assert!(matches!(response_url(&sender("nonsense")), Err(RespondError::Url)));
    }

    #[test]
    fn the_url_is_not_shown() {
        assert!(!format!("{:?}", sender("https://s3.example/?X-Amz-Signature=abc")).contains("Signature"));
    }

    #[tokio::test]
    async fn connection_error_omits_url() {
        let url = response_url(&sender("http://127.0.0.1:9/answer?X-Amz-Signature=abc")).unwrap();
        let error = put(&client().unwrap(), url, String::new()).await.unwrap_err();
        assert!(error.may_pass());
        let RespondError::Send(source) = &error else { panic!("{error:?}") };
        assert!(!format!("{error:?} {source} {source:?}").contains("Signature"));
    }

    proptest! {
        #[test]
        fn long_reason_is_cut_to_fit(reason in proptest::collection::vec(any::<char>(), 0..6000)) {
            let reason: String = reason.into_iter().collect();
            let answer = body(&sender("https://s3.example"), &Ending::Failed { reason: reason.clone() }).unwrap();
            prop_assert!(answer.len() <= MAX_BYTES);
            let kept = serde_json::from_str::<Value>(&answer).unwrap()["Reason"].as_str().unwrap().to_owned();
            prop_assert!(reason.starts_with(&kept) || reason.is_empty());
            prop_assert!(kept.len() == reason.len() || answer.len() > MAX_BYTES - 12 || reason.is_empty());
        }
    }
}
