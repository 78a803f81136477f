//! The address of an artifact, which every error names.

use std::fmt;

use aws_names::BucketName;

/// An object's address. Its `Display` is `s3://bucket/key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The bucket.
    pub bucket: BucketName,
    /// The key, see `contract::Job::artifact_key`. At most 1,024 bytes.
    pub key: String,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}
