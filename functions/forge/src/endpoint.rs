//! The door: what comes in is refused, or is an [`Event`].

use contract::{AllowedHosts, ApiSecrets};

use crate::{
    allowed::{AllowedIps, Repositories},
    authenticate::authenticate,
    delivery::Delivery,
    event::{self, Event},
    refusal::Refusal,
};

/// What the configuration allows, apart from the secrets, which may change while it stays.
#[derive(Debug, Clone)]
pub struct Endpoint {
    allowed_ips: AllowedIps,
    repositories: Repositories,
    allowed_hosts: AllowedHosts,
}

impl Endpoint {
    /// An endpoint that goes by these parameters.
    pub fn new(allowed_ips: AllowedIps, repositories: Repositories, allowed_hosts: AllowedHosts) -> Self {
        Self { allowed_ips, repositories, allowed_hosts }
    }

    /// Authenticates a delivery and reads its meaning.
    ///
    /// A secret makes the address irrelevant. A wrong signature is refused whatever the address. An address
    /// alone suffices only for repositories that are named. Where there is neither a secret nor such an
    /// address, everything is refused.
    pub fn receive(&self, delivery: &Delivery, secrets: &ApiSecrets) -> Result<Event, Refusal> {
        let bytes = delivery.body.len();
        if bytes > Delivery::MAX_BODY_BYTES {
            return Err(Refusal::TooLarge { bytes });
        }
        let authenticated =
            authenticate(delivery, secrets, &self.allowed_ips, &self.repositories).map_err(Refusal::Unauthenticated)?;
        Ok(event::read(&authenticated, &self.allowed_hosts, &self.repositories)?)
    }
}
