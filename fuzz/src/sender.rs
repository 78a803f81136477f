//! What a sender and an endpoint of these targets know of one another.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::ApiSecrets;
use forge::{Delivery, Endpoint};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue};
use sha1::Sha1;
use sha2::Sha256;

/// The webhook secret; as Standard Webhooks have it, so that it is good for every scheme.
pub(crate) const SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw==";

/// When everything happens.
pub(crate) const NOW: i64 = 1_700_000_000;

/// The hosts that may be fetched from, of every kind.
pub(crate) const HOSTS: &str = "github.com,gitlab.com,bitbucket.org,dev.azure.com,codeberg.org,git.example:7999=bitbucket-dc,localhost=gitea,example.com";

/// What every endpoint here allows.
pub(crate) fn endpoint() -> Endpoint {
    Endpoint { allowed_hosts: HOSTS.parse().unwrap(), ..Endpoint::default() }
}

pub(crate) fn secrets() -> ApiSecrets {
    ApiSecrets::parse(&SECRET.into())
}

/// A delivery with these headers, of which those are left out that HTTP has none like.
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
