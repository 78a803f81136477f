//! The shared data of senders and endpoints.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::ApiSecrets;
use forge::{Delivery, Endpoint};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue};
use sha1::Sha1;
use sha2::Sha256;

/// The webhook secret, in the format of Standard Webhooks, so that it is valid for all schemes.
pub(crate) const SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw==";

/// The time of everything.
pub(crate) const NOW: i64 = 1_700_000_000;

/// The allowed hosts, of every kind.
pub(crate) const HOSTS: &str = "github.com,gitlab.com,bitbucket.org,dev.azure.com,codeberg.org,git.example:7999=bitbucket-dc,localhost=gitea,example.com";

/// The configuration of all endpoints here.
pub(crate) fn endpoint() -> Endpoint {
    Endpoint { allowed_hosts: HOSTS.parse().unwrap(), ..Endpoint::default() }
}

pub(crate) fn secrets() -> ApiSecrets {
    ApiSecrets::parse(&SECRET.into())
}

/// A delivery with these headers. Invalid HTTP headers are omitted.
pub(crate) fn delivery(body: &[u8], headers: &[(&str, &[u8])]) -> Delivery {
    let mut delivery = Delivery::new("request-1".parse().unwrap(), body.to_vec());
    delivery.received_at = NOW;
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            delivery.headers.append(name, value);
        }
    }
    delivery
}

pub(crate) fn sha256(body: &[u8]) -> String {
    hex::encode(Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(body).finalize().into_bytes())
}

pub(crate) fn sha1(body: &[u8]) -> String {
    hex::encode(Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(body).finalize().into_bytes())
}

/// The signature of Standard Webhooks, without its version.
pub(crate) fn standard(id: &str, seconds: &str, body: &[u8]) -> String {
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body].concat();
    STANDARD.encode(Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(signed).finalize().into_bytes())
}
