//! Buckets with an ongoing writer.

use std::{collections::BTreeSet, sync::Mutex};

use super::*;
use crate::tests::{Bucket, S3, later, output};

/// Long compared with a listing, even on a busy machine.
const SHORT: Duration = Duration::from_millis(500);

/// Empties the bucket `output`. Returns the result, how long it took, and how often it waited for
/// quiet.
async fn quieted(bucket: Bucket, deadline: Instant) -> (Result<u64, EmptyError>, Duration, usize, S3) {
    let s3 = S3::of([("output", bucket)]);
    let (_server, client) = s3.serve().await;
    let (began, waits) = (Instant::now(), Mutex::new(0));
    let progress = |progress: Progress<'_>| {
        if let Progress::WaitingForQuiet(_) = progress {
            *waits.lock().unwrap() += 1;
        }
    };
    let result = empty_until_quiet(&client, &[output()], SHORT, deadline, progress).await;
    (result, began.elapsed(), waits.into_inner().unwrap(), s3)
}

#[tokio::test]
async fn empty_bucket_waits_once() {
    let (result, took, waits, s3) = quieted(Bucket::default(), later()).await;
    assert_eq!((result.unwrap(), waits), (0, 1));
    assert!(took >= SHORT, "{took:?}");
    assert_eq!(s3.0.lock().unwrap()["output"].listings, 2);
}

#[tokio::test]
async fn existing_objects_do_not_extend_wait() {
    let (result, _, waits, _) = quieted(Bucket::with(5), later()).await;
    assert_eq!((result.unwrap(), waits), (5, 1));
}

#[tokio::test]
async fn late_object_restarts_quiet_wait() {
    // The first listing finds nothing. The second one follows the wait.
    let stores_before = BTreeSet::from([2]);
    let (result, took, waits, s3) = quieted(Bucket { stores_before, ..Bucket::default() }, later()).await;
    assert_eq!((result.unwrap(), waits), (1, 2));
    assert!(took >= 2 * SHORT, "{took:?}");
    assert!(s3.0.lock().unwrap()["output"].versions.is_empty());
}

#[tokio::test]
async fn open_upload_requires_quiet_wait() {
    let uploads = BTreeSet::from([("a.zip".to_owned(), "u1".to_owned())]);
    let (result, took, waits, s3) = quieted(Bucket { uploads, ..Bucket::default() }, later()).await;
    assert_eq!((result.unwrap(), waits), (0, 1));
    assert!(took >= SHORT, "{took:?}");
    assert!(s3.0.lock().unwrap()["output"].uploads.is_empty());
}

#[tokio::test]
async fn endless_writer_ends_in_error() {
    let bucket = Bucket { stores_before: (2..1_000).collect(), ..Bucket::default() };
    let (result, ..) = quieted(bucket, Instant::now() + 5 * SHORT).await;
    let error = result.unwrap_err();
    assert!(matches!(error, EmptyError::NeverQuiet { .. } | EmptyError::OutOfTime { .. }), "{error}");
}

#[tokio::test]
async fn short_deadline_skips_quiet_wait() {
    let uploads = BTreeSet::from([("a.zip".to_owned(), "u1".to_owned())]);
    let bucket = Bucket { uploads, ..Bucket::with(3) };
    let (result, _, waits, _) = quieted(bucket, Instant::now() + SHORT).await;
    assert_eq!((result.unwrap(), waits), (3, 0));
}
