//! The worker of `/zipdl`: downloads the archive of a job's reference from the host's API, converts
//! it to our zip as a stream, and stores it. The host's address and the credential come from the
//! configuration, never from the job.

mod download;
mod error;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use commit_status::{Bucket, Statuses};
use contract::{AllowedHosts, Job, Runtime, Worker, environment::ZipDlEnvironment};
use events::Bus;
use host_credentials::HostCredentials;
use https::Client;
use jobs::Queue;
use secret::StoredSecret;
use store::Output;

use crate::{download::Downloader, error::ZipDlError};

#[tokio::main]
async fn main() -> Result<()> {
    lambda_init::log::start().context("start the log")?;
    let environment = ZipDlEnvironment::<Runtime>::from_env()?;
    let config = lambda_init::aws().load().await;
    let queues = [environment.queue.clone(), environment.dead_letter_queue.clone()];
    let bus = Bus::new(&config);
    let bucket = environment.output_bucket.clone();
    let queue = Queue::new(aws_sdk_sqs::Client::new(&config), queues, bus.clone(), Worker::ZipDl, bucket);
    // If the function exited instead, its jobs would be retried and moved to the dead-letter queue
    // without a reason.
    let downloader = downloader(environment, &config, bus).map_err(|error| format!("{error:#}"));
    let deliver = async |job: &Job, deadline| match &downloader {
        Ok(downloader) => downloader.deliver(job, deadline).await,
        Err(reason) => Err(ZipDlError::Configuration(reason.clone())),
    };
    let served = jobs::serve(&queue, deliver, async |job, error, deadline| {
        if let Ok(downloader) = &downloader {
            downloader.gave_up(job, error, deadline).await;
        }
    });
    served.await.map_err(anyhow::Error::from_boxed)
}

fn downloader(
    environment: ZipDlEnvironment<Runtime>,
    config: &lambda_init::SdkConfig,
    bus: Bus,
) -> Result<Downloader<StoredSecret>> {
    let allowed_hosts: AllowedHosts = environment.allowed_hosts.parse()?;
    let http = Client::new(&allowed_hosts, &environment.ca_bundle)?;
    let credentials = Arc::new(HostCredentials::new(StoredSecret::new(config, environment.credentials)));
    let statuses = if environment.status_stack.is_empty() {
        Statuses::off()
    } else {
        Statuses::on(commit_status::Settings {
            stack: environment.status_stack.clone(),
            hosts: allowed_hosts.clone(),
            client: http.clone(),
            app: None,
            tokens: Arc::clone(&credentials),
            bucket: Bucket::new(
                environment.output_bucket.clone(),
                config.region().context("read the region")?.as_ref(),
            ),
        })
    };
    Ok(Downloader {
        http,
        allowed_hosts,
        credentials,
        output: Output {
            s3: aws_sdk_s3::Client::new(config),
            bucket: environment.output_bucket,
            key_layout: environment.key_layout.parse()?,
            keep_commits: environment.keep_commits.parse()?,
            deleted_references: environment.deleted_references.parse()?,
        },
        bus,
        statuses,
        patience: Duration::from_secs(1),
        max_bytes: environment.max_archive_bytes.parse().context("read the MaxArchiveBytes parameter")?,
    })
}
