//! CloudFormation refuses to delete a bucket that isn't empty. This resource is deleted before the
//! buckets, and that is the only time it does anything.

use std::time::Duration;

use contract::{Runtime, custom::BucketCleanerProperties};
use custom_resource::{Answer, CustomResource, Request};
use empty_bucket::{EmptyError, empty};
use tokio::time::Instant;

/// Always the same: a changed one would make CloudFormation delete the old one, and with it the buckets'
/// content.
const PHYSICAL_ID: &str = "bucket-cleaner";

/// How long before its deadline the work stops, so that what is on its way ends.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// Empties buckets when it is deleted.
#[derive(Debug, Clone)]
pub(crate) struct BucketCleaner {
    pub(crate) s3: aws_sdk_s3::Client,
}

type Properties = BucketCleanerProperties<Runtime>;

impl CustomResource for BucketCleaner {
    type Properties = Properties;
    type Data = ();
    type Error = EmptyError;

    fn owns(&self, physical_resource_id: &str) -> bool {
        physical_resource_id == PHYSICAL_ID
    }

    async fn create(&self, _request: Request<Properties>) -> Result<Answer<()>, EmptyError> {
        Ok(Answer { physical_resource_id: PHYSICAL_ID.to_owned(), data: () })
    }

    async fn update(&self, request: Request<Properties>) -> Result<Answer<()>, EmptyError> {
        self.create(request).await
    }

    async fn delete(&self, request: Request<Properties>) -> Result<(), EmptyError> {
        let deadline = request.deadline.checked_sub(LAST_ANSWERS).unwrap_or_else(Instant::now);
        for bucket in &request.properties.buckets {
            let progress = |deleted| tracing::info!(%bucket, deleted, "emptying");
            let deleted = empty(&self.s3, bucket, deadline, progress).await?;
            tracing::info!(%bucket, deleted, "empty");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
