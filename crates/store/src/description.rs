//! An object's headers in S3.

use std::collections::HashMap;

/// The type and the metadata of an object, and the condition for storing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) content_type: &'static str,
    /// User metadata.
    pub(crate) metadata: HashMap<String, String>,
    /// A tag, by its key and its value.
    pub(crate) tag: Option<(&'static str, &'static str)>,
    pub(crate) condition: Condition,
}

impl Description {
    /// For the header `x-amz-tagging`.
    pub(crate) fn tagging(&self) -> Option<String> {
        self.tag.map(|(key, value)| format!("{key}={value}"))
    }
}

/// The condition for storing the object, by S3's [conditional
/// writes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// None.
    Always,
    /// There is no object with this key.
    Absent,
    /// The object has this entity tag.
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
