//! Wires the SSH key's custom resource to KMS and S3.

mod handler;
mod key_pair;

use crate::handler::SshKey;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    custom_resource::serve(|config| SshKey {
        s3: aws_sdk_s3::Client::new(config),
        kms: aws_sdk_kms::Client::new(config),
    })
    .await
}
