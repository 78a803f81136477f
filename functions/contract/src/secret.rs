//! Webhook secrets: several at once, so that one can be rotated without losing a push.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// The secrets of the `ApiSecret` parameter, separated by commas. An empty one is not a secret: it never
/// gets into the list, so nothing can match it.
#[derive(Clone)]
pub struct ApiSecrets(SecretString);

impl ApiSecrets {
    /// The secrets in `list`; white space around each is dropped.
    pub fn parse(list: SecretString) -> Self {
        Self(list)
    }

    /// The secrets, none of them empty.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let secrets = self.0.expose_secret().split(',').map(str::trim);
        secrets.filter(|secret| !secret.is_empty()).map(str::as_bytes)
    }

    /// Whether there is no secret, so that none can match.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl fmt::Debug for ApiSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiSecrets([REDACTED; {}])", self.iter().count())
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
        for list in ["", ",", " , ,", "\n"] {
            assert!(parse(list).is_empty(), "{list:?}");
        }
        assert_eq!(parse("old,, new ").iter().collect::<Vec<_>>(), [b"old", b"new"]);
    }

    #[test]
    fn debug_tells_how_many_and_no_more() {
        assert_eq!(format!("{:?}", parse("old,new")), "ApiSecrets([REDACTED; 2])");
    }
}
