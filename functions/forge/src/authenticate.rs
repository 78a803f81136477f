//! Who sent this? Answered from the raw bytes, before anything in them is parsed.

use contract::ApiSecrets;

use crate::{
    allowed::{AllowedIps, Repositories},
    delivery::Delivery,
    signature::{self, Proof, SignatureError},
};

/// Why a delivery isn't believed.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// It claims to know a secret and doesn't. Its address makes no difference.
    #[error("the signature doesn't verify")]
    Signature(#[source] SignatureError),
    /// It claims nothing, and comes from an address that isn't allowed, or from none that is known.
    #[error("there is no signature, and the address is not in AllowedIps")]
    Address,
    /// It comes from an allowed address, which proves little, and no repository is named for such senders.
    #[error("there is no signature, and the address counts only for repositories that Repositories names")]
    NoRepositories,
    /// As before, and this repository isn't among those named.
    #[error("there is no signature, and the address doesn't suffice for {repository}")]
    Repository {
        /// The repository.
        repository: String,
    },
}

/// How a sender was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// It knows a secret.
    Secret,
    /// It has an allowed address, so only what `Repositories` names is its to ask for.
    Address,
}

/// A delivery whose sender is known; only [`authenticate`] makes one.
#[derive(Debug)]
pub(crate) struct Authenticated<'d> {
    delivery: &'d Delivery,
    sender: Sender,
}

impl<'d> Authenticated<'d> {
    /// The delivery.
    pub(crate) fn delivery(&self) -> &'d Delivery {
        self.delivery
    }

    /// How its sender was recognised.
    pub(crate) fn sender(&self) -> Sender {
        self.sender
    }
}

/// Recognises the sender by secret or, where it shows none, by address.
pub(crate) fn authenticate<'d>(
    delivery: &'d Delivery,
    secrets: &ApiSecrets,
    allowed_ips: &AllowedIps,
    repositories: &Repositories,
) -> Result<Authenticated<'d>, AuthenticationError> {
    let proof = signature::verify(&delivery.headers, &delivery.body, secrets, delivery.received_at)
        .map_err(AuthenticationError::Signature)?;
    let sender = match proof {
        Proof::Secret => Sender::Secret,
        Proof::Absent if !delivery.source.is_some_and(|source| allowed_ips.contains(source)) => {
            return Err(AuthenticationError::Address);
        }
        Proof::Absent if repositories.is_empty() => return Err(AuthenticationError::NoRepositories),
        Proof::Absent => Sender::Address,
    };
    Ok(Authenticated { delivery, sender })
}
