//! What every function does in Lambda's [init
//! phase](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib):
//! set up its log and the AWS configuration. All logs have the same format, so that one query finds
//! a delivery in all of them.

pub mod log;

pub use aws_config::SdkConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpClient as _, http_client_fn};

/// The configuration from Lambda's environment, including `AWS_ENDPOINT_URL`, with TLS by *ring*.
pub fn aws() -> ConfigLoader {
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    // By default, the SDK's client reads all of the system's certificates before its first request,
    // which takes half of the start.
    let when_asked = http_client_fn(move |settings, components| https.http_connector(settings, components));
    aws_config::defaults(BehaviorVersion::latest()).http_client(when_asked)
}
