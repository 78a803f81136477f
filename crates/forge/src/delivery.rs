//! One delivery of a webhook as it came off the wire: nothing in it is believed yet.

use std::net::IpAddr;

use contract::DeliveryId;
use http::HeaderMap;

use crate::host::{self, GitHost};

/// A request to the endpoint, before anything is known about it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The id that the receiving side gave the request. It names the delivery when its sender
    /// didn't.
    pub request_id: DeliveryId,
    /// The headers; a [`HeaderMap`] compares names without regard to case.
    pub headers: HeaderMap,
    /// The body's raw bytes, which is what senders sign.
    pub body: Vec<u8>,
    /// The address that the connection came from, as the receiving side saw it. Never from a
    /// header: a sender writes those as it likes.
    pub source: Option<IpAddr>,
    /// When the request arrived, in seconds since 1970: signatures that carry a time are good for
    /// minutes.
    pub received_at: i64,
}

impl Delivery {
    /// The largest body that is looked at, in bytes.
    pub const MAX_BODY_BYTES: usize = contract::body::MAX_BODY_BYTES;

    /// A delivery without headers and address, that arrived in 1970.
    pub fn new(request_id: DeliveryId, body: Vec<u8>) -> Self {
        Self { request_id, headers: HeaderMap::new(), body, source: None, received_at: 0 }
    }

    /// The sender's id of the delivery, the same when it delivers again. Where the sender gives
    /// none, or none that can stand in a log line, it is the request's own id.
    pub fn id(&self) -> DeliveryId {
        self.id_by(host::detect(&self.headers))
    }

    /// The same, by the host that was detected.
    pub(crate) fn id_by(&self, host: &dyn GitHost) -> DeliveryId {
        let mut values = host.delivery_id_headers().iter().filter_map(|name| self.header(name));
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
