//! What an endpoint lets in, by the stack's parameters.

use contract::{AllowedHosts, AllowedIps, Refs, Repositories};

use crate::signature::MinimumSignature;

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
