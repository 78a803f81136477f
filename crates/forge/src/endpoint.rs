//! The entry point: a delivery is refused or becomes an [`Event`].

use contract::{AllowedHosts, AllowedIps, ApiSecrets, Refs, Repositories};

use crate::{
    authenticate::authenticate,
    delivery::Delivery,
    event::{self, Event},
    refusal::Refusal,
    signature::MinimumSignature,
};

/// What the configuration allows, except for the secrets, which may change independently. The
/// default allows no host, and therefore nothing.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// Addresses that need no secret, each for one host.
    pub allowed_ips: AllowedIps,
    /// The allowed hosts: the `AllowedGitHosts` parameter.
    pub allowed_hosts: AllowedHosts,
    /// Which repositories may be fetched.
    pub repositories: Repositories,
    /// Which references are fetched.
    pub refs: Refs,
    /// The weakest accepted signature.
    pub minimum_signature: MinimumSignature,
}

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
