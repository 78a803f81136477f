//! Acts like GitHub after a push: the event as JSON, signed, with a delivery ID. Tests of attacks
//! use its parts separately.

use std::time::Duration;

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// A changed reference, as `post-receive` gets it.
#[derive(Clone, Debug)]
pub struct Push {
    /// The commit before. Zeros if the reference is new.
    pub before: String,
    /// The commit after. Zeros if the reference is deleted.
    pub after: String,
    /// Full name of the ref.
    pub reference: String,
    /// First line of the commit's message.
    pub subject: String,
    /// `owner/name`.
    pub repository: String,
    /// The clone URL.
    pub ssh_url: String,
    /// The branch of `HEAD`.
    pub default_branch: String,
}

impl Push {
    /// The body of GitHub's `push` event.
    pub fn body(&self) -> Vec<u8> {
        let deleted = self.after.bytes().all(|byte| byte == b'0');
        let created = self.before.bytes().all(|byte| byte == b'0');
        let head = if deleted { Value::Null } else { json!({ "id": self.after, "message": self.subject }) };
        let (owner, name) = self.repository.rsplit_once('/').unwrap_or(("", &self.repository));
        json!({
            "ref": self.reference,
            "before": self.before,
            "after": self.after,
            "created": created,
            "deleted": deleted,
            "forced": false,
            "head_commit": head,
            "repository": {
                "name": name,
                "full_name": self.repository,
                "owner": { "login": owner, "name": owner },
                "ssh_url": self.ssh_url,
                "default_branch": self.default_branch,
            },
            "pusher": { "name": "developer" },
        })
        .to_string()
        .into_bytes()
    }
}

/// `X-Hub-Signature-256` of a body.
pub fn signature(secret: &str, body: &[u8]) -> String {
    // HMAC accepts keys of any length, even the empty one.
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map(|mac| mac.chain_update(body).finalize());
    mac.map(|mac| format!("sha256={}", hex::encode(mac.into_bytes()))).unwrap_or_default()
}

/// A delivery ID like GitHub's: a random UUID.
pub fn delivery_id() -> String {
    let hex = hex::encode(rand::random::<[u8; 16]>());
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// The response of the endpoint.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body. JSON if it comes from the function.
    pub body: String,
}

/// Sends a body with the given headers, and GitHub's own.
///
/// # Errors
/// The endpoint can't be reached.
pub async fn post(url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer> {
    let mut request = http_client()?.post(url).timeout(Duration::from_secs(30));
    request = request.header("content-type", "application/json").header("user-agent", "GitHub-Hookshot/local");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(body).send().await.context("send the webhook")?;
    let status = answer.status().as_u16();
    Ok(Answer { status, body: answer.text().await.context("read the webhook's answer")? })
}

/// Sends a push as GitHub does, signed with `secret`.
///
/// # Errors
/// The endpoint can't be reached.
pub async fn deliver(url: &str, secret: &str, push: &Push) -> Result<Answer> {
    let body = push.body();
    let (signature, delivery) = (signature(secret, &body), delivery_id());
    let headers = [("x-github-event", "push"), ("x-github-delivery", &*delivery), ("x-hub-signature-256", &*signature)];
    post(url, &headers, body).await
}

/// A client that never uses a proxy: everything is on this machine.
pub(crate) fn http_client() -> Result<reqwest::Client> {
    // The client requires a process-wide TLS provider even for HTTP. A second call finds it
    // installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().build().context("make an HTTP client")
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
    fn deleted_reference_has_no_head_commit() {
        let push = Push {
            before: "1".repeat(40),
            after: "0".repeat(40),
            reference: "refs/heads/old".to_owned(),
            subject: String::new(),
            repository: "acme/rocket".to_owned(),
            ssh_url: "ssh://git@example.org/acme/rocket.git".to_owned(),
            default_branch: "main".to_owned(),
        };
        let event: Value = serde_json::from_slice(&push.body()).unwrap();
        assert_eq!(event["deleted"], true);
        assert_eq!(event["head_commit"], Value::Null);
        assert_eq!(event["repository"]["owner"]["login"], "acme");
    }
}
