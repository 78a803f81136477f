//! Wires the SSH key's custom resource to Lambda, KMS and S3.

mod handler;
mod key_pair;

use aws_config::BehaviorVersion;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::handler::SshKey;

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().json().with_max_level(tracing::Level::INFO).with_current_span(false).init();
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    let resource = SshKey { s3: aws_sdk_s3::Client::new(&config), kms: aws_sdk_kms::Client::new(&config) };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let deadline = event.context.deadline();
        custom_resource::run(event.payload, deadline, resource.clone()).await.map_err(Error::from)
    }))
    .await
}
