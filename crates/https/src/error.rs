//! Why there is no answer, and whether asking again is of use.

use std::time::Duration;

use contract::Retry;

use crate::NoPublicAddress;

/// The `CaBundle` parameter holds no certificates.
#[derive(Debug, thiserror::Error)]
#[error("the CaBundle parameter is no list of certificates in PEM")]
pub struct CaBundleError(#[source] pub(crate) reqwest::Error);

/// Why there is no answer of status 200. No message holds a URL, which may have a credential in it.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// The machine's authorities can't be read, or the like.
    #[error("could not make an HTTPS client")]
    Client(#[source] reqwest::Error),
    /// What should be asked isn't a URL.
    #[error("{from} sends to an address that is no URL")]
    Location {
        /// Who sent there.
        from: String,
    },
    /// What should be asked isn't behind TLS.
    #[error("{host} would be asked without TLS")]
    Insecure {
        /// The host.
        host: String,
    },
    /// The host isn't on the internet, and isn't configured as private.
    #[error("the download would lead to a private address")]
    Private(#[source] NoPublicAddress),
    /// There were more redirects than there may be.
    #[error("{host} redirects in circles")]
    Redirects {
        /// The host that redirected last.
        host: String,
    },
    /// A header of a credential has characters in it that no header may have.
    #[error("the credential for {host} can't be sent in a header")]
    Credential {
        /// The host.
        host: String,
    },
    /// The connection can't be made, or broke.
    #[error("could not ask {host}")]
    Ask {
        /// The host.
        host: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// Status 401.
    #[error("{host} demands another credential (status 401)")]
    Unauthorized {
        /// The host.
        host: String,
    },
    /// Status 403, and not for being asked too often.
    #[error("{host} forbids the download (status 403)")]
    Forbidden {
        /// The host.
        host: String,
    },
    /// Status 404 or 410.
    #[error("{host} knows nothing there (status {status})")]
    NotFound {
        /// The host.
        host: String,
        /// The status.
        status: u16,
    },
    /// The host wants to be left alone for a while.
    #[error("{host} is busy (status {status}) and wants {} seconds", after.as_secs())]
    Busy {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// For how long.
        after: Duration,
    },
    /// Status 5xx.
    #[error("{host} failed (status {status})")]
    Server {
        /// The host.
        host: String,
        /// The status.
        status: u16,
    },
    /// Any other status but 200.
    #[error("{host} answered with the status {status}")]
    Status {
        /// The host.
        host: String,
        /// The status.
        status: u16,
    },
    /// The answer isn't the JSON that it should be.
    #[error("{host} answers {what} with something else")]
    Answer {
        /// The host.
        host: String,
        /// What it was asked for.
        what: &'static str,
    },
}

/// The longest that a try waits for the next one; what takes longer is the queue's.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

impl HttpsError {
    /// How long to wait before another try within the same run: as the host says, or else for
    /// `patience`; nothing where another try is no use.
    pub fn wait(&self, patience: Duration) -> Option<Duration> {
        match self {
            Self::Busy { after, .. } => (*after <= LONGEST_WAIT).then_some(*after),
            Self::Ask { .. } | Self::Answer { .. } | Self::Server { .. } => Some(patience),
            _ => None,
        }
    }

    /// Whether another run may have more luck.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Busy { after, .. } => Retry::After(*after),
            Self::Location { .. } | Self::Insecure { .. } | Self::Redirects { .. } => Retry::Never,
            _ => Retry::Again,
        }
    }

    /// What a person can do, where that doesn't depend on what was asked for.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Private(_) => {
                Some("only a host whose entry in AllowedGitHosts ends in +private may have a private address")
            }
            Self::Ask { .. } => {
                Some("check the host, its port, and its certificate: a private authority belongs into CaBundle")
            }
            _ => None,
        }
    }
}
