//! Proof by a shared secret. A proof that is present must be valid: neither another header nor the
//! address makes up for an invalid one.
//!
//! - [GitHub](https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries):
//!   `X-Hub-Signature-256`, formerly `X-Hub-Signature`. Bitbucket puts SHA-256 into the latter, so
//!   its prefix determines the hash, not the sender.
//! - [GitLab](https://docs.gitlab.com/user/project/integrations/webhooks/): `X-Gitlab-Token`, and
//!   `webhook-signature` after [Standard Webhooks](https://www.standardwebhooks.com/).
//! - [Gitea](https://docs.gitea.com/usage/webhooks), Forgejo and Gogs: headers with only the
//!   digits.
//! - Azure DevOps and Bitbucket Data Center: Basic authentication, whose password is the secret.
//! - Anything else: `X-Git-Token`.

use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::ApiSecrets;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::scope::Scope;

/// How a header proves knowledge of a secret.
#[derive(Debug, Clone, Copy)]
enum Scheme {
    /// `sha256=` and the HMAC-SHA-256 of the body in hexadecimal.
    HubSha256,
    /// The same, or `sha1=` and the HMAC-SHA-1.
    Hub,
    /// The HMAC-SHA-256 of the body in hexadecimal.
    Sha256,
    /// The secret itself.
    Token,
    /// `Basic` and, in Base64, any user name, a colon and the secret.
    Basic,
    /// Standard Webhooks: `v1,` and the HMAC-SHA-256 of ID, time and body in Base64. There may be
    /// several.
    Standard,
}

/// All headers with proofs.
const SCHEMES: &[(&str, Scheme)] = &[
    ("x-hub-signature-256", Scheme::HubSha256),
    ("x-hub-signature", Scheme::Hub),
    ("x-gitea-signature", Scheme::Sha256),
    ("x-forgejo-signature", Scheme::Sha256),
    ("x-gogs-signature", Scheme::Sha256),
    ("authorization", Scheme::Basic),
    ("x-gitlab-token", Scheme::Token),
    ("x-git-token", Scheme::Token),
    ("webhook-signature", Scheme::Standard),
];

/// The weakest accepted hash of a signature: the `MinimumSignature` parameter. It doesn't apply to
/// senders that show the secret itself, such as GitLab and Azure DevOps, which use no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MinimumSignature {
    /// SHA-1, which senders used before 2020. As an HMAC it isn't broken.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
}

/// `MinimumSignature` is neither `sha1` nor `sha256`.
#[derive(Debug, thiserror::Error)]
#[error("MinimumSignature is {0:?}, expected sha1 or sha256")]
pub struct MinimumSignatureError(String);

impl FromStr for MinimumSignature {
    type Err = MinimumSignatureError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            other => Err(MinimumSignatureError(other.to_owned())),
        }
    }
}

/// The largest difference between a signature's time and ours, in seconds.
const TOLERANCE_SECONDS: u64 = 300;

/// Why a header doesn't prove knowledge of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It has the wrong format: another prefix, invalid digits, or no value.
    #[error("the header {header} is malformed")]
    Malformed {
        /// The header.
        header: &'static str,
    },
    /// No secret gives this signature for this body.
    #[error("the header {header} matches none of the secrets")]
    Mismatch {
        /// The header.
        header: &'static str,
    },
    /// The signed time differs too much from ours: a replay, or a wrong clock.
    #[error("the time in {header} is more than {TOLERANCE_SECONDS} seconds off")]
    Stale {
        /// The header.
        header: &'static str,
    },
    /// The only signature uses a weaker hash than `MinimumSignature`.
    #[error("the only signature uses SHA-1, but MinimumSignature is sha256")]
    Weak,
}

/// The result of checking the headers.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// The sender knows secrets: for each header, the scope of those that match.
    Secret {
        /// The scopes.
        scopes: Vec<Scope>,
        /// The first of these headers, by our order.
        header: &'static str,
    },
    /// There is no such header.
    Absent,
}

/// The signed bytes, and the requirements for the signature.
pub(crate) struct Claim<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// The bytes that the sender signed.
    pub(crate) signed: &'a [u8],
    /// The time of arrival, in seconds since 1970.
    pub(crate) received_at: i64,
    pub(crate) minimum: MinimumSignature,
}

