//! The worker behind the queue of `/zipdl`: downloads the archive of what a job names from the host's API, makes it a zip
//! of ours while it streams by, and stores it. Where from and as whom, it takes from its configuration, never from the job.

mod credentials;
mod download;
mod error;
#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::{Context as _, Result};
use contract::{Runtime, environment::ZipDlEnvironment};
use https::Client;
use jobs::Queue;
use secret::StoredSecret;

use crate::{credentials::Credentials, download::Downloader};

#[tokio::main]
async fn main() -> Result<()> {
    init::log::start().context("start the log")?;
    let (downloader, queue) = wire().await?;
    let served = jobs::serve(&queue, async |job, deadline| downloader.deliver(job, deadline).await).await;
    served.map_err(anyhow::Error::from_boxed)
}

async fn wire() -> Result<(Downloader<StoredSecret>, Queue)> {
    let environment = ZipDlEnvironment::<Runtime>::from_env()?;
    let config = init::aws().load().await;
    let allowed_hosts = environment.allowed_hosts.parse()?;
    let downloader = Downloader {
        http: Client::new(&allowed_hosts, &environment.ca_bundle)?,
        allowed_hosts,
        credentials: Credentials::new(StoredSecret::new(&config, environment.credentials)),
        s3: aws_sdk_s3::Client::new(&config),
        output_bucket: environment.output_bucket,
        key_layout: environment.key_layout.parse()?,
        patience: Duration::from_secs(1),
        max_bytes: environment.max_archive_bytes.parse().context("read the MaxArchiveBytes parameter")?,
    };
    Ok((downloader, Queue::new(aws_sdk_sqs::Client::new(&config), environment.queue, environment.dead_letter_queue)))
}
