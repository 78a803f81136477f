//! One delivery of a webhook as it came off the wire: nothing in it is believed yet.

use std::net::IpAddr;

use contract::DeliveryId;
use http::HeaderMap;

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

    /// The first value of a header, if it is visible ASCII.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
