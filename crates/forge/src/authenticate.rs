//! Who sent this? Answered from the raw bytes, before anything in them is parsed.

use contract::{AllowedHost, ApiSecrets, HostKind, Repository};

use crate::{
    delivery::Delivery,
    endpoint::Endpoint,
    host,
    scope::Scope,
    signature::{self, Claim, Proof, SignatureError},
};

/// Why a delivery isn't believed.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// It claims to know a secret and doesn't. Its address makes no difference.
    #[error("the signature doesn't verify")]
    Signature(#[source] SignatureError),
    /// It claims nothing, and comes from an address that speaks for no host, or from none that is
    /// known.
    #[error("there is no signature, and AllowedIps has no entry for the address and an allowed host")]
    Address,
    /// It comes from an allowed address, which proves little, and no repository is named for such
    /// senders.
    #[error("there is no signature, and the address counts only for repositories that Repositories names")]
    NoRepositories,
    /// It comes from an address that speaks for hosts of another kind than what it sends.
    #[error("there is no signature, and the address speaks for no host that sends {kind}'s payloads")]
    Kind {
        /// Whose payload it is.
        kind: &'static str,
    },
    /// It comes from an address that doesn't speak for the repository's host, or isn't for this
    /// repository.
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
    /// It has an address that speaks for these hosts, so only what `Repositories` names of theirs
    /// is its to ask for.
    Address(Vec<AllowedHost>),
}

/// A delivery whose sender is known; only [`authenticate`] makes one.
#[derive(Debug)]
pub(crate) struct Authenticated<'d> {
    delivery: &'d Delivery,
    host: &'static dyn host::GitHost,
    sender: Sender,
}

impl<'d> Authenticated<'d> {
    /// The delivery.
    pub(crate) fn delivery(&self) -> &'d Delivery {
        self.delivery
    }

    /// The kind of host that its headers name.
    pub(crate) fn host(&self) -> &'static dyn host::GitHost {
        self.host
    }

    /// How its sender was recognised.
    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }
}

impl Sender {
    /// Whether the sender may send what a host of this kind sends.
    pub(crate) fn may_send_as(&self, host: &dyn host::GitHost) -> Result<(), AuthenticationError> {
        match self {
            Self::Address(hosts) if !hosts.iter().any(|own| own.kind == host.kind()) => {
                Err(AuthenticationError::Kind { kind: host.name() })
            }
            Self::Address(_) | Self::Secret(_) => Ok(()),
        }
    }

    /// Whether what the sender has shown is good for a repository on `host`, in a payload of this
    /// kind, that [`contract::Repositories`] includes or doesn't.
    pub(crate) fn may_ask_for(
        &self,
        repository: &Repository,
        host: &AllowedHost,
        kind: Option<HostKind>,
        included: bool,
    ) -> Result<(), AuthenticationError> {
        match self {
            Self::Secret(scopes) if scopes.iter().all(|scope| scope.covers(repository, host)) => Ok(()),
            Self::Secret(_) => Err(AuthenticationError::Scope { repository: repository.to_string() }),
            Self::Address(hosts) if included && host.kind == kind && hosts.contains(host) => Ok(()),
            Self::Address(_) => Err(AuthenticationError::Repository { repository: repository.to_string() }),
        }
    }

    /// The lists of globs that every repository has to fit which is fetched for the sender.
    pub(crate) fn scope(&self) -> Vec<String> {
        match self {
            Self::Secret(scopes) => scopes.iter().filter_map(Scope::globs).collect(),
            Self::Address(hosts) => {
                vec![hosts.iter().map(|own| format!("{}/**", own.host)).collect::<Vec<_>>().join(",")]
            }
        }
    }
}

/// Recognises the sender by secret or, where it shows none, by address.
pub(crate) fn authenticate<'d>(
    delivery: &'d Delivery,
    secrets: &ApiSecrets,
    endpoint: &Endpoint,
) -> Result<Authenticated<'d>, AuthenticationError> {
    let host = host::detect(&delivery.headers);
    let claim = Claim {
        headers: &delivery.headers,
        signed: &host.signed(delivery),
        received_at: delivery.received_at,
        minimum: endpoint.minimum_signature,
    };
    let sender = match signature::verify(&claim, secrets).map_err(AuthenticationError::Signature)? {
        Proof::Secret(scopes) => Sender::Secret(scopes),
        Proof::Absent => by_address(delivery, endpoint)?,
    };
    Ok(Authenticated { delivery, host, sender })
}

fn by_address(delivery: &Delivery, endpoint: &Endpoint) -> Result<Sender, AuthenticationError> {
    let named = delivery.source.into_iter().flat_map(|source| endpoint.allowed_ips.hosts(source));
    let hosts: Vec<_> = named.filter_map(|host| endpoint.allowed_hosts.find(host.as_str())).cloned().collect();
    if hosts.is_empty() {
        return Err(AuthenticationError::Address);
    }
    if endpoint.repositories.is_empty() {
        return Err(AuthenticationError::NoRepositories);
    }
    Ok(Sender::Address(hosts))
}
