//! Waits until buckets stay empty. The functions that write to them are deleted first, but running
//! invocations continue, and their credentials are valid until the deletion of their role has
//! propagated.

use std::time::Duration;

use aws_names::BucketName;
use aws_sdk_s3::Client;
use tokio::time::{Instant, sleep_until};

use crate::{EmptyError, Found, pass};

/// How long buckets must stay empty. The deletion of a role takes seconds to propagate
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>),
/// about four by others' measurements. The role is already deleted when the emptying begins, so
/// this is more than enough.
pub const QUIET: Duration = Duration::from_secs(5);

/// Progress, for a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// The number of versions and delete markers deleted in this pass over a bucket.
    Emptying {
        /// The bucket.
        bucket: &'a BucketName,
        /// How many.
        deleted: u64,
    },
    /// All buckets were empty. They are checked again after this time.
    WaitingForQuiet(Duration),
}

/// Empties buckets, and checks again until nothing new arrived in any of them for `quiet` since the
/// start. Returns how many versions and delete markers there were.
///
/// A bucket that takes longer than `quiet` to empty costs one more check. An empty one takes
/// `quiet`.
///
/// # Errors
/// As [`empty`](crate::empty), or new objects kept arriving until `deadline`. If none arrived and
/// `deadline` leaves no time for another check, the buckets are empty.
pub async fn empty_until_quiet(
    client: &Client,
    buckets: &[BucketName],
    quiet: Duration,
    deadline: Instant,
    progress: impl Fn(Progress<'_>),
) -> Result<u64, EmptyError> {
    let (mut quiet_from, mut total, mut is_first) = (Instant::now(), 0, true);
    loop {
        let began = Instant::now();
        let mut last = None;
        for bucket in buckets {
            let deleted = |deleted| progress(Progress::Emptying { bucket, deleted });
            let Found { deleted, aborted } = pass(client, bucket, deadline, deleted).await?;
            total += deleted;
            // The first objects are old. An open upload may still have a writer.
            if aborted > 0 || (deleted > 0 && !is_first) {
                last = Some(bucket);
            }
        }
        if last.is_some() {
            quiet_from = Instant::now();
        } else if began >= quiet_from + quiet {
            return Ok(total);
        }
        let next = quiet_from + quiet;
        if next >= deadline {
            let never = |bucket: &BucketName| Err(EmptyError::NeverQuiet { bucket: bucket.clone(), deleted: total });
            return last.filter(|_| !is_first).map_or(Ok(total), never);
        }
        let wait = next.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            progress(Progress::WaitingForQuiet(wait));
            sleep_until(next).await;
        }
        is_first = false;
    }
}

#[cfg(test)]
mod tests;
