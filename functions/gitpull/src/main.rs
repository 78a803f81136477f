//! The worker behind the queue: fetches what a job names over SSH, zips it and stores the zip. Where from and as whom, it
//! takes from its configuration, never from the job.

mod cache;
mod error;
mod interrupt;
mod lfs;
mod private_key;
mod submodules;
mod worker;

use anyhow::{Context as _, Result};
use contract::{Runtime, environment::GitPullEnvironment};
use fetch::KnownHosts;
use https::Client;
use jobs::Queue;

use crate::{
    cache::PackCache,
    private_key::StoredKey,
    worker::{History, Submodules, Worker},
};

#[tokio::main]
async fn main() -> Result<()> {
    init::log::start().context("start the log")?;
    let (worker, queue) = wire().await?;
    let served = jobs::serve(&queue, async |job, deadline| worker.deliver(job, deadline).await).await;
    served.map_err(anyhow::Error::from_boxed)
}

async fn wire() -> Result<(Worker, Queue)> {
    let environment = GitPullEnvironment::<Runtime>::from_env()?;
    let config = init::aws().load().await;
    let s3 = aws_sdk_s3::Client::new(&config);
    let allowed_hosts = environment.allowed_hosts.parse()?;
    let lfs = (environment.lfs == "on").then(|| Client::new(&allowed_hosts, &environment.ca_bundle)).transpose()?;
    let worker = Worker {
        allowed_hosts,
        lfs,
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
        cache: PackCache { s3: s3.clone(), bucket: environment.cache_bucket },
        s3,
        output_bucket: environment.output_bucket,
        paths: environment.paths.parse()?,
        submodules: if environment.submodules == "on" { Submodules::Included } else { Submodules::Excluded },
        history: if environment.exclude_git == "False" { History::Included } else { History::Excluded },
        clones: std::env::temp_dir().join("clones"),
    };
    Ok((worker, Queue::new(aws_sdk_sqs::Client::new(&config), environment.queue, environment.dead_letter_queue)))
}
