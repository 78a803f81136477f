//! The worker behind the queue: fetches what a job names over SSH, zips it and stores the zip. Where from and as whom, it
//! takes from its configuration, never from the job.

mod batch;
mod error;
mod private_key;
mod queue;
mod worker;

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use aws_lambda_events::sqs::SqsEvent;
use contract::{Runtime, environment::GitPullEnvironment};
use fetch::KnownHosts;
use lambda_runtime::{LambdaEvent, service_fn};

use crate::{private_key::StoredKey, queue::Queue, worker::Worker};

/// What is left of a run for saying that it failed.
const RESERVE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<()> {
    init::log::start().context("start the log")?;
    let (worker, queue) = &wire().await?;
    let serve = service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let deadline = deadline(event.context.deadline());
        let work = async |job: &contract::Job| worker.deliver(job, deadline).await;
        Ok::<_, lambda_runtime::Error>(batch::run(event.payload.records, queue, work).await)
    });
    lambda_runtime::run(serve).await.map_err(anyhow::Error::from_boxed)
}

async fn wire() -> Result<(Worker, Queue)> {
    let environment = GitPullEnvironment::<Runtime>::from_env()?;
    let config = init::aws().load().await;
    let s3 = aws_sdk_s3::Client::new(&config);
    let worker = Worker {
        allowed_hosts: environment.allowed_hosts.parse()?,
        known_hosts: KnownHosts::built_in_and(&environment.known_hosts).context("read the KnownHosts parameter")?,
        key: StoredKey {
            s3: s3.clone(),
            kms: aws_sdk_kms::Client::new(&config),
            bucket: environment.key_bucket,
            object: environment.key_object,
            kms_key: environment.kms_key,
            stack_name: environment.stack_name,
            read: tokio::sync::OnceCell::new(),
        },
        s3,
        output_bucket: environment.output_bucket,
        clones: std::env::temp_dir().join("clones"),
    };
    Ok((worker, Queue { client: aws_sdk_sqs::Client::new(&config), url: environment.queue }))
}

/// When a run has to be done, so that there is time left to say that it isn't.
fn deadline(of_lambda: SystemTime) -> Instant {
    let left = of_lambda.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left.saturating_sub(RESERVE)
}
