//! Who sent this? Answered from the raw bytes, before anything in them is parsed.

use contract::{ApiSecrets, Repository};

use crate::{
    delivery::Delivery,
    endpoint::Endpoint,
    host,
    patterns::Scope,
    signature::{self, Claim, Proof, SignatureError},
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
    /// It knows a secret, and one that isn't good for this repository.
    #[error("the secret isn't one for {repository}")]
    Scope {
        /// The repository.
        repository: String,
    },
}

/// How a sender was recognised.
#[derive(Debug, Clone)]
pub(crate) enum Sender {
    /// It knows secrets, which are good for some repositories or for all.
    Secret(Vec<Scope>),
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
    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }
}

impl Sender {
    /// Whether what the sender has shown is good for a repository that [`crate::Repositories`] includes or doesn't.
    pub(crate) fn may_ask_for(&self, repository: &Repository, included: bool) -> Result<(), AuthenticationError> {
        match self {
            Self::Secret(scopes) if scopes.iter().all(|scope| scope.covers(repository)) => Ok(()),
            Self::Secret(_) => Err(AuthenticationError::Scope { repository: repository.to_string() }),
            Self::Address if included => Ok(()),
            Self::Address => Err(AuthenticationError::Repository { repository: repository.to_string() }),
        }
    }
}

/// Recognises the sender by secret or, where it shows none, by address.
pub(crate) fn authenticate<'d>(
    delivery: &'d Delivery,
    secrets: &ApiSecrets,
    endpoint: &Endpoint,
) -> Result<Authenticated<'d>, AuthenticationError> {
    let claim = Claim {
        headers: &delivery.headers,
        signed: &host::detect(&delivery.headers).signed(delivery),
        received_at: delivery.received_at,
        minimum: endpoint.minimum_signature,
    };
    let sender = match signature::verify(&claim, secrets).map_err(AuthenticationError::Signature)? {
        Proof::Secret(scopes) => Sender::Secret(scopes),
        Proof::Absent if !delivery.source.is_some_and(|source| endpoint.allowed_ips.contains(source)) => {
            return Err(AuthenticationError::Address);
        }
        Proof::Absent if endpoint.repositories.is_empty() => return Err(AuthenticationError::NoRepositories),
        Proof::Absent => Sender::Address,
    };
    Ok(Authenticated { delivery, sender })
}
