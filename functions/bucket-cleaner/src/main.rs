//! Wires the bucket cleaner's custom resource to S3.

mod handler;

use crate::handler::BucketCleaner;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let quiet = empty_bucket::QUIET;
    custom_resource::serve(|config| BucketCleaner { s3: aws_sdk_s3::Client::new(config), quiet }).await
}
