//! Serves two callers: CloudFormation, which asks for the stack's key, and the `infra` command,
//! which asks for the keys of repositories.

mod encryption;
#[cfg(test)]
mod fakes;
mod key_pair;
mod repository_keys;
mod stack_key;

use contract::{error_chain, repository_keys::KeyRequest};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::{repository_keys::RepositoryKeys, stack_key::StackKey};

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_init::log::start()?;
    let config = lambda_init::aws().load().await;
    let (s3, kms) = (aws_sdk_s3::Client::new(&config), aws_sdk_kms::Client::new(&config));
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let (s3, kms) = (s3.clone(), kms.clone());
        // CloudFormation's events have no action.
        if event.payload.get("Action").is_some() {
            let request: KeyRequest = serde_json::from_value(event.payload)?;
            let answer = RepositoryKeys::from_env(s3, kms)?.answer(request).await;
            return Ok(serde_json::to_value(answer.map_err(|error| error_chain(&error))?)?);
        }
        let deadline = event.context.deadline();
        custom_resource::run(event.payload, deadline, StackKey { s3, kms }).await?;
        Ok::<_, Error>(Value::Null)
    }))
    .await
}
