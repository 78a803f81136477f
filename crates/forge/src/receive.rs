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
    /// Authenticates a delivery and reads its meaning.
    ///
    /// A secret makes the address irrelevant. A wrong signature is refused whatever the address. An
    /// address alone suffices only for what its own host sends of its own repositories, and of
    /// those only for the ones that are named. Where there is neither a secret nor such an address,
    /// everything is refused.
    pub fn receive(&self, delivery: &Delivery, secrets: &ApiSecrets) -> Result<Event, Refusal> {
        let bytes = delivery.body.len();
        if bytes > Delivery::MAX_BODY_BYTES {
            return Err(Refusal::TooLarge { bytes });
        }
        let authenticated = authenticate(delivery, secrets, self).map_err(Refusal::Unauthenticated)?;
        Ok(event::read(&authenticated, self)?)
    }
}
