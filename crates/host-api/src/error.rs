//! Why an action at a host failed, and what a person can do.

use std::time::Duration;

use contract::Retry;
use https::HttpsError;

use crate::{Action, Attempt};

/// Why an action failed. No message contains the token, a secret or a URL.
#[derive(Debug, thiserror::Error)]
pub enum HostApiError {
    /// The host's entry in `AllowedGitHosts` doesn't say what it runs.
    #[error("nothing says what {host} runs, so its API is unknown")]
    UnknownKind {
        /// The host.
        host: String,
    },
    /// The token contains characters that no header can contain.
    #[error("the token for {host} has characters that can't be sent")]
    Token {
        /// The host.
        host: String,
    },
    /// The repository's path has too few parts for this host.
    #[error("{repository} isn't a repository at {host}: expected {expected}")]
    Path {
        /// The host.
        host: String,
        /// The path.
        repository: String,
        /// The form of the host's paths.
        expected: &'static str,
    },
    /// The host has no API for this.
    #[error("could not {attempt}: the host has no API for it")]
    NotOffered {
        /// The action.
        attempt: Attempt,
        /// What a person can do instead.
        instead: &'static str,
    },
    /// Status 401.
    #[error("could not {attempt}: the host doesn't accept the token (status 401)")]
    Unauthorized {
        /// The action.
        attempt: Attempt,
    },
    /// Status 403.
    #[error("could not {attempt}: the host forbids it (status 403){}", after_colon(.said))]
    Forbidden {
        /// The action.
        attempt: Attempt,
        /// The host's message.
        said: String,
    },
    /// Status 404 or 410. Hosts also give it for what a token may not see.
    #[error("could not {attempt}: it doesn't exist, or the token has no access (status {status})")]
    NotFound {
        /// The action.
        attempt: Attempt,
        /// The status.
        status: u16,
    },
    /// The repository is archived.
    #[error("could not {attempt}: it is archived")]
    Archived {
        /// The action.
        attempt: Attempt,
    },
    /// The repository has another name now.
    #[error("could not {attempt}: it was renamed or moved (status {status})")]
    Moved {
        /// The action.
        attempt: Attempt,
        /// The status.
        status: u16,
    },
    /// Another repository or user has this key, and the host permits a key only once.
    #[error("could not {attempt}: the key is already in use elsewhere")]
    KeyInUse {
        /// The action.
        attempt: Attempt,
    },
    /// The organisation forbids deploy keys.
    #[error("could not {attempt}: its organisation forbids deploy keys")]
    DeployKeysDisabled {
        /// The action.
        attempt: Attempt,
    },
    /// The host refused the request for another reason.
    #[error("could not {attempt}: the host refused it (status {status}){}", after_colon(.said))]
    Refused {
        /// The action.
        attempt: Attempt,
        /// The status.
        status: u16,
        /// The host's message.
        said: String,
    },
    /// The host's limit was reached, and it lasts too long to wait, or it was reached again after
    /// each wait.
    #[error("could not {attempt}: the host's limit is reached, retry in {} seconds", after.as_secs())]
    Limited {
        /// The action.
        attempt: Attempt,
        /// How long the host requires to wait.
        after: Duration,
    },
    /// Status 5xx.
    #[error("could not {attempt}: the host failed (status {status})")]
    Server {
        /// The action.
        attempt: Attempt,
        /// The status.
        status: u16,
    },
    /// The request wasn't sent, or its response was lost.
    #[error("could not {attempt}")]
    Transport {
        /// The action.
        attempt: Attempt,
        /// The cause.
        #[source]
        source: HttpsError,
    },
    /// The response isn't what the host's documentation says.
    #[error("could not {attempt}: the host's response is not what its documentation says")]
    Answer {
        /// The action.
        attempt: Attempt,
        /// The cause, if it is JSON.
        #[source]
        source: Option<serde_json::Error>,
    },
}

fn after_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl HostApiError {
    /// The action that failed, if one was begun.
    pub fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::UnknownKind { .. } | Self::Token { .. } | Self::Path { .. } => None,
            Self::NotOffered { attempt, .. }
            | Self::Unauthorized { attempt }
            | Self::Forbidden { attempt, .. }
            | Self::NotFound { attempt, .. }
            | Self::Archived { attempt }
            | Self::Moved { attempt, .. }
            | Self::KeyInUse { attempt }
            | Self::DeployKeysDisabled { attempt }
            | Self::Refused { attempt, .. }
            | Self::Limited { attempt, .. }
            | Self::Server { attempt, .. }
            | Self::Transport { attempt, .. }
            | Self::Answer { attempt, .. } => Some(attempt),
        }
    }

    /// Whether the same request may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Limited { .. } | Self::Server { .. } => true,
            Self::Transport { source, .. } => source.retry() != Retry::Never,
            _ => false,
        }
    }

    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownKind { .. } => {
                "add what the host runs to its entry in AllowedGitHosts, such as kind=gitlab".to_owned()
            }
            Self::Token { .. } => "enter the token again, without spaces or line ends".to_owned(),
            Self::NotOffered { instead, .. } => (*instead).to_owned(),
            Self::Unauthorized { attempt } => {
                format!("create a token that hasn't expired, with {}", attempt.needs)
            }
            Self::Forbidden { attempt, .. } if attempt.action == Action::SetStatus => {
                format!("the token needs {}", attempt.needs)
            }
            Self::Forbidden { attempt, .. } => {
                format!("the token needs {}, and its owner must administer the repository", attempt.needs)
            }
            Self::NotFound { attempt, .. } => {
                format!("check the name; if it is right, the token needs {}", attempt.needs)
            }
            Self::Archived { .. } => "unarchive the repository, or leave it out".to_owned(),
            Self::Moved { .. } => "use the repository's new name".to_owned(),
            Self::KeyInUse { .. } => "use a key of its own for each repository, or remove the key where it is: \
                 other repositories' deploy keys, and the SSH keys of users"
                .to_owned(),
            Self::DeployKeysDisabled { .. } => "an owner can permit deploy keys: organisation settings → Deploy keys; \
                 otherwise use a GitHub App, or a machine user's account"
                .to_owned(),
            Self::Limited { .. } => "run it again then: what is done stays done".to_owned(),
            Self::Server { .. } => "run it again: what is done stays done".to_owned(),
            Self::Transport { source, .. } => source.hint()?.to_owned(),
            Self::Path { .. } | Self::Refused { .. } | Self::Answer { .. } => return None,
        })
    }
}