/// Checks every proof in the headers.
pub(crate) fn verify(claim: &Claim<'_>, secrets: &ApiSecrets) -> Result<Proof, SignatureError> {
    let (mut scopes, mut first) = (Vec::new(), None);
    let mut strong = claim.minimum == MinimumSignature::Sha1;
    for &(header, scheme) in SCHEMES {
        for value in claim.headers.get_all(header) {
            let value = value.as_bytes();
            let scope = match scheme {
                Scheme::HubSha256 | Scheme::Hub => hub(header, scheme, value, claim.signed, secrets),
                Scheme::Sha256 => sha256(header, value, claim.signed, secrets),
                Scheme::Token => token(header, value, secrets),
                Scheme::Basic => basic(header, value, secrets),
                Scheme::Standard => standard(header, value, claim, secrets),
            };
            scopes.push(scope?);
            first = first.or(Some(header));
            strong |= !value.starts_with(SHA1);
        }
    }
    match first {
        None => Ok(Proof::Absent),
        Some(header) if strong => Ok(Proof::Secret { scopes, header }),
        Some(_) => Err(SignatureError::Weak),
    }
}

const SHA1: &[u8] = b"sha1=";

fn hub(
    header: &'static str,
    scheme: Scheme,
    value: &[u8],
    body: &[u8],
    secrets: &ApiSecrets,
) -> Result<Scope, SignatureError> {
    if let Some(digits) = value.strip_prefix(b"sha256=") {
        sha256(header, digits, body, secrets)
    } else if let (Scheme::Hub, Some(digits)) = (scheme, value.strip_prefix(SHA1)) {
        let tag = hex::decode(digits).map_err(|_| SignatureError::Malformed { header })?;
        fitting(header, secrets, |secret| authentic::<Hmac<Sha1>>(secret, &[body], &tag))
    } else {
        Err(SignatureError::Malformed { header })
    }
}

fn sha256(header: &'static str, digits: &[u8], body: &[u8], secrets: &ApiSecrets) -> Result<Scope, SignatureError> {
    let tag = hex::decode(digits).ok().filter(|tag| !tag.is_empty()).ok_or(SignatureError::Malformed { header })?;
    fitting(header, secrets, |secret| authentic::<Hmac<Sha256>>(secret, &[body], &tag))
}

fn token(header: &'static str, value: &[u8], secrets: &ApiSecrets) -> Result<Scope, SignatureError> {
    if value.is_empty() {
        return Err(SignatureError::Malformed { header });
    }
    // Compares digests, so that the time doesn't reveal the secret's length either.
    let digest = Sha256::digest(value);
    fitting(header, secrets, |secret| Sha256::digest(secret).ct_eq(&digest).into())
}

/// [RFC 7617](https://www.rfc-editor.org/rfc/rfc7617): a user name has no colon, a password may
/// have.
fn basic(header: &'static str, value: &[u8], secrets: &ApiSecrets) -> Result<Scope, SignatureError> {
    let malformed = SignatureError::Malformed { header };
    let (scheme, credentials) = value.split_at_checked(6).ok_or(malformed)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return Err(malformed);
    }
    let credentials = STANDARD.decode(credentials.trim_ascii()).map_err(|_| malformed)?;
    let mut parts = credentials.splitn(2, |byte| *byte == b':').skip(1);
    token(header, parts.next().ok_or(malformed)?, secrets)
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
    claim: &Claim<'_>,
    secrets: &ApiSecrets,
) -> Result<Scope, SignatureError> {
    let signed = Signed::read(claim.headers, claim.signed);
    let malformed = SignatureError::Malformed { header };
    let (false, Some(seconds)) = (signed.id.is_empty(), signed.seconds()) else {
        return Err(malformed);
    };
    if seconds.abs_diff(claim.received_at) > TOLERANCE_SECONDS {
        return Err(SignatureError::Stale { header });
    }
    let entries = value.split(|byte| *byte == b' ').filter_map(|entry| entry.strip_prefix(b"v1,"));
    let tags: Vec<_> = entries.filter_map(|entry| STANDARD.decode(entry).ok()).collect();
    if tags.is_empty() {
        return Err(malformed);
    }
    let parts: [&[u8]; 5] = [signed.id, b".", signed.timestamp, b".", signed.body];
    fitting(header, secrets, |secret| {
        let key = secret.strip_prefix(b"whsec_").and_then(|key| STANDARD.decode(key).ok());
        let key = key.filter(|key| !key.is_empty());
        // Once for all entries: an untrusted sender chooses how many there are.
        let code = key.and_then(|key| code::<Hmac<Sha256>>(&key, &parts));
        code.is_some_and(|code| tags.iter().fold(false, |fits, tag| fits | bool::from(code.as_slice().ct_eq(tag))))
    })
}

