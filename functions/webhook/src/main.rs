//! The function behind the endpoint: it believes a webhook or doesn't, and queues what to fetch. It faces
//! the internet, so it holds no key, no token and no bucket: it may read the webhook secret and send to two
//! queues, and nothing else.

mod aws;

use std::time::Instant;

use anyhow::{Context as _, Result};
use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use contract::{Runtime, environment::WebhookEnvironment};
use forge::Endpoint;
use lambda_runtime::{LambdaEvent, service_fn};
use secret::{CachedSecret, StoredSecret};

use webhook::Webhook;

use crate::aws::Queues;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    init::log::start().context("start the log")?;
    let webhook = &webhook().await?;
    let serve = service_fn(|event: LambdaEvent<ApiGatewayProxyRequest>| async move {
        let answer = webhook.handle(event.payload, &event.context.request_id, Instant::now()).await;
        answer.map_err(lambda_runtime::Error::from)
    });
    lambda_runtime::run(serve).await.map_err(anyhow::Error::from_boxed)
}

async fn webhook() -> Result<Webhook<StoredSecret, Queues>> {
    let environment = WebhookEnvironment::<Runtime>::from_env()?;
    let endpoint = Endpoint {
        allowed_ips: environment.allowed_ips.parse()?,
        allowed_hosts: environment.allowed_hosts.parse()?,
        repositories: environment.repositories.parse()?,
        refs: environment.refs.parse()?,
        minimum_signature: environment.minimum_signature.parse()?,
    };
    let config = aws::configuration().await;
    let secrets = CachedSecret::new(StoredSecret::new(&config, environment.api_secret));
    let queues = Queues::new(&config, environment.gitpull_queue, environment.zipdl_queue);
    Ok(Webhook::new(endpoint, secrets, queues))
}
