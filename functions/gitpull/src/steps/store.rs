//! The fourth step: the zip in the bucket. Before it, what lies there already.

use archive::{ArchiveError, Summary};
use contract::Job;
use fetch::Fetched;
use store::{Artifact, Found, Output, Placed, StoreError, Stored};
use tokio::runtime::Handle;

use super::{
    compare::depends_on_reference,
    zip::{Contents, zip},
};
use crate::{error::GitPullError, files::Files};

/// What lies at each key that the artifact of a job may have: only the host knows which it is.
pub(crate) struct Looks<F> {
    /// Where the job is of the default branch; nothing for a tag.
    as_default: Option<F>,
    as_other: F,
}

/// Looks at both keys that the artifact of a job may have.
pub(crate) async fn look(output: &Output, job: &Job) -> Looks<Result<Found, StoreError>> {
    let branch = job.reference.branch();
    let as_default = async { if branch.is_some() { Some(output.find(job, branch).await) } else { None } };
    let (as_default, as_other) = tokio::join!(as_default, output.find(job, None));
    Looks { as_default, as_other }
}

/// Zips what was fetched, straight into the bucket.
pub(crate) async fn store(
    output: &Output,
    fetched: Fetched,
    artifact: &Artifact,
    contents: Contents,
    files: &Files,
) -> Result<(Placed, Summary, Fetched), GitPullError> {
    let commit = fetched.commit.to_string();
    let (writer, upload) = artifact.start(&output.s3);
    let runtime = Handle::current();
    let zipping = blocking::spawn(move |interrupt| zip(fetched, contents, runtime, writer, interrupt));
    let stored = upload.finish().await;
    let ((summary, fetched), stored) = both(zipping.await.map_err(GitPullError::Interrupted)?, stored, commit)?;
    // Another worker has stored the same commit meanwhile. If that zip isn't for this reference,
    // the next try makes another one beside it.
    let stored = match stored {
        Err(error) if !error.is_taken() || depends_on_reference(&fetched, files).await? => {
            return Err(GitPullError::Store(error));
        }
        stored => stored,
    };
    let placed = artifact.place(&output.s3, stored).await.map_err(GitPullError::Store)?;
    Ok((placed, summary, fetched))
}

impl<F> Looks<F> {
    /// What lies at the key of a job for this branch, now that the default branch is known.
    pub(crate) fn of(self, branch: Option<&str>, default_branch: Option<&str>) -> F {
        self.as_default.filter(|_| default_branch == branch).unwrap_or(self.as_other)
    }
}

/// What became of a zip and its upload. That the upload failed is an error if the zip did, too.
fn both<T>(
    zipped: Result<T, ArchiveError>,
    stored: Result<Stored, StoreError>,
    commit: String,
) -> Result<(T, Result<Stored, StoreError>), GitPullError> {
    match zipped {
        Ok(zipped) => Ok((zipped, stored)),
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
    use store::Object;

    use super::*;

    fn object() -> Object {
        Object { bucket: "zips".parse().unwrap(), key: "k".to_owned() }
    }

    fn stored() -> Stored {
        Stored { object: object(), version_id: None, etag: None, bytes: 1, sha256: String::new() }
    }

    fn stopped() -> StoreError {
        StoreError::Unfinished { object: object() }
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
        let (zipped, uploaded) = both(Ok(7), Ok(stored()), commit()).unwrap();
        assert_eq!((zipped, uploaded.unwrap()), (7, stored()));
        assert!(matches!(both(Ok(7), Err(stopped()), commit()), Ok((7, Err(StoreError::Unfinished { .. })))));
        assert!(matches!(both::<()>(Err(unwritable()), Err(stopped()), commit()), Err(GitPullError::Store(_))));
        assert!(matches!(both::<()>(Err(unwritable()), Ok(stored()), commit()), Err(GitPullError::Archive { .. })));
    }

    #[test]
    fn broken_zip_explains_stopped_upload() {
        let error = both::<()>(Err(ArchiveError::Interrupted), Err(stopped()), "c".to_owned()).unwrap_err();
        assert!(matches!(error, GitPullError::Archive { source: ArchiveError::Interrupted, .. }), "{error:?}");
    }
}
