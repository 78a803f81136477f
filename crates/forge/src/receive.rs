//! The door: what comes in is refused, or is an [`Event`].

use contract::ApiSecrets;

use crate::{
    authenticate::authenticate,
    delivery::Delivery,
    endpoint::Endpoint,
    event::{self, Event},
    refusal::Refusal,
};

impl Endpoint {
    /// Authenticates and parses a delivery.
    ///
    /// With a valid secret, the address doesn't matter. An invalid signature is refused from any
    /// address. An address alone suffices only for payloads of its own host about repositories that
    /// `Repositories` names. Without a secret and an allowed address, everything is refused.
    pub fn receive(&self, delivery: &Delivery, secrets: &ApiSecrets) -> Result<Event, Refusal> {
        let bytes = delivery.body.len();
        if bytes > Delivery::MAX_BODY_BYTES {
            return Err(Refusal::TooLarge { bytes });
        }
        let authenticated = authenticate(delivery, secrets, self).map_err(Refusal::Unauthenticated)?;
        Ok(event::read(&authenticated, self)?)
    }
}
