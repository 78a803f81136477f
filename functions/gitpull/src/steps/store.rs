//! The fourth step: the zip in the bucket. Before it, what lies there already.

use archive::{ArchiveError, Summary};
use aws_names::BucketName;
use contract::{Job, KeyLayout};
use fetch::Fetched;
use store::{ArtifactMetadata, Found, Object, StoreError, Upload};
use tokio::runtime::Handle;

use super::zip::{Contents, zip};
use crate::error::GitPullError;

/// Where zips go.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) bucket: BucketName,
    pub(crate) key_layout: KeyLayout,
}

/// What lies at each key that the artifact of a job may have: only the host knows which it is.
pub(crate) struct Looks<F> {
    /// Where the job is of the default branch; nothing for a tag.
    as_default: Option<F>,
    as_other: F,
}

/// What is stored, and in place of what.
pub(crate) struct Artifact {
    pub(crate) object: Object,
    pub(crate) metadata: ArtifactMetadata,
    pub(crate) found: Found,
}

impl Output {
    /// Where the artifact of a job goes, in a repository with this default branch.
    pub(crate) fn object(&self, job: &Job, default_branch: Option<&str>) -> Object {
        Object { bucket: self.bucket.clone(), key: job.artifact_key(self.key_layout, default_branch) }
    }

    /// Looks at both keys that the artifact may have.
    pub(crate) async fn look(&self, job: &Job) -> Looks<Result<Found, StoreError>> {
        let branch = job.reference.branch();
        let look =
            async |default_branch| store::find(&self.s3, &self.object(job, default_branch), &job.repository).await;
        let as_default = async { if branch.is_some() { Some(look(branch).await) } else { None } };
        let (as_default, as_other) = tokio::join!(as_default, look(None));
        Looks { as_default, as_other }
    }

    /// Has what was found name another commit, whose files are the same.
    pub(crate) async fn copy(&self, Artifact { object, metadata, found }: &Artifact) -> Result<(), GitPullError> {
        store::copy(&self.s3, object, metadata, found).await.map(drop).map_err(GitPullError::Store)
    }

    /// Zips what was fetched, straight into the bucket.
    pub(crate) async fn store(
        &self,
        fetched: Fetched,
        Artifact { object, metadata, found }: Artifact,
        contents: Contents,
    ) -> Result<(Summary, Fetched), GitPullError> {
        let commit = fetched.commit.to_string();
        let (writer, upload) = Upload::start(&self.s3, object, &metadata, &found);
        let runtime = Handle::current();
        let zipping = blocking::spawn(move |interrupt| zip(fetched, contents, runtime, writer, interrupt));
        let stored = upload.finish().await;
        both(zipping.await.map_err(GitPullError::Interrupted)?, stored.map(drop), commit)
    }
}

impl<F> Looks<F> {
    /// What lies at the key of a job for this branch, now that the default branch is known.
    pub(crate) fn of(self, branch: Option<&str>, default_branch: Option<&str>) -> F {
        self.as_default.filter(|_| default_branch == branch).unwrap_or(self.as_other)
    }
}

/// What became of a zip and its upload.
fn both<T>(zipped: Result<T, ArchiveError>, stored: Result<(), StoreError>, commit: String) -> Result<T, GitPullError> {
    match zipped {
        Ok(zipped) => stored.map(|()| zipped).map_err(GitPullError::Store),
        // That the zip can't be written on is the upload's failure, and it knows why.
        Err(ArchiveError::Write(source)) => {
            stored.map_err(GitPullError::Store)?;
            Err(GitPullError::Archive { commit, source: ArchiveError::Write(source) })
        }
        Err(source) => Err(GitPullError::Archive { commit, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped() -> StoreError {
        StoreError::Unfinished { object: Object { bucket: "zips".parse().unwrap(), key: "k".to_owned() } }
    }

    fn unwritable() -> ArchiveError {
        ArchiveError::Write(std::io::Error::other("the upload stopped"))
    }

    #[test]
    fn default_branch_decides_between_keys() {
        let looks = || Looks { as_default: Some("default"), as_other: "other" };
        assert_eq!(looks().of(Some("main"), Some("main")), "default");
        assert_eq!(looks().of(Some("main"), Some("trunk")), "other");
        assert_eq!(looks().of(Some("main"), None), "other");
        let tag = Looks { as_default: None, as_other: "other" };
        assert_eq!(tag.of(None, None), "other");
    }

    #[test]
    fn upload_explains_unwritable_zip() {
        let commit = || "c".to_owned();
        assert_eq!(both(Ok(7), Ok(()), commit()).unwrap(), 7);
        assert!(matches!(both(Ok(7), Err(stopped()), commit()), Err(GitPullError::Store(_))));
        assert!(matches!(both::<()>(Err(unwritable()), Err(stopped()), commit()), Err(GitPullError::Store(_))));
        assert!(matches!(both::<()>(Err(unwritable()), Ok(()), commit()), Err(GitPullError::Archive { .. })));
    }

    #[test]
    fn broken_zip_explains_stopped_upload() {
        let error = both::<()>(Err(ArchiveError::Interrupted), Err(stopped()), "c".to_owned()).unwrap_err();
        assert!(matches!(error, GitPullError::Archive { source: ArchiveError::Interrupted, .. }), "{error:?}");
    }
}
