//! A webhook delivery as received, with nothing verified.

use std::net::IpAddr;

use contract::DeliveryId;
use http::HeaderMap;

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

    /// The first value of a header, if it is visible ASCII.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
