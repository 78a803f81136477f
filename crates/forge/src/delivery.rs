//! A webhook delivery as received, with nothing verified.

use std::net::IpAddr;

use contract::DeliveryId;
use http::HeaderMap;

use crate::host;

/// A request to the endpoint, not verified.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The ID that the receiver gave the request. It identifies the delivery if its sender didn't.
    pub request_id: DeliveryId,
    /// The headers. A [`HeaderMap`] ignores the case of names.
    pub headers: HeaderMap,
    /// The body's raw bytes, which the sender signs.
    pub body: Vec<u8>,
    /// The address of the connection, as seen by the receiver. Never from a header, which a sender
    /// could forge.
    pub source: Option<IpAddr>,
    /// When the request arrived, in seconds since 1970: signatures with a time are valid for
    /// minutes.
    pub received_at: i64,
}

impl Delivery {
    /// The largest body that is parsed, in bytes.
    pub const MAX_BODY_BYTES: usize = contract::body::MAX_BODY_BYTES;

    /// A delivery without headers and address that arrived in 1970.
    pub fn new(request_id: DeliveryId, body: Vec<u8>) -> Self {
        Self { request_id, headers: HeaderMap::new(), body, source: None, received_at: 0 }
    }

    /// The sender's ID of the delivery, which is the same for a redelivery. Without one that is
    /// safe in a log line, the request's own ID.
    pub fn id(&self) -> DeliveryId {
        let names = host::detect(&self.headers).delivery_id_headers();
        let mut values = names.iter().filter_map(|name| self.header(name));
        values.find_map(|value| value.parse().ok()).unwrap_or_else(|| self.request_id.clone())
    }

    /// The first value of a header, if it is visible ASCII.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sender;

    fn id(headers: &[(&str, &str)]) -> String {
        let mut delivery = Delivery::new("request-1".parse().unwrap(), Vec::new());
        delivery.headers = sender::headers(headers);
        delivery.id().to_string()
    }

    #[test]
    fn the_senders_id_goes_before_ours() {
        assert_eq!(id(&[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "72d3162e")]), "72d3162e");
        assert_eq!(id(&[("x-gitlab-event", "Push Hook"), ("x-gitlab-event-uuid", "u"), ("idempotency-key", "k")]), "k");
        assert_eq!(id(&[("x-gitlab-event", "Push Hook"), ("x-gitlab-event-uuid", "u")]), "u");
    }

    #[test]
    fn missing_or_invalid_id_is_replaced() {
        assert_eq!(id(&[]), "request-1");
        assert_eq!(id(&[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "two words")]), "request-1");
        assert_eq!(id(&[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", &"a".repeat(129))]), "request-1");
    }
}
