//! Why a status isn't set, and what a person can do.

use github_app::AppError;
use host_api::HostApiError;
use host_credentials::TokenError;
use https::HttpsError;

/// Why a status isn't set. No message contains a token.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The GitHub App gives no token that may set statuses.
    #[error(transparent)]
    App(#[from] AppError),
    /// The tokens can't be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// There is no token for the host.
    #[error("there is no token for {host} to set a status with")]
    NoToken {
        /// The host.
        host: String,
    },
    /// The host doesn't set it.
    #[error(transparent)]
    Api(#[from] HostApiError),
}

impl StatusError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::App(error) => error.hint().map(str::to_owned),
            Self::Token(TokenError::Https(error)) => error.hint().map(str::to_owned),
            Self::Token(TokenError::Read(_)) => None,
            Self::NoToken { host } => Some(format!(
                "add {host}=TOKEN to the parameter GitToken, or install the GitHub App, or set CommitStatus to off"
            )),
            Self::Api(error) => error.hint(),
        }
    }

    /// Whether the host refuses what it was shown: the cached token may have been replaced.
    pub(crate) fn is_of_token(&self) -> bool {
        matches!(
            self,
            Self::Api(HostApiError::Unauthorized { .. })
                | Self::Token(TokenError::Https(HttpsError::Unauthorized { .. }))
        )
    }
}
