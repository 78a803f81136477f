//! Buckets that stay empty. Whoever wrote to them is deleted before they are emptied, but a run
//! that began before goes on, and its credentials are good until the deletion of its role has
//! spread.

use std::time::Duration;

use aws_names::BucketName;
use aws_sdk_s3::Client;
use tokio::time::{Instant, sleep_until};

use crate::{EmptyError, Found, pass};

/// How long nothing new has to come before the buckets count as quiet. The deletion of a role takes
/// seconds to spread
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>),
/// about four as others have measured; the role is gone already when the emptying begins, so this
/// much from then on is more.
pub const QUIET: Duration = Duration::from_secs(5);

/// What happens, for a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// So many versions and delete markers of a bucket are deleted in this pass so far.
    Emptying {
        /// The bucket.
        bucket: &'a BucketName,
        /// How many.
        deleted: u64,
    },
    /// All buckets were empty, and are looked at again after this time.
    WaitingForQuiet(Duration),
}

/// Empties buckets, and looks again until nothing came to any of them for `quiet`, counted from the
/// beginning. Returns how many versions and delete markers there were.
///
/// A bucket that takes longer than `quiet` to empty costs one more look; one in which there is
/// nothing takes `quiet`.
///
/// # Errors
/// As [`empty`](crate::empty), or that something came again and again until `deadline`. Where
/// nothing did, and `deadline` leaves no time to look again, the buckets are empty.
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
            // What lies there at first is from before; an open upload may have somebody at its
            // other end.
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
