//! Why there is no way to a repository, whether a retry can help, and what a person can do.

use contract::Retry;
use fetch::{FetchError, PrivateKeyError};
use github_app::AppError;
use https::HttpsError;

/// Why there is nothing to show a host.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// S3 doesn't serve the key.
    #[error("could not read the encrypted SSH key s3://{bucket}/{object}")]
    ReadKey {
        /// The key bucket.
        bucket: String,
        /// The object's key.
        object: String,
        /// What S3 said.
        source: Box<aws_sdk_s3::Error>,
    },
    /// S3's response ended early.
    #[error("the transfer of s3://{bucket}/{object} was cut off")]
    KeyBrokeOff {
        /// The key bucket.
        bucket: String,
        /// The object's key.
        object: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The stack has lost its key.
    #[error("the encrypted SSH key s3://{bucket}/{object} does not exist")]
    NoSuchKey {
        /// The key bucket.
        bucket: String,
        /// The object's key.
        object: String,
    },
    /// The object has something else in it.
    #[error("s3://{bucket}/{object} does not contain a repository's SSH keys")]
    MalformedKeys {
        /// The key bucket.
        bucket: String,
        /// The object's key.
        object: String,
    },
    /// KMS doesn't decrypt it.
    #[error("could not decrypt the SSH key with {kms_key}")]
    DecryptKey {
        /// The KMS key.
        kms_key: String,
        /// What KMS said.
        source: Box<aws_sdk_kms::Error>,
    },
    /// KMS makes no data key for the copy of all keys.
    #[error("could not get a data key of {kms_key}")]
    DataKey {
        /// The KMS key.
        kms_key: String,
        /// What KMS said.
        source: Box<aws_sdk_kms::Error>,
    },
    /// S3 doesn't take that copy.
    #[error("could not store the encrypted SSH keys in s3://{bucket}/{object}")]
    StoreKeys {
        /// The bucket.
        bucket: String,
        /// The object's key.
        object: String,
        /// What S3 said.
        source: Box<aws_sdk_s3::Error>,
    },
    /// It decrypts to something else.
    #[error("the data decrypted with {kms_key} is not an SSH key")]
    NoKey {
        /// The KMS key.
        kms_key: String,
    },
    /// It is no key that can be used.
    #[error("the SSH key can't be used")]
    Key(#[source] PrivateKeyError),
    /// The secret with the tokens can't be read.
    #[error("could not read the credentials: {0}")]
    ReadCredentials(String),
    /// A token for the host is not to be had.
    #[error("could not get a token for the host")]
    Token(#[source] HttpsError),
    /// Nor one of the App.
    #[error("could not get a token of the GitHub App")]
    GitHubApp(#[source] Box<AppError>),
}

impl AccessError {
    /// Whether a retry can help.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Token(error) => error.retry(),
            Self::GitHubApp(error) => error.retry(),
            _ => Retry::Again,
        }
    }

    /// What a person can do about it, if known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Token(error) => error.hint(),
            Self::GitHubApp(error) => error.hint(),
            Self::NoSuchKey { .. } => Some("deploy the stack again: it makes a new key, which the hosts must get"),
            Self::MalformedKeys { .. } => Some("connect the repository again: `infra connect` makes new keys"),
            _ => None,
        }
    }
}

/// Why a repository wasn't reached.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// There is nothing to show its host.
    #[error(transparent)]
    Access(Box<AccessError>),
    /// Its host doesn't serve it.
    #[error("could not reach the repository")]
    Fetch(#[source] Box<FetchError>),
}

impl From<AccessError> for ReachError {
    fn from(error: AccessError) -> Self {
        Self::Access(Box::new(error))
    }
}
