//! Why an authenticated delivery can't be acted upon.

use contract::{
    HostName, RefName, Repository,
    git::{CommitIdError, RefNameError},
    repository::{HostError, RepositoryPathError},
};

use crate::{authenticate::AuthenticationError, clone_url::CloneUrlError, content::ContentError, host::PayloadError};

/// Why an authenticated delivery has no meaning that could be acted upon.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The body isn't JSON in one of the two ways in which it is sent.
    #[error("the body can't be read")]
    Content(#[source] ContentError),
    /// The payload lacks what a payload of its kind has.
    #[error("the payload can't be read")]
    Payload(#[source] PayloadError),
    /// Nothing tells the host, and there isn't one allowed host that it could only be.
    #[error("the payload doesn't say which host it is from, and AllowedGitHosts has not just one of its kind")]
    NoHost,
    /// What tells the host can't be one's name.
    #[error("the payload has an unusable host")]
    HostName(#[source] HostError),
    /// The repository's name can't be one.
    #[error("the payload has an unusable repository")]
    Path(#[source] RepositoryPathError),
    /// A clone URL names no repository.
    #[error("the payload has an unusable clone URL")]
    CloneUrl(#[source] CloneUrlError),
    /// The clone URL names another repository than the payload does: an archive would be stored in
    /// another repository's name.
    #[error("the payload is about {full_name:?} and its clone URL about {path:?}")]
    OtherRepository {
        /// The repository's own name.
        full_name: String,
        /// The path of the URL.
        path: String,
    },
    /// A reference's name isn't legal.
    #[error("the payload has an unusable reference")]
    Reference(#[source] RefNameError),
    /// What a reference names isn't an object id.
    #[error("the object id of {reference} is unusable")]
    Commit {
        /// The reference.
        reference: RefName,
        /// What is wrong with the id.
        source: CommitIdError,
    },
    /// The host isn't one to fetch from.
    #[error("{host} is not in AllowedGitHosts")]
    Host {
        /// The host.
        host: HostName,
    },
    /// The repository isn't one to fetch.
    #[error("{repository} is not in Repositories")]
    Repository {
        /// The repository.
        repository: Repository,
    },
    /// The repository isn't one that a sender without a secret may ask for.
    #[error("the request is not authenticated")]
    Unauthenticated(#[source] AuthenticationError),
}
