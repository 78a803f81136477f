//! What shows GitHub that a request is the App's: a [JSON Web
//! Token](https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app)
//! with an RS256 signature ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519), [RFC
//! 7518](https://www.rfc-editor.org/rfc/rfc7518#section-3.3)).

use std::{
    error::Error,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use serde_json::json;

/// How far in the past a token begins, as GitHub recommends: its clock may be behind ours.
const EARLIER: Duration = Duration::from_mins(1);
/// When it ends. GitHub accepts at most ten minutes, by its own clock.
const LIFETIME: Duration = Duration::from_mins(9);

/// Signs with an App's private key.
pub trait Signer {
    /// The RSASSA-PKCS1-v1_5 signature with SHA-256 of `message`.
    ///
    /// # Errors
    /// The key can't be used.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<Vec<u8>, SignError>> + Send;
}

/// The key can't be used.
#[derive(Debug, thiserror::Error)]
#[error("could not sign with the GitHub App's key {key}")]
pub struct SignError {
    /// The key's name, which is no secret.
    pub key: String,
    /// What a person can do.
    pub hint: Option<&'static str>,
    /// The cause.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

/// A JSON Web Token of the App with this ID or client ID, for the next minutes.
///
/// # Errors
/// The key can't be used.
pub async fn jwt(id: &str, signer: &impl Signer, now: SystemTime) -> Result<SecretString, SignError> {
    let seconds = |time: Duration| time.as_secs();
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let header = json!({ "alg": "RS256", "typ": "JWT" });
    let claims = json!({ "iat": seconds(now.saturating_sub(EARLIER)), "exp": seconds(now + LIFETIME), "iss": id });
    let encoded = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let content = encoded.join(".");
    let signature = URL_SAFE_NO_PAD.encode(signer.sign(content.as_bytes()).await?);
    Ok(format!("{content}.{signature}").into())
}
