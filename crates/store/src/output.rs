//! The bucket of artifacts, as both workers use it.

use aws_names::BucketName;
use aws_sdk_s3::Client;
use contract::{DeletedReferences, Job, KeepCommits, KeyLayout};

use crate::{Artifact, ArtifactMetadata, Found, Object, StoreError, find};

/// Where artifacts go.
#[derive(Debug)]
pub struct Output {
    /// S3.
    pub s3: Client,
    /// The bucket.
    pub bucket: BucketName,
    /// The prefix of keys.
    pub key_layout: KeyLayout,
    /// Whether the zip of each commit is kept.
    pub keep_commits: KeepCommits,
    /// What becomes of the zip of a deleted reference.
    pub deleted_references: DeletedReferences,
}

impl Output {
    /// The object of a job's reference, in a repository with this default branch.
    pub fn object(&self, job: &Job, default_branch: Option<&str>) -> Object {
        self.at(job.artifact_key(self.key_layout, default_branch))
    }

    /// What lies at the key of a job's reference.
    ///
    /// # Errors
    /// Those of [`find`].
    pub async fn find(&self, job: &Job, default_branch: Option<&str>) -> Result<Found, StoreError> {
        find(&self.s3, &self.object(job, default_branch), &job.repository).await
    }

    /// The artifact of a job, in place of what was [found](Self::find).
    ///
    /// # Errors
    /// Those of [`find`].
    pub async fn artifact(
        &self,
        job: &Job,
        default_branch: Option<&str>,
        metadata: ArtifactMetadata,
        found: Found,
    ) -> Result<Artifact, StoreError> {
        let commit = match self.keep_commits {
            KeepCommits::Off => None,
            KeepCommits::Days(_) => Some(self.at(job.commit_key(self.key_layout, &metadata.commit))),
        };
        Artifact::look(&self.s3, self.object(job, default_branch), metadata, found, commit).await
    }

    fn at(&self, key: String) -> Object {
        Object { bucket: self.bucket.clone(), key }
    }
}
