//! zipdl's credentials for Git hosts: the secret that the template creates from the parameters
//! `GitToken`, `OAuthKey` and `OAuthSecret`. Each credential is sent only to its own host.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::repository::HostName;

/// The credentials of all hosts.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProviderCredentials {
    git_token: SecretString,
    #[serde(rename = "OAuthKey")]
    oauth_key: String,
    #[serde(rename = "OAuthSecret")]
    oauth_secret: SecretString,
}

/// The secret doesn't have the format that the template creates. The error doesn't quote it.
#[derive(Debug, thiserror::Error)]
#[error("the secret with the credentials isn't a JSON object with the strings GitToken, OAuthKey and OAuthSecret")]
pub struct CredentialsError;

impl ProviderCredentials {
    /// Parses the secret.
    ///
    /// # Errors
    /// It isn't a JSON object with these fields.
    pub fn parse(secret: &SecretString) -> Result<Self, CredentialsError> {
        serde_json::from_str(secret.expose_secret()).map_err(|_| CredentialsError)
    }

    /// The access token for `host`: from the entry `host=token`, or the entry without a host, which
    /// is for `first`, the first allowed host.
    pub fn token(&self, host: &HostName, first: Option<&HostName>) -> Option<SecretString> {
        let entries = || self.git_token.expose_secret().split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let named = |entry: &'_ str| {
            let (name, token) = entry.split_once('=')?;
            (name.eq_ignore_ascii_case(host.as_str()) && !token.is_empty()).then(|| SecretString::from(token))
        };
        let alone = |entry: &str| (!names_a_host(entry) && first == Some(host)).then(|| SecretString::from(entry));
        entries().find_map(named).or_else(|| entries().find_map(alone))
    }

    /// The key and the secret of the OAuth consumer, if both are set.
    pub fn oauth_consumer(&self) -> Option<(&str, &SecretString)> {
        let given = !self.oauth_key.is_empty() && !self.oauth_secret.expose_secret().is_empty();
        given.then_some((&self.oauth_key, &self.oauth_secret))
    }
}

/// Whether an entry starts with a host. A token may end in Base64's equals signs, but has none
/// before them.
fn names_a_host(entry: &str) -> bool {
    entry.trim_end_matches('=').contains('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(token: &str) -> ProviderCredentials {
        let text = serde_json::json!({ "GitToken": token, "OAuthKey": "key", "OAuthSecret": "" }).to_string();
        ProviderCredentials::parse(&text.into()).unwrap()
    }

    #[test]
    fn token_goes_only_to_its_host() {
        let check = |tokens: &str, host: &str, expected: Option<&str>| {
            let first = "github.com".parse().unwrap();
            let token = credentials(tokens).token(&host.parse().unwrap(), Some(&first));
            assert_eq!(token.as_ref().map(ExposeSecret::expose_secret), expected, "{tokens} {host}");
        };
        check("ghp_1", "github.com", Some("ghp_1"));
        check("ghp_1", "gitlab.com", None);
        check("QUJD==", "github.com", Some("QUJD=="));
        check("gitlab.com=glpat-1, ghp_1", "gitlab.com", Some("glpat-1"));
        check("gitlab.com=glpat-1, ghp_1", "github.com", Some("ghp_1"));
        check("GitLab.com=QUJD==", "gitlab.com", Some("QUJD=="));
        check("gitlab.com=glpat-1", "github.com", None);
        check("gitlab.com.evil.example=x", "gitlab.com", None);
        check("", "github.com", None);
        check(" ,", "github.com", None);
    }

    #[test]
    fn bare_token_needs_allowed_host() {
        assert!(credentials("ghp_1").token(&"github.com".parse().unwrap(), None).is_none());
    }

    #[test]
    fn half_a_consumer_is_none() {
        assert!(credentials("").oauth_consumer().is_none());
        let whole = r#"{"GitToken":"","OAuthKey":"key","OAuthSecret":"s3cret"}"#;
        let whole = ProviderCredentials::parse(&whole.into()).unwrap();
        assert_eq!(whole.oauth_consumer().map(|(key, secret)| (key, secret.expose_secret())), Some(("key", "s3cret")));
    }

    #[test]
    fn errors_and_debug_omit_secrets() {
        let error = ProviderCredentials::parse(&r#"{"GitToken":"s3cret""#.into()).unwrap_err();
        assert!(!format!("{error:?} {error} {:?}", credentials("s3cret")).contains("s3cret"));
    }
}
