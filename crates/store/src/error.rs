//! Why an artifact couldn't be stored, and whether a retry can help.

use aws_sdk_s3::error::ProvideErrorMetadata;
use contract::{Repository, Retry};

use crate::Object;

/// Why an artifact could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The request for the existing object failed.
    #[error("could not read the metadata of {object}")]
    Head {
        /// The object.
        object: Object,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// The key belongs to another repository's artifact, which is never overwritten.
    #[error("{object} is an artifact of {named:?}, not of {repository}")]
    OtherRepository {
        /// The object.
        object: Object,
        /// The repository whose artifact was to be stored.
        repository: Repository,
        /// The repository of the existing artifact.
        named: String,
    },
    /// S3 refused an artifact of less than one part.
    #[error("could not put {object}")]
    Put {
        /// The object.
        object: Object,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// S3 refused to copy the artifact.
    #[error("could not make {object} as a copy")]
    Copy {
        /// The object.
        object: Object,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// S3 refused to read the artifact, whose hash isn't in its metadata.
    #[error("could not read {object}")]
    Read {
        /// The object.
        object: Object,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// The artifact could only be read in part.
    #[error("the transfer of {object} was cut off")]
    CutOff {
        /// The object.
        object: Object,
        /// What happened.
        source: std::io::Error,
    },
    /// S3 refused the manifest. The zip is stored.
    #[error("the zip is stored, but could not put its manifest {object}")]
    Manifest {
        /// The manifest.
        object: Object,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// The manifest can't be written as JSON.
    #[error("could not write {object} as JSON")]
    Text {
        /// The manifest.
        object: Object,
        /// The cause.
        source: serde_json::Error,
    },
    /// S3 refused to read the tags of the artifact of a deleted reference.
    #[error("could not read the tags of {object}")]
    ReadTags {
        /// The object.
        object: Object,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// S3 refused the tag of a deleted reference.
    #[error("could not mark {object} as deleted")]
    Tag {
        /// The object.
        object: Object,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// Somebody else's tags leave no room for the tag of a deleted reference.
    #[error("could not mark {object} as deleted: it has {most} other tags")]
    Tags {
        /// The object.
        object: Object,
        /// How many tags an object may have.
        most: usize,
    },
    /// S3 refused to start the multipart upload.
    #[error("could not begin the multipart upload of {object}")]
    Begin {
        /// The object.
        object: Object,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// S3 refused a part.
    #[error("could not upload part {number} of {object}")]
    Part {
        /// The object.
        object: Object,
        /// The part, from 1.
        number: i32,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// All parts were uploaded, but S3 refused to join them.
    #[error("could not complete the multipart upload of {object}")]
    Complete {
        /// The object.
        object: Object,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// The producer ended without [`finish`](crate::PartWriter::finish): it failed and knows the
    /// cause.
    #[error("the producer of {object} stopped early")]
    Unfinished {
        /// The object.
        object: Object,
    },
    /// The upload task was cancelled or panicked.
    #[error("the upload of {object} stopped")]
    Stopped {
        /// The object.
        object: Object,
        /// How it stopped.
        source: tokio::task::JoinError,
    },
}

/// S3's error codes for requests that never succeed.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const HOPELESS: [&str; 6] =
    ["EntityTooLarge", "InvalidArgument", "InvalidRequest", "KeyTooLongError", "MetadataTooLarge", "NoSuchBucket"];

/// S3's error code of a conditional write whose condition doesn't hold.
const TAKEN: &str = "PreconditionFailed";

impl StoreError {
    /// Whether the same upload may succeed later.
    pub fn retry(&self) -> Retry {
        let is_hopeless = || self.code().is_some_and(|code| HOPELESS.contains(&code));
        let is_permanent = matches!(self, Self::OtherRepository { .. } | Self::Tags { .. });
        if is_permanent || is_hopeless() { Retry::Never } else { Retry::Again }
    }

    /// What a person can do about it, if known.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::OtherRepository { .. } => {
                "set KeyLayout to host/path, so that hosts don't share keys; or delete the object, if its repository is gone"
            }
            Self::Tags { .. } => "remove a tag from the object, or set DeletedReferences to keep",
            _ => return None,
        })
    }

    /// Whether another worker was faster: the object isn't the expected one.
    pub fn is_taken(&self) -> bool {
        // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response>
        self.code().is_some_and(|code| [TAKEN, "ConditionalRequestConflict", "NoSuchKey"].contains(&code))
    }

    /// Whether the object is there although it must not be, for good.
    pub(crate) fn is_refused_by_condition(&self) -> bool {
        self.code() == Some(TAKEN)
    }

    /// S3's error code, if it is S3's error.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Head { source, .. }
            | Self::Put { source, .. }
            | Self::Copy { source, .. }
            | Self::Read { source, .. }
            | Self::Manifest { source, .. }
            | Self::ReadTags { source, .. }
            | Self::Tag { source, .. }
            | Self::Begin { source, .. }
            | Self::Part { source, .. }
            | Self::Complete { source, .. } => source.code(),
            Self::OtherRepository { .. }
            | Self::CutOff { .. }
            | Self::Text { .. }
            | Self::Tags { .. }
            | Self::Unfinished { .. }
            | Self::Stopped { .. } => None,
        }
    }
}
