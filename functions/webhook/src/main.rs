//! The function behind the endpoint: it authenticates webhooks and queues what to fetch. It faces
//! the internet, so it has no key, no token and no bucket: it may only read the webhook secret and
//! send to two queues.

mod aws;

use std::{hint::black_box, time::Instant};

use anyhow::{Context as _, Result};
use aws_lambda_events::apigw::ApiGatewayProxyRequest;
use contract::{Runtime, environment::WebhookEnvironment};
use forge::Endpoint;
use lambda_runtime::{LambdaEvent, service_fn};
use secret::StoredSecret;

use webhook::{Webhook, unavailable};

use crate::aws::Queues;

/// The memory, in bytes, that is kept between requests.
const KEPT: usize = 8 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    lambda_init::log::start().context("start the log")?;
    keep_memory();
    let webhook = &webhook().await.map_err(|error| format!("{error:#}"));
    let serve = service_fn(|event: LambdaEvent<ApiGatewayProxyRequest>| async move {
        let id = &event.context.request_id;
        match webhook {
            Ok(webhook) => webhook.handle(event.payload, id, Instant::now()).await.map_err(lambda_runtime::Error::from),
            Err(reason) => Ok(unavailable(id, reason)),
        }
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
    let secrets = StoredSecret::new(&config, environment.api_secret);
    let queues = Queues::new(&config, environment.gitpull_queue, environment.zipdl_queue);
    Ok(Webhook::new(endpoint, secrets, queues))
}

/// Keeps glibc from returning the memory of each request to the kernel, which would have to map and
/// clear it again for the next one. glibc keeps twice the largest block freed so far: the dynamic
/// threshold of [`M_MMAP_THRESHOLD`](https://man7.org/linux/man-pages/man3/mallopt.3.html).
fn keep_memory() {
    drop(black_box(Vec::<u8>::with_capacity(KEPT / 2)));
}
