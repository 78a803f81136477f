//! Refusals: a status and a text for the sender, the cause for the log.

use contract::error_chain;

use crate::{authenticate::AuthenticationError, content::ContentError, delivery::Delivery, event_error::EventError};

/// Why a delivery is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is larger than [`Delivery::MAX_BODY_BYTES`].
    #[error(
        "the body has {bytes} bytes, at most {max} are accepted: push fewer commits or references at once, or let the host send \
         fewer events to this webhook",
        max = Delivery::MAX_BODY_BYTES
    )]
    TooLarge {
        /// How large.
        bytes: usize,
    },
    /// The sender isn't authenticated.
    #[error("the request is not authenticated")]
    Unauthenticated(#[source] AuthenticationError),
    /// It is authentic, but can't be processed or isn't allowed.
    #[error(transparent)]
    Event(EventError),
}

impl From<EventError> for Refusal {
    fn from(error: EventError) -> Self {
        match error {
            EventError::Unauthenticated(error) => Self::Unauthenticated(error),
            error => Self::Event(error),
        }
    }
}

/// The longest quoted cause, in characters: it may quote the payload.
const MAX_CHARACTERS: usize = 400;

impl Refusal {
    /// The HTTP status: 400 for malformed, 401 for unauthenticated, 403 for authenticated but not
    /// allowed, 413 for a too large body, 415 for another media type.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } => 413,
            Self::Unauthenticated(_) | Self::Event(EventError::Unauthenticated(_)) => 401,
            Self::Event(EventError::Host { .. } | EventError::Repository { .. }) => 403,
            Self::Event(EventError::Content(ContentError::MediaType(_))) => 415,
            Self::Event(_) => 400,
        }
    }

    /// The text for the sender. An unauthenticated sender learns nothing else.
    pub fn public_text(&self) -> String {
        match self {
            Self::Unauthenticated(_) => self.to_string(),
            _ => self.cause(),
        }
    }

    /// The error with its causes, for the log.
    pub fn cause(&self) -> String {
        error_chain(self).chars().take(MAX_CHARACTERS).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sender::{Request, ordinary_push};

    #[test]
    fn unauthenticated_sender_learns_nothing() {
        let wrong = Request::new(&ordinary_push()).header("X-Hub-Signature-256", "sha256=00").receive().unwrap_err();
        let none = Request::new(&ordinary_push()).receive().unwrap_err();
        assert_eq!(wrong.public_text(), "the request is not authenticated");
        assert_eq!(none.public_text(), wrong.public_text());
        assert_eq!(
            wrong.cause(),
            "the request is not authenticated: the signature doesn't verify: \
             the header x-hub-signature-256 matches none of the secrets"
        );
    }

    #[test]
    fn known_sender_learns_error_details() {
        let mut payload = ordinary_push();
        payload["repository"].as_object_mut().unwrap().remove("full_name");
        let text = Request::signed(&payload).receive().unwrap_err().public_text();
        let expected =
            "the payload can't be read: GitHub's payload is invalid at `repository`: missing field `full_name`";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn a_long_value_is_not_repeated() {
        let mut payload = ordinary_push();
        payload["after"] = json!("x".repeat(100_000));
        assert_eq!(Request::signed(&payload).receive().unwrap_err().cause().len(), super::MAX_CHARACTERS);
    }
}
