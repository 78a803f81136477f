//! The start of every custom resource's function: log, AWS configuration, runtime.

use aws_config::SdkConfig;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::{CustomResource, run};

/// Serves the resource that `wire` creates from the AWS configuration.
///
/// # Errors
/// Lambda's runtime API is unreachable.
pub async fn serve<R>(wire: impl FnOnce(&SdkConfig) -> R) -> Result<(), Error>
where
    R: CustomResource + Clone + Send + Sync + 'static,
{
    lambda_init::log::start()?;
    let config = lambda_init::aws().load().await;
    let resource = wire(&config);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let deadline = event.context.deadline();
        run(event.payload, deadline, resource.clone()).await.map_err(Error::from)
    }))
    .await
}
