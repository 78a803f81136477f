//! Extracts the JSON from a body. GitHub, Gitea and Gogs can send it as the form field `payload`.

use std::borrow::Cow;

use crate::delivery::Delivery;

/// Why a body has no JSON.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The body has another media type, or none.
    #[error("the content type is {0:?}, expected application/json or application/x-www-form-urlencoded")]
    MediaType(String),
    /// The form lacks the field with the JSON.
    #[error("the form has no field `payload`")]
    NoPayload,
}

/// The JSON text in a delivery's body, unparsed.
pub(crate) fn payload(delivery: &Delivery) -> Result<Cow<'_, [u8]>, ContentError> {
    let content_type = delivery.header("content-type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/json" => Ok(Cow::Borrowed(&delivery.body)),
        "application/x-www-form-urlencoded" => {
            let mut fields = form_urlencoded::parse(&delivery.body);
            let payload = fields.find(|(name, _)| name == "payload").ok_or(ContentError::NoPayload)?;
            Ok(Cow::Owned(payload.1.into_owned().into_bytes()))
        }
        _ => Err(ContentError::MediaType(media_type)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content_type: &str, body: &str, expected: Result<&str, ContentError>) {
        let mut delivery = Delivery::new("d".parse().unwrap(), body.into());
        delivery.headers.insert("content-type", content_type.parse().unwrap());
        assert_eq!(payload(&delivery).map(Cow::into_owned), expected.map(Vec::from));
    }

    #[test]
    fn json_and_forms_are_read() {
        check("application/json", "{}", Ok("{}"));
        check("Application/JSON; charset=utf-8", "{}", Ok("{}"));
        check("application/x-www-form-urlencoded", "a=b&payload=%7B%22r%22%3A+1%7D", Ok(r#"{"r": 1}"#));
    }

    #[test]
    fn nothing_else_is() {
        for other in ["text/plain", "application/xml", "multipart/form-data; boundary=x", ""] {
            let media_type = other.split(';').next().unwrap().to_owned();
            check(other, "{}", Err(ContentError::MediaType(media_type)));
        }
        check("application/x-www-form-urlencoded", "Payload={}", Err(ContentError::NoPayload));
    }
}
