//! The events that the workers send to EventBridge: their names, and the details that aren't a
//! [`Manifest`](crate::Manifest).

use aws_names::BucketName;
use serde::{Deserialize, Serialize};

use crate::{Job, Worker, manifest::Subject};

/// The source of every event.
pub const SOURCE: &str = "git2s3";

/// An artifact was stored. The detail is its [`Manifest`](crate::Manifest).
pub const ARTIFACT_READY: &str = "Artifact Ready";

/// A job was given up, and lies in the dead-letter queue. The detail is a [`Failure`].
pub const ARTIFACT_FAILED: &str = "Artifact Failed";

/// A branch or a tag was deleted. The detail is a [`Deletion`].
pub const REFERENCE_DELETED: &str = "Reference Deleted";

/// What is said of a job that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Which push it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// The commit that the sender of the webhook named, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The bucket that the zip would be in. It tells stacks apart, which share a bus.
    pub bucket: String,
    /// What happened, to what, and what to do: the `Reason` of the dead-letter message.
    pub reason: String,
}

impl Failure {
    /// What is said of a job.
    pub fn of(job: &Job, way: Worker, bucket: &BucketName, reason: &str) -> Self {
        let commit = job.commit.as_ref().map(ToString::to_string);
        Self { subject: Subject::of(job, way), commit, bucket: bucket.to_string(), reason: reason.to_owned() }
    }
}

/// What is said of a deleted branch or tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// Which reference was deleted, and which delivery said so.
    #[serde(flatten)]
    pub subject: Subject,
    /// What became of its zip.
    pub artifact: Fate,
    /// With `expires`: how many days its version stays after the bucket's rule has hidden it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_days: Option<u16>,
    /// The last commit that was stored, unless there is no zip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// The key of its zip, unless there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The version of the zip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
}

/// What becomes of the zip of a deleted reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It stays as it is.
    Kept,
    /// It has the tag `git2s3=deleted`.
    Marked,
    /// It has that tag, and the bucket's rule removes it.
    Expires,
    /// There is none: no push of the reference was stored.
    Absent,
}
