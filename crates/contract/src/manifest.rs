//! What is said of an artifact, for programs: the manifest beside it, which is also the detail of
//! the event that it is ready. Readers ignore fields that
//! they don't know, and a change that would break them gets another [`SCHEMA_VERSION`].

use serde::{Deserialize, Serialize};

use crate::{Trigger, Worker};

/// The version of the format.
pub const SCHEMA_VERSION: &str = "1";

/// The most parents that are named. A commit may have any number, and an event has at most 1 MB.
pub const MOST_PARENTS: usize = 100;

/// The manifest of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Which push it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// The commit: 40 or 64 hexadecimal digits.
    pub commit: String,
    /// The commit of the artifact that this one has replaced, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_commit: Option<String>,
    /// Whether a tag names another commit than before. Never of a branch, which is there to move.
    pub moved: bool,
    /// The commit's tree, if known: gitpull always knows it, zipdl if the host says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// The commit's parents in order, if known and not more than 100: gitpull knows them, zipdl if
    /// the host says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parents: Option<Vec<String>>,
    /// When the author wrote the commit, in ISO 8601, if known. gitpull always knows it, unless the
    /// commit has no date, and writes it as `git log --format=%aI` does. zipdl writes what the host
    /// says, which may be the same time in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_time: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// The key of the zip.
    pub key: String,
    /// The version of the zip.
    pub version_id: Option<String>,
    /// The entity tag of the zip, in S3's quotation marks.
    pub etag: Option<String>,
    /// The size of the zip in bytes.
    pub size: u64,
    /// The SHA-256 of the zip: 64 hexadecimal digits.
    pub sha256: String,
    /// The zip of the same commit that stays where it is, with `KeepCommits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// The push that something is said about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// The version of this format: `1`.
    pub schema_version: String,
    /// The version of git2s3.
    pub git2s3_version: String,
    /// The repository: `host/owner/name`.
    pub repository: String,
    /// The full name of the branch or the tag, such as `refs/heads/main`.
    pub reference: String,
    /// Whether it is a branch or a tag.
    pub reference_type: ReferenceType,
    /// Its short name, such as `main`.
    pub reference_name: String,
    /// The delivery of the webhook.
    pub delivery: String,
    /// The worker, or that the reconciler found it.
    pub way: Way,
}

/// How it came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// A webhook of `/gitpull`.
    GitPull,
    /// A webhook of `/zipdl`.
    ZipDl,
    /// No webhook: the reconciler found that the host has another commit than the bucket.
    Reconciled,
}

impl Way {
    fn of(job: &crate::Job, worker: Worker) -> Self {
        match (job.trigger, worker) {
            (Trigger::Reconciled, _) => Self::Reconciled,
            (_, Worker::GitPull) => Self::GitPull,
            (_, Worker::ZipDl) => Self::ZipDl,
        }
    }
}

/// What a reference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReferenceType {
    /// A branch.
    Branch,
    /// A tag.
    Tag,
}

/// The zip of a commit, at a key of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Its key.
    pub key: String,
    /// Its version.
    pub version_id: Option<String>,
    /// Its entity tag, in S3's quotation marks.
    pub etag: Option<String>,
}

impl Subject {
    /// What a worker says of a job.
    pub fn of(job: &crate::Job, worker: Worker) -> Self {
        let is_tag = job.reference.tag().is_some();
        Self {
            schema_version: SCHEMA_VERSION.to_owned(),
            git2s3_version: env!("CARGO_PKG_VERSION").to_owned(),
            repository: job.repository.to_string(),
            reference: job.reference.to_string(),
            reference_type: if is_tag { ReferenceType::Tag } else { ReferenceType::Branch },
            reference_name: job.reference.short().to_owned(),
            delivery: job.delivery.to_string(),
            way: Way::of(job, worker),
        }
    }
}

/// The key of the manifest of a zip with this key. It has the zip's name in it: the folder alone
/// may be another repository's, as `acme/branch/x` is a folder of the repository `acme` and of the
/// repository `acme/branch/x`.
pub fn manifest_key(zip: &str) -> String {
    format!("{}.manifest.json", zip.strip_suffix(".zip").unwrap_or(zip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_lies_beside_its_zip() {
        assert_eq!(manifest_key("acme/rocket/acme_rocket.zip"), "acme/rocket/acme_rocket.manifest.json");
    }

    #[test]
    fn subject_names_branch_or_tag() {
        let subject = |reference: &str| {
            let job = serde_json::json!({
                "delivery": "d-1", "repository": { "host": "github.com", "path": "o/r" }, "reference": reference,
            });
            Subject::of(&serde_json::from_value(job).unwrap(), Worker::ZipDl)
        };
        let branch = serde_json::to_value(subject("refs/heads/a/b")).unwrap();
        assert_eq!(
            branch,
            serde_json::json!({
                "schemaVersion": "1", "git2s3Version": env!("CARGO_PKG_VERSION"), "repository": "github.com/o/r",
                "reference": "refs/heads/a/b", "referenceType": "branch", "referenceName": "a/b", "delivery": "d-1",
                "way": "zipdl",
            })
        );
        let tag = subject("refs/tags/v1");
        assert_eq!((tag.reference_type, tag.reference_name.as_str()), (ReferenceType::Tag, "v1"));
    }

    #[test]
    fn reconciled_job_names_no_worker() {
        let job = serde_json::json!({
            "delivery": "d-1", "repository": { "host": "github.com", "path": "o/r" }, "reference": "refs/heads/main",
            "trigger": "reconciled",
        });
        let job = serde_json::from_value(job).unwrap();
        let told = Worker::ALL.map(|worker| serde_json::to_value(Subject::of(&job, worker)).unwrap()["way"].clone());
        assert_eq!(told, ["reconciled", "reconciled"]);
    }
}
