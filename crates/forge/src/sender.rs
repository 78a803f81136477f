//! The sending side, for tests: creates deliveries like a Git host, or an attacker.

use contract::{ApiSecrets, RefName};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{Delivery, Endpoint, Event, MinimumSignature, Refusal};

/// The secret that [`Request::signed`] signs with.
pub(crate) const SECRET: &str = "s3cret";

pub(crate) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    headers
}

/// The `X-Hub-Signature-256` of a body.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body).finalize();
    format!("sha256={}", hex::encode(mac.into_bytes()))
}

/// The parts of GitHub's push payload that are read, and a few more.
pub(crate) fn github_push(reference: &str, after: &str) -> Value {
    json!({
        "ref": reference, "before": "1".repeat(40), "after": after, "deleted": false, "head_commit": { "id": after, "message": "Say hello" },
        "repository": {
            "name": "hello", "full_name": "octo-org/hello", "default_branch": "main",
            "ssh_url": "git@github.com:octo-org/hello.git", "clone_url": "https://github.com/octo-org/hello.git",
        },
        "pusher": { "name": "octocat" },
    })
}

/// A push of `refs/heads/main` at an ordinary commit.
pub(crate) fn ordinary_push() -> Value {
    github_push("refs/heads/main", &"a".repeat(40))
}

/// A delivery in GitHub's format, with the configuration that receives it.
pub(crate) struct Request {
    pub(crate) delivery: Delivery,
    pub(crate) secrets: &'static str,
    pub(crate) allowed_ips: &'static str,
    pub(crate) repositories: &'static str,
    pub(crate) refs: &'static str,
}

impl Request {
    /// An unsigned push, with a secret and no other configuration.
    pub(crate) fn new(payload: &Value) -> Self {
        let mut delivery = Delivery::new("request-1".parse().unwrap(), payload.to_string().into_bytes());
        delivery.headers = headers(&[("Content-Type", "application/json"), ("X-GitHub-Event", "push")]);
        Self { delivery, secrets: SECRET, allowed_ips: "", repositories: "", refs: "" }
    }

    /// A push as GitHub signs it.
    pub(crate) fn signed(payload: &Value) -> Self {
        let request = Self::new(payload);
        let signature = signature(SECRET, &request.delivery.body);
        request.header("X-Hub-Signature-256", &signature)
    }

    /// Sets this header.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.delivery.headers.insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn receive(&self) -> Result<Event, Refusal> {
        let endpoint = Endpoint {
            allowed_ips: self.allowed_ips.parse().unwrap(),
            allowed_hosts: "github.com,gitlab.com,bitbucket.org,git.example=bitbucket-dc,dev.azure.com"
                .parse()
                .unwrap(),
            repositories: self.repositories.parse().unwrap(),
            refs: self.refs.parse().unwrap(),
            minimum_signature: MinimumSignature::Sha1,
        };
        endpoint.receive(&self.delivery, &ApiSecrets::parse(&self.secrets.into()))
    }

    /// The references to fetch, or the status of the refusal.
    pub(crate) fn outcome(&self) -> Result<Vec<RefName>, u16> {
        match self.receive() {
            Ok(Event::Push(push)) => Ok(push.updates().iter().map(|update| update.reference.clone()).collect()),
            Ok(_) => Ok(Vec::new()),
            Err(refusal) => Err(refusal.status()),
        }
    }
}
