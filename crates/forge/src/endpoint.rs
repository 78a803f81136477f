//! The door: what comes in is refused, or is an [`Event`].

use contract::{AllowedHosts, AllowedIps, ApiSecrets, Refs, Repositories};

use crate::{
    authenticate::authenticate,
    delivery::Delivery,
    event::{self, Event},
    refusal::Refusal,
    signature::MinimumSignature,
};

/// What the configuration allows, apart from the secrets, which may change while it stays. The
/// default allows no host, and so nothing.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// Which addresses need no secret, each for one host.
    pub allowed_ips: AllowedIps,
    /// What may be fetched from: the `AllowedGitHosts` parameter.
    pub allowed_hosts: AllowedHosts,
    /// Which repositories may be fetched.
    pub repositories: Repositories,
    /// Which references are fetched.
    pub refs: Refs,
    /// How good a signature has to be.
    pub minimum_signature: MinimumSignature,
}

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
