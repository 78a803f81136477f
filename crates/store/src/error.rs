//! Why an artifact isn't there, and whether it is worth another try.

use aws_sdk_s3::error::ProvideErrorMetadata;
use contract::{Repository, Retry};

use crate::Object;

/// Why an artifact could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The existing object could not be looked at.
    #[error("could not read the metadata of {object}")]
    Head {
        /// The object.
        object: Object,
        /// S3's answer.
        source: Box<aws_sdk_s3::Error>,
    },
    /// The key belongs to another repository's artifact, which is never replaced.
    #[error("{object} is an artifact of {named:?}, not of {repository}")]
    OtherRepository {
        /// The object.
        object: Object,
        /// The repository whose artifact should have been stored.
        repository: Repository,
        /// The repository that the artifact says it is of.
        named: String,
    },
    /// An artifact of less than one part was refused.
    #[error("could not put {object}")]
    Put {
        /// The object.
        object: Object,
        /// S3's answer.
        source: Box<aws_sdk_s3::Error>,
    },
    /// What is there was refused to be copied.
    #[error("could not copy {object} for another commit")]
    Copy {
        /// The object.
        object: Object,
        /// S3's answer.
        source: Box<aws_sdk_s3::Error>,
    },
    /// The multipart upload was refused.
    #[error("could not begin the multipart upload of {object}")]
    Begin {
        /// The object.
        object: Object,
        /// S3's answer.
        source: Box<aws_sdk_s3::Error>,
    },
    /// A part was refused.
    #[error("could not upload part {number} of {object}")]
    Part {
        /// The object.
        object: Object,
        /// The part, from 1.
        number: i32,
        /// S3's answer.
        source: Box<aws_sdk_s3::Error>,
    },
    /// All parts are there, but S3 refused to join them.
    #[error("could not complete the multipart upload of {object}")]
    Complete {
        /// The object.
        object: Object,
        /// S3's answer.
        source: Box<aws_sdk_s3::Error>,
    },
    /// The producer went away without [`finish`](crate::PartWriter::finish): it failed, and knows
    /// why.
    #[error("the producer of {object} stopped early")]
    Unfinished {
        /// The object.
        object: Object,
    },
    /// The task that uploads was cancelled, or it panicked.
    #[error("the upload of {object} stopped")]
    Stopped {
        /// The object.
        object: Object,
        /// How it stopped.
        source: tokio::task::JoinError,
    },
}

/// What S3 says about a request that can't succeed, however often it is made.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const HOPELESS: [&str; 6] =
    ["EntityTooLarge", "InvalidArgument", "InvalidRequest", "KeyTooLongError", "MetadataTooLarge", "NoSuchBucket"];

impl StoreError {
    /// Whether the same upload may succeed later.
    pub fn retry(&self) -> Retry {
        let is_hopeless = || self.code().is_some_and(|code| HOPELESS.contains(&code));
        if matches!(self, Self::OtherRepository { .. }) || is_hopeless() { Retry::Never } else { Retry::Again }
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        matches!(self, Self::OtherRepository { .. }).then_some(
            "set KeyLayout to host/path, so that hosts don't share keys; or delete the object, if its repository is gone",
        )
    }

    /// What S3 calls the error, where it is S3's.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Head { source, .. }
            | Self::Put { source, .. }
            | Self::Copy { source, .. }
            | Self::Begin { source, .. }
            | Self::Part { source, .. }
            | Self::Complete { source, .. } => source.code(),
            Self::OtherRepository { .. } | Self::Unfinished { .. } | Self::Stopped { .. } => None,
        }
    }
}
