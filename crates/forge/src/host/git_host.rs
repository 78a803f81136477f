//! What a kind of host has to say for its deliveries to be believed and understood.

use std::{borrow::Cow, fmt};

use contract::HostKind;
use http::HeaderMap;

use super::{message::Message, payload::PayloadError};
use crate::delivery::Delivery;

/// A kind of Git host.
pub trait GitHost: fmt::Debug + Sync {
    /// Its name, as people write it.
    fn name(&self) -> &'static str;

    /// What a host of this kind is called in `AllowedGitHosts`, where archives can be downloaded
    /// from it.
    fn kind(&self) -> Option<HostKind> {
        None
    }

    /// Whether a delivery with these headers is of this kind. Others may have been asked before,
    /// see [`HOSTS`](super::HOSTS).
    fn recognizes(&self, headers: &HeaderMap) -> bool;

    /// Whether a payload is of this kind, for a host without a header of its own. Only asked when
    /// no host recognises the headers, and of an authenticated payload.
    fn recognizes_payload(&self, _payload: &[u8]) -> bool {
        false
    }

    /// The bytes of a delivery that its signature is of: the body as it came, unless the host does
    /// otherwise.
    fn signed<'d>(&self, delivery: &'d Delivery) -> Cow<'d, [u8]> {
        Cow::Borrowed(&delivery.body)
    }

    /// The headers that may hold the delivery's id, the best first.
    fn delivery_id_headers(&self) -> &'static [&'static str];

    /// What a delivery says, as it says it. `payload` is the JSON text, from an authenticated body.
    fn read(&self, headers: &HeaderMap, payload: &[u8]) -> Result<Message, PayloadError>;
}
