//! What an endpoint lets in, by the stack's parameters.

use contract::{AllowedHosts, AllowedIps, Refs, Repositories};

use crate::signature::MinimumSignature;

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
