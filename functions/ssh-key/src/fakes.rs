//! What the tests' fakes of S3 and KMS have in common.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

/// Clients of a fake at this address, without retries.
pub(crate) fn clients(address: &str) -> (aws_sdk_s3::Client, aws_sdk_kms::Client) {
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(address)
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    (aws_sdk_s3::Client::new(&config), aws_sdk_kms::Client::new(&config))
}

/// A fake ciphertext, which doesn't contain the plaintext.
pub(crate) fn sealed(plaintext: &[u8]) -> Vec<u8> {
    plaintext.iter().map(|byte| byte ^ 0x55).collect()
}
