//! CloudFormation can't delete a bucket that isn't empty. This resource is deleted before the
//! buckets, and only acts then.

use std::time::Duration;

use contract::{Runtime, custom::BucketCleanerProperties};
use custom_resource::{Answer, CustomResource, Request, is_lack_of_rights};
use empty_bucket::{EmptyError, Progress, empty_until_quiet};
use tokio::time::Instant;

/// Always the same: after a change, CloudFormation would delete the old resource, and with it the
/// buckets' content.
const PHYSICAL_ID: &str = "bucket-cleaner";

/// How long before its deadline the work stops, so that pending requests can end.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// Empties buckets on deletion.
#[derive(Debug, Clone)]
pub(crate) struct BucketCleaner {
    pub(crate) s3: aws_sdk_s3::Client,
    /// How long the buckets must stay empty.
    pub(crate) quiet: Duration,
}

type Properties = BucketCleanerProperties<Runtime>;

impl CustomResource for BucketCleaner {
    type Properties = Properties;
    type Data = ();
    type Error = EmptyError;

    fn owns(&self, physical_resource_id: &str) -> bool {
        physical_resource_id == PHYSICAL_ID
    }

    fn lacks_rights(error: &EmptyError) -> bool {
        error.code().is_some_and(is_lack_of_rights)
    }

    async fn create(&self, _request: Request<Properties>) -> Result<Answer<()>, EmptyError> {
        Ok(Answer { physical_resource_id: PHYSICAL_ID.to_owned(), data: () })
    }

    async fn update(&self, request: Request<Properties>) -> Result<Answer<()>, EmptyError> {
        self.create(request).await
    }

    async fn delete(&self, request: Request<Properties>) -> Result<(), EmptyError> {
        let deadline = request.deadline.checked_sub(LAST_ANSWERS).unwrap_or_else(Instant::now);
        let progress = |progress: Progress<'_>| match progress {
            Progress::Emptying { bucket, deleted } => tracing::info!(%bucket, deleted, "emptying"),
            Progress::WaitingForQuiet(wait) => tracing::info!(seconds = wait.as_secs_f32(), "waiting for quiet"),
        };
        let buckets = &request.properties.buckets;
        let deleted = empty_until_quiet(&self.s3, buckets, self.quiet, deadline, progress).await?;
        tracing::info!(deleted, "empty and quiet");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
