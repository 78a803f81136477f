//! Proof by a shared secret. Whoever sends such a proof has to be right: a header that doesn't verify is
//! never made up for by another header or by the address.
//!
//! - [GitHub](https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries):
//!   `X-Hub-Signature-256`, and before it `X-Hub-Signature`. Bitbucket puts SHA-256 into the latter, so its
//!   own prefix says which hash it holds, not the sender.
//! - [GitLab](https://docs.gitlab.com/user/project/integrations/webhooks/): `X-Gitlab-Token`, and
//!   `webhook-signature` after [Standard Webhooks](https://www.standardwebhooks.com/).
//! - Anything else: `X-Git-Token`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::ApiSecrets;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How a header proves that its sender knows a secret.
#[derive(Debug, Clone, Copy)]
enum Scheme {
    /// `sha256=` and the HMAC-SHA-256 of the body in hexadecimal.
    HubSha256,
    /// As before, or `sha1=` and the HMAC-SHA-1.
    Hub,
    /// The secret itself.
    Token,
    /// Standard Webhooks: `v1,` and the HMAC-SHA-256 of id, time and body in Base64; several may stand there.
    Standard,
}

/// Every header that is a proof.
const SCHEMES: &[(&str, Scheme)] = &[
    ("x-hub-signature-256", Scheme::HubSha256),
    ("x-hub-signature", Scheme::Hub),
    ("x-gitlab-token", Scheme::Token),
    ("x-git-token", Scheme::Token),
    ("webhook-signature", Scheme::Standard),
];

/// How far the time in a signature may lie from ours, in seconds, either way.
const TOLERANCE_SECONDS: u64 = 300;

/// Why a header that should prove knowledge of a secret doesn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It isn't what such a header holds: another prefix, odd digits, or nothing at all.
    #[error("the header {header} has no well-formed value")]
    Malformed {
        /// The header.
        header: &'static str,
    },
    /// No secret gives this value for this body.
    #[error("the header {header} matches none of the secrets")]
    Mismatch {
        /// The header.
        header: &'static str,
    },
    /// The time that is part of the signature lies too far from ours: a replay, or a clock that is wrong.
    #[error("the time that {header} signs is more than {TOLERANCE_SECONDS} seconds away")]
    Stale {
        /// The header.
        header: &'static str,
    },
}

/// What the headers prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The sender knows a secret.
    Secret,
    /// There is no such header.
    Absent,
}

/// Checks every proof in `headers` against the bytes that the sender `signed`; `received_at` is in seconds
/// since 1970.
pub(crate) fn verify(
    headers: &HeaderMap,
    signed: &[u8],
    secrets: &ApiSecrets,
    received_at: i64,
) -> Result<Proof, SignatureError> {
    let mut proof = Proof::Absent;
    for &(header, scheme) in SCHEMES {
        for value in headers.get_all(header) {
            let value = value.as_bytes();
            match scheme {
                Scheme::HubSha256 | Scheme::Hub => hub(header, scheme, value, signed, secrets)?,
                Scheme::Token => token(header, value, secrets)?,
                Scheme::Standard => standard(header, value, &Signed::read(headers, signed), secrets, received_at)?,
            }
            proof = Proof::Secret;
        }
    }
    Ok(proof)
}

fn hub(
    header: &'static str,
    scheme: Scheme,
    value: &[u8],
    body: &[u8],
    secrets: &ApiSecrets,
) -> Result<(), SignatureError> {
    let tag = |digits: &[u8]| hex::decode(digits).map_err(|_| SignatureError::Malformed { header });
    let matches = if let Some(digits) = value.strip_prefix(b"sha256=") {
        let tag = tag(digits)?;
        any(secrets, |secret| authentic::<Hmac<Sha256>>(secret, &[body], &tag))
    } else if let (Scheme::Hub, Some(digits)) = (scheme, value.strip_prefix(b"sha1=")) {
        let tag = tag(digits)?;
        any(secrets, |secret| authentic::<Hmac<Sha1>>(secret, &[body], &tag))
    } else {
        return Err(SignatureError::Malformed { header });
    };
    if matches { Ok(()) } else { Err(SignatureError::Mismatch { header }) }
}

