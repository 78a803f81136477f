//! What S3 is told of an object beside its bytes.

use std::collections::HashMap;

/// What an object is, and under which condition it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) content_type: &'static str,
    /// User metadata.
    pub(crate) metadata: HashMap<String, String>,
    pub(crate) condition: Condition,
}

/// What has to be there for the object to be stored, by S3's [conditional
/// writes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Whatever is there.
    Always,
    /// No object of this key.
    Absent,
    /// The object with this entity tag.
    Unchanged(String),
}

impl Condition {
    /// For the header `If-None-Match`.
    pub(crate) fn if_none_match(&self) -> Option<String> {
        (*self == Self::Absent).then(|| "*".to_owned())
    }

    /// For the header `If-Match`.
    pub(crate) fn if_match(&self) -> Option<String> {
        match self {
            Self::Unchanged(etag) => Some(etag.clone()),
            Self::Always | Self::Absent => None,
        }
    }
}
