//! What every function does in Lambda's [init
//! phase](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib):
//! start its log, and set out how it reaches AWS. One shape of log for all, so that one query finds
//! a delivery in each of them.

pub mod log;

pub use aws_config::SdkConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpClient as _, http_client_fn};

/// The configuration that Lambda's environment gives, `AWS_ENDPOINT_URL` included, over TLS by
/// *ring*.
pub fn aws() -> ConfigLoader {
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    // The SDK has its own client read all of the machine's certificates before anything is asked,
    // which is half of a start.
    let when_asked = http_client_fn(move |settings, components| https.http_connector(settings, components));
    aws_config::defaults(BehaviorVersion::latest()).http_client(when_asked)
}