fn token(header: &'static str, value: &[u8], secrets: &ApiSecrets) -> Result<(), SignatureError> {
    if value.is_empty() {
        return Err(SignatureError::Malformed { header });
    }
    // Of digests, so that the time it takes doesn't tell the secret's length either.
    let digest = Sha256::digest(value);
    let matches = any(secrets, |secret| Sha256::digest(secret).ct_eq(&digest).into());
    if matches { Ok(()) } else { Err(SignatureError::Mismatch { header }) }
}

/// What a Standard Webhooks signature covers: `{id}.{timestamp}.{body}`.
struct Signed<'a> {
    id: &'a [u8],
    timestamp: &'a [u8],
    body: &'a [u8],
}

impl<'a> Signed<'a> {
    fn read(headers: &'a HeaderMap, body: &'a [u8]) -> Self {
        let bytes = |name: &str| headers.get(name).map_or(&[][..], |value| value.as_bytes());
        Self { id: bytes("webhook-id"), timestamp: bytes("webhook-timestamp"), body }
    }

    fn seconds(&self) -> Option<i64> {
        std::str::from_utf8(self.timestamp).ok()?.parse().ok()
    }
}

fn standard(
    header: &'static str,
    value: &[u8],
    signed: &Signed<'_>,
    secrets: &ApiSecrets,
    received_at: i64,
) -> Result<(), SignatureError> {
    let malformed = SignatureError::Malformed { header };
    let (false, Some(seconds)) = (signed.id.is_empty(), signed.seconds()) else {
        return Err(malformed);
    };
    if seconds.abs_diff(received_at) > TOLERANCE_SECONDS {
        return Err(SignatureError::Stale { header });
    }
    let entries = value.split(|byte| *byte == b' ').filter_map(|entry| entry.strip_prefix(b"v1,"));
    let tags: Vec<_> = entries.filter_map(|entry| STANDARD.decode(entry).ok()).collect();
    if tags.is_empty() {
        return Err(malformed);
    }
    let parts: [&[u8]; 5] = [signed.id, b".", signed.timestamp, b".", signed.body];
    let matches = any(secrets, |secret| {
        let key = secret.strip_prefix(b"whsec_").and_then(|key| STANDARD.decode(key).ok());
        let key = key.filter(|key| !key.is_empty());
        key.is_some_and(|key| tags.iter().any(|tag| authentic::<Hmac<Sha256>>(&key, &parts, tag)))
    });
    if matches { Ok(()) } else { Err(SignatureError::Mismatch { header }) }
}

/// Whether a secret passes. All are tried, so that the time it takes doesn't tell which one did.
fn any(secrets: &ApiSecrets, passes: impl Fn(&[u8]) -> bool) -> bool {
    secrets.iter().fold(false, |passed, secret| passes(secret) | passed)
}

