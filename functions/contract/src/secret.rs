//! Webhook secrets: several at once, so that one can be rotated without losing a push, and each for all repositories or
//! for some.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// The entries of the `ApiSecret` parameter, separated by commas: a secret, or `[glob]secret`, which is good only for the
/// repositories (`host/owner/name`) that the glob names. An empty secret is none: it never gets into the list, so nothing
/// can match it.
#[derive(Clone)]
pub struct ApiSecrets(SecretString);

/// One of the secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ApiSecret<'a> {
    /// What the sender has to know; never empty.
    pub value: &'a [u8],
    /// The glob of the repositories that it is for, where it isn't for all.
    pub repositories: Option<&'a str>,
}

impl ApiSecrets {
    /// The secrets in `list`; white space around each is dropped.
    pub fn parse(list: SecretString) -> Self {
        Self(list)
    }

    /// The secrets, none of them empty.
    pub fn iter(&self) -> impl Iterator<Item = ApiSecret<'_>> {
        let secrets = self.0.expose_secret().split(',').map(|entry| secret(entry.trim()));
        secrets.filter(|secret| !secret.value.is_empty())
    }

    /// Whether there is no secret, so that none can match.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

fn secret(entry: &str) -> ApiSecret<'_> {
    let bound = entry.strip_prefix('[').and_then(|rest| rest.rsplit_once(']'));
    let (repositories, value) = bound.map_or((None, entry), |(glob, value)| (Some(glob), value));
    ApiSecret { value: value.as_bytes(), repositories }
}

impl fmt::Debug for ApiSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiSecrets([REDACTED; {}])", self.iter().count())
    }
}

impl fmt::Debug for ApiSecret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiSecret").field("repositories", &self.repositories).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &str) -> ApiSecrets {
        ApiSecrets::parse(list.into())
    }

    #[test]
    fn empty_secrets_are_none() {
        for list in ["", ",", " , ,", "\n", "[github.com/**]", "[]"] {
            assert!(parse(list).is_empty(), "{list:?}");
        }
        assert_eq!(parse("old,, new ").iter().map(|secret| secret.value).collect::<Vec<_>>(), [b"old", b"new"]);
    }

    #[test]
    fn a_secret_may_be_for_some_repositories() {
        let check = |entry: &str, repositories, value: &str| {
            let secret = ApiSecret { value: value.as_bytes(), repositories };
            assert_eq!(parse(entry).iter().collect::<Vec<_>>(), [secret], "{entry}");
        };
        check("[github.com/octo/*]s3cret", Some("github.com/octo/*"), "s3cret");
        check("[github.com/[a-f]*/**]QUJD==", Some("github.com/[a-f]*/**"), "QUJD==");
        check("whsec_ab/cd==", None, "whsec_ab/cd==");
        check("[open", None, "[open");
        check("a]b", None, "a]b");
    }

    #[test]
    fn debug_tells_how_many_and_no_more() {
        assert_eq!(format!("{:?}", parse("old,new")), "ApiSecrets([REDACTED; 2])");
        assert!(!format!("{:?}", parse("s3cret").iter().next()).contains("s3cret"));
    }
}
