//! [Gitea](https://docs.gitea.com/usage/webhooks) and [Forgejo](https://forgejo.org/docs/latest/user/webhooks/), which
//! grew out of it. Both send GitHub's payloads, and GitHub's and each other's headers beside their own.

use std::borrow::Cow;

use contract::HostKind;
use http::HeaderMap;

use super::{Host, Message, PayloadError, github, kind};
use crate::{content, delivery::Delivery};

const GITEA_EVENT: &str = "x-gitea-event";
const FORGEJO_EVENT: &str = "x-forgejo-event";

/// Gitea.
#[derive(Debug)]
pub(super) struct Gitea;

/// Forgejo, codeberg.org or an instance of one's own.
#[derive(Debug)]
pub(super) struct Forgejo;

impl Host for Gitea {
    fn name(&self) -> &'static str {
        "Gitea"
    }

    fn kind(&self) -> Option<HostKind> {
        Some(HostKind::Gitea)
    }

    fn recognizes(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(GITEA_EVENT)
    }

    fn delivery_id_headers(&self) -> &'static [&'static str] {
        &["x-gitea-delivery"]
    }

    fn signed<'d>(&self, delivery: &'d Delivery) -> Cow<'d, [u8]> {
        signed_json(delivery)
    }

    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError> {
        github::read(self, kind(headers, GITEA_EVENT), payload)
    }
}

impl Host for Forgejo {
    fn name(&self) -> &'static str {
        "Forgejo"
    }

    fn kind(&self) -> Option<HostKind> {
        Some(HostKind::Gitea)
    }

    fn recognizes(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(FORGEJO_EVENT)
    }

    fn delivery_id_headers(&self) -> &'static [&'static str] {
        &["x-forgejo-delivery"]
    }

    fn signed<'d>(&self, delivery: &'d Delivery) -> Cow<'d, [u8]> {
        signed_json(delivery)
    }

    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError> {
        github::read(self, kind(headers, FORGEJO_EVENT), payload)
    }
}

/// The JSON, also where it is sent as a field of a form: that is what Gitea, Forgejo and Gogs sign. What holds no JSON
/// can't be signed by them.
pub(super) fn signed_json(delivery: &Delivery) -> Cow<'_, [u8]> {
    content::payload(delivery).unwrap_or(Cow::Borrowed(&delivery.body))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sender;

    #[test]
    fn pushes_and_releases_are_githubs() {
        for (host, event) in [(&Gitea as &dyn Host, GITEA_EVENT), (&Forgejo, FORGEJO_EVENT)] {
            let read = |kind: &str, payload: &serde_json::Value| {
                host.read(&sender::headers(&[(event, kind)]), payload.to_string().as_bytes()).unwrap()
            };
            assert!(matches!(read("push", &sender::ordinary_push()), Message::Push(_)));
            let mut release = sender::ordinary_push();
            release["action"] = json!("published");
            release["release"] = json!({ "tag_name": "v1" });
            assert!(matches!(read("release", &release), Message::Push(_)));
            for kind in ["create", "delete", "fork", "issues"] {
                assert!(matches!(read(kind, &json!({})), Message::Ignored(_)), "{kind}");
            }
        }
    }

    #[test]
    fn a_missing_field_is_told_in_the_hosts_own_name() {
        let error = Forgejo.read(&sender::headers(&[(FORGEJO_EVENT, "push")]), b"{}").unwrap_err().to_string();
        assert!(error.starts_with("Forgejo's payload doesn't fit at `.`: missing field `ref`"), "{error}");
    }

    #[test]
    fn the_json_of_a_form_is_what_is_signed() {
        let mut delivery = Delivery::new("d".parse().unwrap(), b"payload=%7B%7D&secret=".to_vec());
        delivery.headers = sender::headers(&[("content-type", "application/x-www-form-urlencoded")]);
        assert_eq!(*Gitea.signed(&delivery), *b"{}");
        delivery.headers = sender::headers(&[("content-type", "application/json")]);
        assert_eq!(*Gitea.signed(&delivery), *delivery.body);
    }
}
