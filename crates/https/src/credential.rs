//! The credential of a request.

use reqwest::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use secrecy::{ExposeSecret as _, SecretString};

/// Headers that authenticate a request. Their values are never shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credential(HeaderMap);

impl Credential {
    /// These headers, without those that determine a request's target or length: a host may request
    /// any header, but not a different request. `None` if one isn't a valid header.
    pub fn new<'a>(headers: impl IntoIterator<Item = (&'a str, &'a SecretString)>) -> Option<Self> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().ok()?;
            let mut value: HeaderValue = value.expose_secret().parse().ok()?;
            value.set_sensitive(true);
            if ![HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(&name) {
                map.insert(name, value);
            }
        }
        Some(Self(map))
    }

    /// Whether there is nothing to authenticate a request with.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        self.0.clone()
    }

    /// These headers beside others, which never replace them.
    pub(crate) fn beside(&self, mut others: HeaderMap) -> HeaderMap {
        others.extend(self.0.clone());
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(headers: &[(&str, &str)]) -> Option<Vec<String>> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, SecretString::from(*value))).collect();
        let credential = Credential::new(headers.iter().map(|(name, value)| (*name, value)))?;
        assert!(!format!("{credential:?}").contains("s3cret"), "{credential:?}");
        Some(credential.headers().keys().map(ToString::to_string).collect())
    }

    #[test]
    fn credential_headers_never_alter_request() {
        assert_eq!(
            names(&[("Authorization", "s3cret"), ("Host", "other"), ("content-length", "5"), ("X-Amz-Date", "s3cret")]),
            Some(vec!["authorization".to_owned(), "x-amz-date".to_owned()])
        );
        for none in [("A B", "x"), ("A\r\nB", "x"), ("A", "x\r\nB: y"), ("", "x")] {
            assert_eq!(names(&[none]), None, "{none:?}");
        }
    }
}
