//! Authenticates a delivery by its raw bytes, before anything in them is parsed.

use contract::{AllowedHost, ApiSecrets, HostKind, Repository};

use crate::{
    delivery::Delivery,
    endpoint::Endpoint,
    host,
    scope::Scope,
    signature::{self, Claim, Proof, SignatureError},
};

/// Why a delivery isn't authentic.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// It has a signature, which is invalid. Its address doesn't matter then.
    #[error("the signature doesn't verify")]
    Signature(#[source] SignatureError),
    /// It has no signature, and no `AllowedIps` entry for its address names an allowed host.
    #[error("there is no signature, and AllowedIps has no entry for the address and an allowed host")]
    Address,
    /// It comes from an allowed address, which proves little, and `Repositories` names no
    /// repository.
    #[error("there is no signature, and the address is accepted only for repositories in Repositories")]
    NoRepositories,
    /// Its address is allowed, but not for hosts of the payload's kind.
    #[error("there is no signature, and AllowedIps doesn't allow {kind}'s payloads from the address")]
    Kind {
        /// The payload's kind.
        kind: &'static str,
    },
    /// Its address is allowed, but not for the repository's host or for this repository.
    #[error("there is no signature, and the address doesn't suffice for {repository}")]
    Repository {
        /// The repository.
        repository: String,
    },
    /// It has a valid signature, but the secret isn't valid for this repository.
    #[error("the secret isn't valid for {repository}")]
    Scope {
        /// The repository.
        repository: String,
    },
}

/// How a sender was authenticated.
#[derive(Debug, Clone)]
pub(crate) enum Sender {
    /// By secrets, which are valid for some repositories or for all.
    Secret {
        /// For each header with a proof, which ones.
        scopes: Vec<Scope>,
        /// The header.
        header: &'static str,
    },
    /// By an address that is trusted for these hosts. It may request only their repositories that
    /// `Repositories` names.
    Address(Vec<AllowedHost>),
}

/// An authenticated delivery. Only [`authenticate`] creates one.
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

    /// How its sender was authenticated.
    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }
}

impl Sender {
    /// Whether the sender may send payloads of this kind.
    pub(crate) fn may_send_as(&self, host: &dyn host::GitHost) -> Result<(), AuthenticationError> {
        match self {
            Self::Address(hosts) if !hosts.iter().any(|own| own.kind == host.kind()) => {
                Err(AuthenticationError::Kind { kind: host.name() })
            }
            Self::Address(_) | Self::Secret { .. } => Ok(()),
        }
    }

    /// Whether the sender may request a repository on `host` in a payload of this kind.
    /// [`contract::Repositories`] includes the repository or doesn't.
    pub(crate) fn may_ask_for(
        &self,
        repository: &Repository,
        host: &AllowedHost,
        kind: Option<HostKind>,
        included: bool,
    ) -> Result<(), AuthenticationError> {
        match self {
            Self::Secret { scopes, .. } if scopes.iter().all(|scope| scope.covers(repository, host)) => Ok(()),
            Self::Secret { .. } => Err(AuthenticationError::Scope { repository: repository.to_string() }),
            Self::Address(hosts) if included && host.kind == kind && hosts.contains(host) => Ok(()),
            Self::Address(_) => Err(AuthenticationError::Repository { repository: repository.to_string() }),
        }
    }

    /// The name of the header with the proof, or `address`.
    pub(crate) fn proof(&self) -> &'static str {
        match self {
            Self::Secret { header, .. } => header,
            Self::Address(_) => "address",
        }
    }

    /// The lists of globs that every repository fetched for the sender must match.
    pub(crate) fn scope(&self) -> Vec<String> {
        match self {
            Self::Secret { scopes, .. } => scopes.iter().filter_map(Scope::globs).collect(),
            Self::Address(hosts) => {
                vec![hosts.iter().map(|own| format!("{}/**", own.host)).collect::<Vec<_>>().join(",")]
            }
        }
    }
}

/// Authenticates the sender by secret or, if there is no signature, by address.
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
        Proof::Secret { scopes, header } => Sender::Secret { scopes, header },
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
