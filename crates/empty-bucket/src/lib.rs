//! Empties a bucket: all versions, delete markers and open multipart uploads.
//!
//! Deletions are final, so an interrupted run continues where it stopped. In an unversioned bucket,
//! S3 lists each object as the version `null` and deletes it by that name.
//!
//! The bucket cleaner uses it when the stack is deleted, and `infra destroy` for objects that were
//! written too late for that.

mod quiet;

use std::sync::atomic::{AtomicU64, Ordering};

use aws_names::BucketName;
use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    operation::list_object_versions::ListObjectVersionsOutput,
    types::{Delete, Error as Refusal, MultipartUpload, ObjectIdentifier},
};
use futures_util::{Stream, TryStreamExt, stream};
use tokio::time::Instant;

/// Why a bucket couldn't be emptied.
#[derive(Debug, thiserror::Error)]
pub enum EmptyError {
    /// S3 refused the listing of versions.
    #[error("could not list the versions in {bucket}")]
    ListVersions {
        /// The bucket.
        bucket: BucketName,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// S3 refused a whole delete request.
    #[error("could not delete versions in {bucket}")]
    Delete {
        /// The bucket.
        bucket: BucketName,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// S3 repeatedly refused some versions, and deleted the others.
    #[error("could not delete {refused} versions in {bucket}, such as {key}: {code} {message}")]
    Refused {
        /// The bucket.
        bucket: BucketName,
        /// How many versions remain.
        refused: usize,
        /// The key of one of them.
        key: String,
        /// S3's code for that one.
        code: String,
        /// S3's message for that one.
        message: String,
    },
    /// S3 refused the listing of uploads.
    #[error("could not list the multipart uploads in {bucket}")]
    ListUploads {
        /// The bucket.
        bucket: BucketName,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// S3 refused to abort an upload.
    #[error("could not abort the multipart upload of s3://{bucket}/{key}")]
    Abort {
        /// The bucket.
        bucket: BucketName,
        /// The key of the upload.
        key: String,
        /// The error of S3.
        source: Box<aws_sdk_s3::Error>,
    },
    /// The deadline passed. Deletions so far are final.
    #[error(
        "time ran out after deleting {deleted} versions in {bucket}, and more are left; delete the stack again: \
         it continues from there"
    )]
    OutOfTime {
        /// The bucket.
        bucket: BucketName,
        /// How many versions were deleted.
        deleted: u64,
    },
    /// New objects kept arriving after all buckets were empty.
    #[error(
        "new objects kept arriving in {bucket} after {deleted} versions had been deleted: stop what writes there, and \
         delete the stack again"
    )]
    NeverQuiet {
        /// The last bucket that got an object.
        bucket: BucketName,
        /// How many versions were deleted in all buckets.
        deleted: u64,
    },
}

pub use quiet::{Progress, QUIET, empty_until_quiet};

/// The number of concurrent requests. Each deletes up to 1,000 versions, and S3 allows about 3,500
/// deletions a second per prefix.
const AT_ONCE: usize = 4;

/// Empties a bucket and returns how many versions and delete markers it had. A bucket that doesn't
/// exist is empty. `progress` is called after each request with the number deleted so far.
///
/// # Errors
/// The first permanent error of S3, or `deadline` passed.
pub async fn empty(
    client: &Client,
    bucket: &BucketName,
    deadline: Instant,
    progress: impl Fn(u64),
) -> Result<u64, EmptyError> {
    Ok(pass(client, bucket, deadline, progress).await?.deleted)
}

/// The content of a bucket.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Versions and delete markers.
    deleted: u64,
    /// Open uploads.
    aborted: u64,
}

/// Uploads come first: one that completes before it is aborted becomes a version, which is found
/// afterwards.
async fn pass(
    client: &Client,
    bucket: &BucketName,
    deadline: Instant,
    progress: impl Fn(u64),
) -> Result<Found, EmptyError> {
    let (deleted, aborted) = (AtomicU64::new(0), AtomicU64::new(0));
    let emptying = Emptying { client, bucket, deadline, progress, deleted, aborted };
    emptying.abort_uploads().await?;
    emptying.delete_versions().await?;
    Ok(Found { deleted: emptying.deleted.into_inner(), aborted: emptying.aborted.into_inner() })
}

struct Emptying<'a, F> {
    client: &'a Client,
    bucket: &'a BucketName,
    deadline: Instant,
    progress: F,
    deleted: AtomicU64,
    aborted: AtomicU64,
}

/// Where to continue a listing: the key, and the version or the upload below it.
type Marker = (Option<String>, Option<String>);