/// The scope of the matching secrets. All are tried, so that the time doesn't reveal which one
/// matched.
fn fitting(
    header: &'static str,
    secrets: &ApiSecrets,
    passes: impl Fn(&[u8]) -> bool,
) -> Result<Scope, SignatureError> {
    let (mut scope, mut fits) = (Scope::default(), false);
    for secret in secrets.iter() {
        if passes(secret.value()) {
            scope.add(secret.repositories.as_ref());
            fits = true;
        }
    }
    if fits { Ok(scope) } else { Err(SignatureError::Mismatch { header }) }
}

/// Whether `tag` is the complete HMAC of the parts, compared in constant time.
fn authentic<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    code::<M>(key, parts).is_some_and(|code| code.as_slice().ct_eq(tag).into())
}

/// The HMAC of the parts.
fn code<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<hmac::digest::Output<M>> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sender;

    const NOW: i64 = 1_700_000_000;

    fn prove(
        headers: &HeaderMap,
        signed: &[u8],
        secrets: &str,
        received_at: i64,
        minimum: MinimumSignature,
    ) -> Result<bool, SignatureError> {
        let claim = Claim { headers, signed, received_at, minimum };
        verify(&claim, &ApiSecrets::parse(&secrets.into())).map(|proof| matches!(proof, Proof::Secret { .. }))
    }

    fn check(headers: &[(&str, &str)], body: &str, secrets: &str, expected: Result<bool, SignatureError>) {
        let proof = prove(&sender::headers(headers), body.as_bytes(), secrets, NOW, MinimumSignature::Sha1);
        assert_eq!(proof, expected, "{headers:?} {secrets:?}");
    }

    fn malformed(header: &'static str) -> Result<bool, SignatureError> {
        Err(SignatureError::Malformed { header })
    }

    fn mismatch(header: &'static str) -> Result<bool, SignatureError> {
        Err(SignatureError::Mismatch { header })
    }

    const GITHUB: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const GITHUB_SECRET: &str = "It's a Secret to Everybody";

    #[test]
    fn githubs_published_example_verifies() {
        check(&[("X-Hub-Signature-256", GITHUB)], "Hello, World!", GITHUB_SECRET, Ok(true));
        check(&[("x-hub-signature", GITHUB)], "Hello, World!", GITHUB_SECRET, Ok(true));
        check(&[("X-Hub-Signature-256", GITHUB)], "Hello, World?", GITHUB_SECRET, mismatch("x-hub-signature-256"));
    }

    #[test]
    fn any_of_several_secrets_will_do() {
        let rotated = format!("older,{GITHUB_SECRET}, newer");
        check(&[("x-hub-signature-256", GITHUB)], "Hello, World!", &rotated, Ok(true));
        check(&[("x-git-token", "newer")], "", &rotated, Ok(true));
        check(&[("x-git-token", "older,")], "", &rotated, mismatch("x-git-token"));
        check(&[("x-git-token", "new")], "", &rotated, mismatch("x-git-token"));
    }

    #[test]
    fn the_prefix_says_which_hash() {
        // RFC 2202, test case 2, and RFC 4231, test case 2: the same key and data.
        let data = "what do ya want for nothing?";
        let (sha1, sha256) = (SHA1_OF_JEFE, &*format!("sha256={SHA256_OF_JEFE}"));
        check(&[("x-hub-signature", sha1)], data, "Jefe", Ok(true));
        check(&[("x-hub-signature", sha256)], data, "Jefe", Ok(true));
        check(&[("x-hub-signature-256", sha256)], data, "Jefe", Ok(true));
        check(&[("x-hub-signature-256", sha1)], data, "Jefe", malformed("x-hub-signature-256"));
        let disguised = sha1.replace("sha1", "sha256");
        check(&[("x-hub-signature", &disguised)], data, "Jefe", mismatch("x-hub-signature"));
    }

    const SHA1_OF_JEFE: &str = "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
    const SHA256_OF_JEFE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    #[test]
    fn gitea_style_signatures_are_bare_hex() {
        let data = "what do ya want for nothing?";
        for header in ["X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature"] {
            let name = SCHEMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(header)).unwrap().0;
            check(&[(header, SHA256_OF_JEFE)], data, "Jefe", Ok(true));
            check(&[(header, SHA256_OF_JEFE)], data, "", mismatch(name));
            check(&[(header, "")], data, "Jefe", malformed(name));
            check(&[(header, &format!("sha256={SHA256_OF_JEFE}"))], data, "Jefe", malformed(name));
        }
    }

    #[test]
    fn basic_auth_password_is_secret() {
        let name = "authorization";
        let shown = |credentials: &str, secrets: &str, expected| {
            let value = format!("Basic {}", STANDARD.encode(credentials));
            check(&[("Authorization", &value)], "", secrets, expected);
        };
        shown("azure:s3cret", "s3cret", Ok(true));
        shown(":s3cret", "other,s3cret", Ok(true));
        shown("azure:s3:cret", "s3:cret", Ok(true));
        shown("s3cret:", "s3cret", malformed(name));
        shown("s3cret", "s3cret", malformed(name));
        shown("azure:guess", "s3cret", mismatch(name));
        shown("azure:", "", malformed(name));
        check(&[(name, "Bearer s3cret")], "", "s3cret", malformed(name));
        check(&[(name, "basic OnMzY3JldA==")], "", "s3cret", Ok(true));
        check(&[(name, "Basic !")], "", "s3cret", malformed(name));
    }

    #[test]
    fn minimum_signature_refuses_lone_sha1() {
        let data = b"what do ya want for nothing?";
        let check = |headers: &[(&str, &str)], minimum, expected| {
            assert_eq!(prove(&sender::headers(headers), data, "Jefe", NOW, minimum), expected, "{headers:?}");
        };
        let (sha1, sha256) = (("x-hub-signature", SHA1_OF_JEFE), ("x-gitea-signature", SHA256_OF_JEFE));
        check(&[sha1], MinimumSignature::Sha1, Ok(true));
        check(&[sha1], MinimumSignature::Sha256, Err(SignatureError::Weak));
        check(&[sha1, sha256], MinimumSignature::Sha256, Ok(true));
        check(&[sha256], MinimumSignature::Sha256, Ok(true));
        check(&[("x-gitlab-token", "Jefe")], MinimumSignature::Sha256, Ok(true));
        check(&[], MinimumSignature::Sha256, Ok(false));
        assert!("md5".parse::<MinimumSignature>().is_err());
    }

    #[test]
    fn malformed_signature_never_matches() {
        for value in ["sha256=", "sha256=75", "sha1=", "sha512=00"] {
            for header in ["x-hub-signature", "x-hub-signature-256"] {
                let map = sender::headers(&[(header, value)]);
                let proof = prove(&map, b"Hello, World!", GITHUB_SECRET, NOW, MinimumSignature::Sha1);
                assert!(proof.is_err(), "{header} {value}");
            }
        }
        let upper = GITHUB.replace("sha256=7571", "SHA256=7571");
        check(&[("x-hub-signature-256", &upper)], "Hello, World!", GITHUB_SECRET, malformed("x-hub-signature-256"));
    }

    #[test]
    fn valid_proof_never_excuses_wrong_one() {
        let good = ("x-hub-signature-256", GITHUB);
        for (bad, _) in SCHEMES {
            for value in ["", "sha1=00", "wrong", "Basic eDp3cm9uZw=="] {
                let map = sender::headers(&[good, (bad, value)]);
                let proof = prove(&map, b"Hello, World!", GITHUB_SECRET, NOW, MinimumSignature::Sha1);
                assert!(proof.is_err(), "{bad}: {value}");
            }
        }
    }

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const STANDARD_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    /// The example of the Standard Webhooks libraries.
    fn standard_example(signature: &str, secrets: &str, seconds_late: i64) -> Result<bool, SignatureError> {
        let headers = sender::headers(&[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signature),
        ]);
        let received_at = 1_614_265_330 + seconds_late;
        prove(&headers, br#"{"test": 2432232314}"#, secrets, received_at, MinimumSignature::Sha256)
    }

    #[test]
    fn the_standard_webhooks_example_verifies() {
        let several = format!("v1a,x v1,AAAA {STANDARD_SIGNATURE}");
        assert_eq!(standard_example(STANDARD_SIGNATURE, KEY, 300), Ok(true));
        assert_eq!(standard_example(&several, &format!("plain,{KEY}"), -300), Ok(true));
    }

    // Computing an HMAC for each would take minutes, and an untrusted sender may send as many as
    // fit into a header.
    #[test]
    fn many_signatures_cost_like_one() {
        let many = format!("{}{STANDARD_SIGNATURE}", "v1,AAAA ".repeat(100_000));
        let headers = sender::headers(&[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", &many),
        ]);
        let prove = |body: &[u8]| prove(&headers, body, KEY, 1_614_265_330, MinimumSignature::Sha256);
        assert_eq!(prove(&vec![b' '; 4 << 20]), mismatch("webhook-signature"));
        assert_eq!(prove(br#"{"test": 2432232314}"#), Ok(true));
    }

    #[test]
    fn standard_signature_expires_and_needs_key() {
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
            for (header, _) in SCHEMES {
                let headers = sender::headers(&[(header, &value)]);
                let proven = prove(&headers, &body, "s3cret", NOW, MinimumSignature::Sha1).is_ok();
                prop_assert_eq!(proven, header.ends_with("-token") && value == "s3cret");
            }
        }
    }
}
