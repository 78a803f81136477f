//! Why a request failed, and whether a retry can help.

use std::time::Duration;

use contract::Retry;

use crate::NoPublicAddress;

/// The `CaBundle` parameter contains no valid certificates.
#[derive(Debug, thiserror::Error)]
#[error("the CaBundle parameter isn't a list of PEM certificates")]
pub struct CaBundleError(#[source] pub(crate) reqwest::Error);

/// Why there is no response with status 200. No message contains a URL, which may have a credential
/// in it.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// For example, the system's certificates can't be read.
    #[error("could not create an HTTPS client")]
    Client(#[source] reqwest::Error),
    /// The URL is invalid.
    #[error("{from} gave an invalid URL")]
    Location {
        /// Who gave the URL.
        from: String,
    },
    /// The URL isn't an HTTPS one.
    #[error("refused to contact {host} without TLS")]
    Insecure {
        /// The host.
        host: String,
    },
    /// The host isn't on the public internet, and isn't configured as private.
    #[error("refused to connect to a private address")]
    Private(#[source] NoPublicAddress),
    /// There were too many redirects.
    #[error("{host} redirects too often")]
    Redirects {
        /// The host that redirected last.
        host: String,
    },
    /// A protocol that is spoken with one server isn't continued with another one.
    #[error("refused to go on from {host} to {to}")]
    Elsewhere {
        /// The host that redirected.
        host: String,
        /// The origin that it named.
        to: String,
    },
    /// A header of the credential has invalid characters.
    #[error("the credential for {host} can't be sent in a header")]
    Credential {
        /// The host.
        host: String,
    },
    /// The connection couldn't be made, or was lost.
    #[error("the request to {host} failed")]
    Ask {
        /// The host.
        host: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// Status 401.
    #[error("{host} requires another credential (status 401)")]
    Unauthorized {
        /// The host.
        host: String,
    },
    /// Status 403, except for a rate limit.
    #[error("{host} forbids the download (status 403)")]
    Forbidden {
        /// The host.
        host: String,
    },
    /// Status 404 or 410.
    #[error("{host} has nothing at this URL (status {status})")]
    NotFound {
        /// The host.
        host: String,
        /// The status.
        status: u16,
    },
    /// The host requests a pause.
    #[error("{host} is busy (status {status}), retry in {} seconds", after.as_secs())]
    Busy {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// How long.
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
    /// Any other status except 200.
    #[error("{host} returned the status {status}")]
    Status {
        /// The host.
        host: String,
        /// The status.
        status: u16,
    },
    /// The response isn't the expected JSON.
    #[error("{host} sent an unexpected response to {what}")]
    Answer {
        /// The host.
        host: String,
        /// What was requested.
        what: &'static str,
    },
}

/// The longest pause within a run. After a longer one, the queue retries the job.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

impl HttpsError {
    /// The pause before another try within the same run: what the host requests, or `patience`.
    /// `None` if a retry can't help.
    pub fn wait(&self, patience: Duration) -> Option<Duration> {
        match self {
            Self::Busy { after, .. } => (*after <= LONGEST_WAIT).then_some(*after),
            Self::Ask { .. } | Self::Answer { .. } | Self::Server { .. } => Some(patience),
            _ => None,
        }
    }

    /// Whether a later run may succeed.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Busy { after, .. } => Retry::After(*after),
            Self::Location { .. } | Self::Insecure { .. } | Self::Redirects { .. } => Retry::Never,
            _ => Retry::Again,
        }
    }

    /// What a person can do, if that doesn't depend on the request.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Private(_) => {
                Some("only a host whose entry in AllowedGitHosts ends in +private may have a private address")
            }
            Self::Elsewhere { .. } => Some(
                "if that is the host's new address, set web= of its entry in AllowedGitHosts; a host without a valid token may lead to its page for signing in",
            ),
            Self::Ask { .. } => {
                Some("check the host, its port, and its certificate: a private authority must be in CaBundle")
            }
            _ => None,
        }
    }
}
