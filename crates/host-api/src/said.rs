//! A host's message about a refused request, for an error. It is untrusted: shortened, on one line,
//! and left out if it repeats a secret of the request.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// The longest message in an error, in characters.
const LONGEST: usize = 300;

/// The JSON pointers to messages: GitHub, GitLab and Gitea have the first, GitHub and Bitbucket
/// Data Center lists of further ones, Bitbucket Cloud and OAuth servers the others.
const PLACES: [&str; 4] = ["/message", "/error/message", "/error", "/error_description"];

/// The fields of request bodies that contain secrets.
const SECRETS: [&str; 4] = ["secret", "token", "password", "basicAuthPassword"];

/// The message in the body of a response to a request with this token and body.
pub(crate) fn said(response: &[u8], token: &SecretString, request: Option<&Value>) -> String {
    let Ok(response) = serde_json::from_slice::<Value>(response) else { return String::new() };
    let mut messages: Vec<String> = PLACES
        .iter()
        .filter_map(|place| response.pointer(place))
        .filter(|value| is_message(value))
        .filter_map(words)
        .collect();
    let further = response.get("errors").and_then(Value::as_array);
    messages.extend(further.into_iter().flatten().filter_map(|error| words(error.get("message").unwrap_or(error))));
    messages.dedup();
    let text: String =
        messages.join("; ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    // Before it was shortened, so that no part remains.
    let whole = messages.join("; ");
    let mut secrets = vec![token.expose_secret().to_owned()];
    collect(request.unwrap_or(&Value::Null), &mut secrets);
    if secrets.iter().any(|secret| !secret.is_empty() && whole.contains(secret.as_str())) {
        String::new()
    } else {
        text
    }
}

/// Not the object around Bitbucket Cloud's message.
fn is_message(value: &Value) -> bool {
    value.get("message").is_none()
}

/// A text, or GitLab's lists of texts by field.
fn words(message: &Value) -> Option<String> {
    match message {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Array(items) => Some(items.iter().filter_map(words).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => Some(
            fields
                .iter()
                .filter_map(|(name, value)| words(value).map(|value| format!("{name} {value}")))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        _ => None,
    }
    .filter(|text| !text.is_empty())
}

fn collect(body: &Value, secrets: &mut Vec<String>) {
    let Value::Object(fields) = body else { return };
    for (name, value) in fields {
        match value {
            Value::String(secret) if SECRETS.contains(&name.as_str()) => secrets.push(secret.clone()),
            value => collect(value, secrets),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(response: &Value, expected: &str) {
        let request = json!({ "config": { "url": "https://stack.example", "secret": "s3cret" } });
        assert_eq!(said(response.to_string().as_bytes(), &"t0ken".into(), Some(&request)), expected, "{response}");
    }

    #[test]
    fn every_hosts_messages_are_found() {
        check(
            &json!({ "message": "Validation Failed", "errors": [
                { "resource": "PublicKey", "code": "custom", "field": "key", "message": "key is already in use" }] }),
            "Validation Failed; key is already in use",
        );
        check(
            &json!({ "message": { "deploy_key.fingerprint": ["has already been taken"] } }),
            "deploy_key.fingerprint has already been taken",
        );
        check(
            &json!({ "error": "insufficient_scope", "error_description": "The request requires higher privileges" }),
            "insufficient_scope; The request requires higher privileges",
        );
        check(&json!({ "type": "error", "error": { "message": "Repository not found" } }), "Repository not found");
        check(&json!({ "errors": [{ "context": null, "message": "You are not permitted" }] }), "You are not permitted");
        check(&json!([]), "");
    }

    #[test]
    fn repeated_secrets_are_left_out() {
        check(&json!({ "message": "no such secret: s3cret" }), "");
        check(&json!({ "message": "Bad credentials t0ken" }), "");
        check(&json!({ "message": format!("{} t0ken", "x".repeat(LONGEST - 3)) }), "");
        check(&json!({ "message": "a\u{1b}[31mb\nc" }), "a [31mb c");
    }
}