impl<F: Fn(u64)> Emptying<'_, F> {
    /// Repeats passes over the bucket until it is empty: this retries versions that S3 refused
    /// temporarily, and finds new ones. A pass with only refusals is the last.
    async fn delete_versions(&self) -> Result<(), EmptyError> {
        loop {
            let before = self.deleted.load(Ordering::Relaxed);
            let pages = self.version_pages().map_ok(|page| self.delete(page));
            let refusals: Vec<Refusal> = pages.try_buffer_unordered(AT_ONCE).try_concat().await?;
            if self.deleted.load(Ordering::Relaxed) == before {
                return match refusals.first() {
                    None => Ok(()),
                    Some(first) => Err(self.refused(&refusals, first)),
                };
            }
        }
    }

    /// Pages of up to 1,000 versions and delete markers. None is empty.
    fn version_pages(&self) -> impl Stream<Item = Result<Vec<ObjectIdentifier>, EmptyError>> {
        let pages = stream::try_unfold(Some((None, None)), async |marker: Option<Marker>| {
            let Some((key, version)) = marker else { return Ok(None) };
            self.check_deadline()?;
            let request = self.client.list_object_versions().bucket(self.bucket.as_str());
            match request.set_key_marker(key).set_version_id_marker(version).send().await {
                Ok(mut page) => {
                    let next = (page.next_key_marker.take(), page.next_version_id_marker.take());
                    let more = page.is_truncated.unwrap_or_default();
                    Ok(Some((identifiers(page), more.then_some(next))))
                }
                Err(error) if error.code() == Some("NoSuchBucket") => Ok(None),
                Err(error) => {
                    Err(EmptyError::ListVersions { bucket: self.bucket.clone(), source: Box::new(error.into()) })
                }
            }
        });
        pages.try_filter(|page| std::future::ready(!page.is_empty()))
    }

    /// Deletes a page, and returns the versions that S3 refused.
    async fn delete(&self, page: Vec<ObjectIdentifier>) -> Result<Vec<Refusal>, EmptyError> {
        self.check_deadline()?;
        let size = page.len() as u64;
        let error = |source| EmptyError::Delete { bucket: self.bucket.clone(), source: Box::new(source) };
        let delete = Delete::builder().set_objects(Some(page)).quiet(true).build();
        let delete = delete.map_err(|build| error(build.into()))?;
        let answer = self.client.delete_objects().bucket(self.bucket.as_str()).delete(delete).send().await;
        let refusals = answer.map_err(|sdk| error(sdk.into()))?.errors.unwrap_or_default();
        let deleted = size.saturating_sub(refusals.len() as u64);
        let total = self.deleted.fetch_add(deleted, Ordering::Relaxed) + deleted;
        (self.progress)(total);
        Ok(refusals)
    }

    async fn abort_uploads(&self) -> Result<(), EmptyError> {
        let uploads = self.upload_pages().map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten();
        uploads.try_for_each_concurrent(AT_ONCE, |upload| self.abort(upload)).await
    }

    fn upload_pages(&self) -> impl Stream<Item = Result<Vec<MultipartUpload>, EmptyError>> {
        stream::try_unfold(Some((None, None)), async |marker: Option<Marker>| {
            let Some((key, upload_id)) = marker else { return Ok(None) };
            self.check_deadline()?;
            let request = self.client.list_multipart_uploads().bucket(self.bucket.as_str());
            match request.set_key_marker(key).set_upload_id_marker(upload_id).send().await {
                Ok(page) => {
                    let more = page.is_truncated.unwrap_or_default();
                    let next = more.then_some((page.next_key_marker, page.next_upload_id_marker));
                    Ok(Some((page.uploads.unwrap_or_default(), next)))
                }
                Err(error) if error.code() == Some("NoSuchBucket") => Ok(None),
                Err(error) => {
                    Err(EmptyError::ListUploads { bucket: self.bucket.clone(), source: Box::new(error.into()) })
                }
            }
        })
    }

    async fn abort(&self, upload: MultipartUpload) -> Result<(), EmptyError> {
        let key = upload.key.unwrap_or_default();
        let request = self.client.abort_multipart_upload().bucket(self.bucket.as_str()).key(&key);
        match request.set_upload_id(upload.upload_id).send().await {
            Err(error) if error.code() != Some("NoSuchUpload") => {
                Err(EmptyError::Abort { bucket: self.bucket.clone(), key, source: Box::new(error.into()) })
            }
            _ => {
                self.aborted.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn check_deadline(&self) -> Result<(), EmptyError> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        Err(EmptyError::OutOfTime { bucket: self.bucket.clone(), deleted: self.deleted.load(Ordering::Relaxed) })
    }

    fn refused(&self, refusals: &[Refusal], first: &Refusal) -> EmptyError {
        EmptyError::Refused {
            bucket: self.bucket.clone(),
            refused: refusals.len(),
            key: first.key.clone().unwrap_or_default(),
            code: first.code.clone().unwrap_or_default(),
            message: first.message.clone().unwrap_or_default(),
        }
    }
}

fn identifiers(page: ListObjectVersionsOutput) -> Vec<ObjectIdentifier> {
    let versions = page.versions.unwrap_or_default().into_iter().map(|version| (version.key, version.version_id));
    let markers = page.delete_markers.unwrap_or_default().into_iter().map(|marker| (marker.key, marker.version_id));
    let identifiers = versions
        .chain(markers)
        .map(|(key, version)| ObjectIdentifier::builder().set_key(key).set_version_id(version).build().ok());
    identifiers.flatten().collect()
}

impl EmptyError {
    /// S3's error code, if it returned one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::ListVersions { source, .. }
            | Self::Delete { source, .. }
            | Self::ListUploads { source, .. }
            | Self::Abort { source, .. } => source.code(),
            Self::Refused { code, .. } => Some(code),
            Self::OutOfTime { .. } | Self::NeverQuiet { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
