//! What the process of every custom resource's function begins with: its log, its way to AWS, its runtime.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::{CustomResource, run};

/// Serves the resource that `wire` makes of the configuration which Lambda's environment gives.
///
/// # Errors
/// When Lambda's runtime can't be reached any more.
pub async fn serve<R>(wire: impl FnOnce(&SdkConfig) -> R) -> Result<(), Error>
where
    R: CustomResource + Clone + Send + Sync + 'static,
{
    tracing_subscriber::fmt().json().with_max_level(tracing::Level::INFO).with_current_span(false).init();
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    let resource = wire(&config);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let deadline = event.context.deadline();
        run(event.payload, deadline, resource.clone()).await.map_err(Error::from)
    }))
    .await
}
