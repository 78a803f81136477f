//! Payloads and headers as hosts write them, and what is told of one that can't be read.

use http::HeaderMap;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

/// A payload doesn't match the format of its kind.
#[derive(Debug, thiserror::Error)]
#[error("{host}'s payload is invalid at `{path}`: {reason}")]
pub struct PayloadError {
    /// The kind of host.
    pub(super) host: &'static str,
    /// The path of the field, such as `repository.full_name`. `.` is the payload itself.
    pub(super) path: String,
    /// What is wrong, such as a missing field and its name.
    pub(super) reason: String,
}

/// Parses the part of a payload that `T` describes.
pub(super) fn parse<T: DeserializeOwned>(host: &'static str, payload: &[u8]) -> Result<T, PayloadError> {
    let error = |path: String, error: serde_json::Error| PayloadError { host, path, reason: error.to_string() };
    let mut json = serde_json::Deserializer::from_slice(payload);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|failure| error(failure.path().to_string(), failure.into_inner()))?;
    json.end().map_err(|failure| error(".".to_owned(), failure))?;
    Ok(value)
}

/// Reads `null` as the default, such as an empty list. Some hosts write `null` where others omit
/// the field.
pub(super) fn or_nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(value: D) -> Result<T, D::Error> {
    Option::deserialize(value).map(Option::unwrap_or_default)
}

/// The header with the kind of event.
pub(super) fn kind<'h>(headers: &'h HeaderMap, header: &str) -> &'h str {
    headers.get(header).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