/// Whether `tag` is the whole authentication code of the parts, compared in constant time.
fn authentic<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return false };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(tag).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sender;

    const NOW: i64 = 1_700_000_000;

    fn check(headers: &[(&str, &str)], body: &str, secrets: &str, expected: Result<Proof, SignatureError>) {
        let map = sender::headers(headers);
        let proof = verify(&map, body.as_bytes(), &ApiSecrets::parse(secrets.into()), NOW);
        assert_eq!(proof, expected, "{headers:?} {secrets:?}");
    }

    fn malformed(header: &'static str) -> Result<Proof, SignatureError> {
        Err(SignatureError::Malformed { header })
    }

    fn mismatch(header: &'static str) -> Result<Proof, SignatureError> {
        Err(SignatureError::Mismatch { header })
    }

    const GITHUB: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const GITHUB_SECRET: &str = "It's a Secret to Everybody";

    #[test]
    fn githubs_published_example_verifies() {
        check(&[("X-Hub-Signature-256", GITHUB)], "Hello, World!", GITHUB_SECRET, Ok(Proof::Secret));
        check(&[("x-hub-signature", GITHUB)], "Hello, World!", GITHUB_SECRET, Ok(Proof::Secret));
        check(&[("X-Hub-Signature-256", GITHUB)], "Hello, World?", GITHUB_SECRET, mismatch("x-hub-signature-256"));
    }

    #[test]
    fn any_of_several_secrets_will_do() {
        let rotated = format!("older,{GITHUB_SECRET}, newer");
        check(&[("x-hub-signature-256", GITHUB)], "Hello, World!", &rotated, Ok(Proof::Secret));
        check(&[("x-git-token", "newer")], "", &rotated, Ok(Proof::Secret));
        check(&[("x-git-token", "older,")], "", &rotated, mismatch("x-git-token"));
        check(&[("x-git-token", "new")], "", &rotated, mismatch("x-git-token"));
    }

    #[test]
    fn the_prefix_says_which_hash() {
        // RFC 2202, test case 2, and RFC 4231, test case 2: the same key and data.
        let data = "what do ya want for nothing?";
        let sha1 = "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
        let sha256 = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        check(&[("x-hub-signature", sha1)], data, "Jefe", Ok(Proof::Secret));
        check(&[("x-hub-signature", sha256)], data, "Jefe", Ok(Proof::Secret));
        check(&[("x-hub-signature-256", sha256)], data, "Jefe", Ok(Proof::Secret));
        check(&[("x-hub-signature-256", sha1)], data, "Jefe", malformed("x-hub-signature-256"));
        let disguised = sha1.replace("sha1", "sha256");
        check(&[("x-hub-signature", &disguised)], data, "Jefe", mismatch("x-hub-signature"));
    }

    #[test]
    fn a_shortened_or_odd_signature_never_matches() {
        for value in ["sha256=", "sha256=75", "sha1=", "sha512=00"] {
            for header in ["x-hub-signature", "x-hub-signature-256"] {
                let map = sender::headers(&[(header, value)]);
                let secrets = ApiSecrets::parse(GITHUB_SECRET.into());
                assert!(verify(&map, b"Hello, World!", &secrets, NOW).is_err(), "{header} {value}");
            }
        }
        let upper = GITHUB.replace("sha256=7571", "SHA256=7571");
        check(&[("x-hub-signature-256", &upper)], "Hello, World!", GITHUB_SECRET, malformed("x-hub-signature-256"));
    }

    #[test]
    fn one_wrong_proof_is_not_made_up_for_by_a_right_one() {
        let good = ("x-hub-signature-256", GITHUB);
        for bad in ["x-hub-signature", "x-gitlab-token", "x-git-token", "webhook-signature", "x-hub-signature-256"] {
            for value in ["", "sha1=00", "wrong"] {
                let map = sender::headers(&[good, (bad, value)]);
                let secrets = ApiSecrets::parse(GITHUB_SECRET.into());
                assert!(verify(&map, b"Hello, World!", &secrets, NOW).is_err(), "{bad}: {value}");
            }
        }
    }

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const STANDARD_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    /// The example of the Standard Webhooks libraries.
    fn standard_example(signature: &str, secrets: &str, seconds_late: i64) -> Result<Proof, SignatureError> {
        let headers = sender::headers(&[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signature),
        ]);
        let secrets = ApiSecrets::parse(secrets.into());
        verify(&headers, br#"{"test": 2432232314}"#, &secrets, 1_614_265_330 + seconds_late)
    }

    #[test]
    fn the_standard_webhooks_example_verifies() {
        let several = format!("v1a,x v1,AAAA {STANDARD_SIGNATURE}");
        assert_eq!(standard_example(STANDARD_SIGNATURE, KEY, 300), Ok(Proof::Secret));
        assert_eq!(standard_example(&several, &format!("plain,{KEY}"), -300), Ok(Proof::Secret));
    }

    #[test]
    fn a_standard_signature_is_good_for_minutes_and_for_its_own_key() {
        let header = "webhook-signature";
        assert_eq!(standard_example(STANDARD_SIGNATURE, KEY, 301), Err(SignatureError::Stale { header }));
        assert_eq!(standard_example(STANDARD_SIGNATURE, KEY, -301), Err(SignatureError::Stale { header }));
        for secrets in ["", "whsec_", "whsec_AAAA", "plain"] {
            assert_eq!(standard_example(STANDARD_SIGNATURE, secrets, 0), mismatch(header), "{secrets}");
        }
        assert_eq!(standard_example("v1,", "whsec_", 0), mismatch(header));
        assert_eq!(standard_example("v2,AAAA", KEY, 0), malformed(header));
        check(&[(header, STANDARD_SIGNATURE)], "", KEY, malformed(header));
    }

    proptest! {
        #[test]
        fn only_the_one_value_passes(body: Vec<u8>, value in "(sha1=|sha256=|v1,)?[ -~]{0,70}") {
            let secrets = ApiSecrets::parse("s3cret".into());
            for (header, _) in SCHEMES {
                let headers = sender::headers(&[(header, &value)]);
                let proven = verify(&headers, &body, &secrets, NOW).is_ok();
                prop_assert_eq!(proven, header.ends_with("-token") && value == "s3cret");
            }
        }
    }
}
