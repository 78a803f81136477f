//! Why an authenticated delivery can't be acted upon.

use contract::{
    HostName, RefName, Repository,
    git::{CommitIdError, RefNameError},
    repository::{HostError, RepositoryPathError},
};

use crate::{authenticate::AuthenticationError, clone_url::CloneUrlError, content::ContentError, host::PayloadError};

/// Why an authenticated delivery can't be processed.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The body has neither of the two JSON encodings.
    #[error("the body can't be read")]
    Content(#[source] ContentError),
    /// The payload lacks required fields.
    #[error("the payload can't be read")]
    Payload(#[source] PayloadError),
    /// The payload doesn't name the host, and there isn't exactly one allowed host of its kind.
    #[error("the payload doesn't name its host, and AllowedGitHosts doesn't have exactly one of its kind")]
    NoHost,
    /// The host isn't a valid host name.
    #[error("the payload has an invalid host")]
    HostName(#[source] HostError),
    /// The repository name is invalid.
    #[error("the payload has an invalid repository")]
    Path(#[source] RepositoryPathError),
    /// A clone URL is invalid.
    #[error("the payload has an invalid clone URL")]
    CloneUrl(#[source] CloneUrlError),
    /// The clone URL names another repository than the payload: the zip would be stored under
    /// another repository's name.
    #[error("the payload is about {full_name:?}, but its clone URL is of {path:?}")]
    OtherRepository {
        /// The repository's full name.
        full_name: String,
        /// The path of the URL.
        path: String,
    },
    /// A reference name is invalid.
    #[error("the payload has an invalid reference")]
    Reference(#[source] RefNameError),
    /// The object ID of a reference is invalid.
    #[error("the object ID of {reference} is invalid")]
    Commit {
        /// The reference.
        reference: RefName,
        /// The cause.
        source: CommitIdError,
    },
    /// The host isn't allowed.
    #[error("{host} is not in AllowedGitHosts")]
    Host {
        /// The host.
        host: HostName,
    },
    /// The repository isn't permitted.
    #[error("{repository} is not in Repositories")]
    Repository {
        /// The repository.
        repository: Repository,
    },
    /// A sender without a secret may not request the repository.
    #[error("the request is not authenticated")]
    Unauthenticated(#[source] AuthenticationError),
}
