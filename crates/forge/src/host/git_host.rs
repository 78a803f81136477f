//! What a kind of host has to say for its deliveries to be believed and understood.

use std::{borrow::Cow, fmt};

use contract::HostKind;
use http::HeaderMap;

use super::{message::Message, payload::PayloadError};
use crate::delivery::Delivery;

/// A kind of Git host.
pub trait GitHost: fmt::Debug + Sync {
    /// The product name, for display.
    fn name(&self) -> &'static str;

    /// The kind in `AllowedGitHosts`, if archives can be downloaded from it.
    fn kind(&self) -> Option<HostKind> {
        None
    }

    /// Whether a delivery with these headers is of this kind. Others may have been asked before,
    /// see [`HOSTS`](super::HOSTS).
    fn recognizes(&self, headers: &HeaderMap) -> bool;

    /// Whether a payload is of this kind, for a host without a distinctive header. Called only for
    /// an authenticated payload if no host recognises the headers.
    fn recognizes_payload(&self, _payload: &[u8]) -> bool {
        false
    }

    /// The bytes that the delivery's signature covers: by default, the body as received.
    fn signed<'d>(&self, delivery: &'d Delivery) -> Cow<'d, [u8]> {
        Cow::Borrowed(&delivery.body)
    }

    /// The headers that may have the delivery's ID, best first.
    fn delivery_id_headers(&self) -> &'static [&'static str];

    /// Parses a delivery. `payload` is the JSON text of an authenticated body.
    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError>;
}
