//! The worker of `/gitpull`: fetches a job's reference over SSH or HTTPS, zips it and stores the
//! zip. The host's address, the key and the token come from the configuration, never from the job.

mod cache;
mod error;
mod files;
mod lfs;
mod puller;
mod steps;
mod submodules;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use commit_status::{Bucket, Statuses};
use contract::{AllowedHosts, Job, Runtime, Switch, Truth, Worker, environment::GitPullEnvironment};
use events::Bus;
use fetch::Clones;
use github_app::GitHubApp;
use host_access::Settings;
use host_credentials::HostCredentials;
use https::Client;
use jobs::Queue;
use secret::StoredSecret;
use store::Output;

use crate::{
    cache::PackCache,
    error::GitPullError,
    files::{Files, History, Submodules},
    puller::Puller,
    steps::fetch::Source,
};

#[tokio::main]
async fn main() -> Result<()> {
    lambda_init::log::start().context("start the log")?;
    let environment = GitPullEnvironment::<Runtime>::from_env()?;
    let config = lambda_init::aws().load().await;
    let queues = [environment.queue.clone(), environment.dead_letter_queue.clone()];
    let bus = Bus::new(&config);
    let bucket = environment.output_bucket.clone();
    let queue = Queue::new(aws_sdk_sqs::Client::new(&config), queues, bus.clone(), Worker::GitPull, bucket);
    // If the function exited instead, its jobs would be retried and moved to the dead-letter queue
    // without a reason.
    let worker = worker(environment, &config, bus).map_err(|error| format!("{error:#}"));
    let deliver = async |job: &Job, deadline| match &worker {
        Ok(worker) => worker.deliver(job, deadline).await,
        Err(reason) => Err(GitPullError::Configuration(reason.clone())),
    };
    let served = jobs::serve(&queue, deliver, async |job, error, deadline| {
        if let Ok(worker) = &worker {
            worker.gave_up(job, error, deadline).await;
        }
    });
    served.await.map_err(anyhow::Error::from_boxed)
}

fn worker(environment: GitPullEnvironment<Runtime>, config: &lambda_init::SdkConfig, bus: Bus) -> Result<Puller> {
    let s3 = aws_sdk_s3::Client::new(config);
    let allowed_hosts: AllowedHosts = environment.allowed_hosts.parse()?;
    let client = Client::new(&allowed_hosts, &environment.ca_bundle)?;
    let lfs = match environment.lfs.parse().context("read the Lfs parameter")? {
        Switch::On => Some(client.clone()),
        Switch::Off => None,
    };
    let settings = Settings::from(&environment);
    let access = settings.access(config, &allowed_hosts, &client)?;
    let statuses = statuses(&environment, &settings, config, &allowed_hosts, &client)?;
    let source = Source {
        allowed_hosts,
        access,
        cache: PackCache { s3: s3.clone(), bucket: environment.cache_bucket },
        clones: Clones::in_folder(std::env::temp_dir().join("clones")),
    };
    let output = Output {
        s3,
        bucket: environment.output_bucket,
        key_layout: environment.key_layout.parse()?,
        keep_commits: environment.keep_commits.parse()?,
        deleted_references: environment.deleted_references.parse()?,
    };
    let files = Files {
        paths: environment.paths.parse()?,
        submodules: match environment.submodules.parse().context("read the Submodules parameter")? {
            Switch::On => Submodules::Included,
            Switch::Off => Submodules::Excluded,
        },
        history: match environment.exclude_git.parse().context("read the ExcludeGit parameter")? {
            Truth(true) => History::Excluded,
            Truth(false) => History::Included,
        },
        lfs,
    };
    Ok(Puller { source, files, output, bus, statuses })
}

/// How the statuses of commits are set, if they are.
fn statuses(
    environment: &GitPullEnvironment<Runtime>,
    settings: &Settings,
    config: &lambda_init::SdkConfig,
    hosts: &AllowedHosts,
    client: &Client,
) -> Result<Statuses<StoredSecret>> {
    if environment.status_tokens.is_empty() {
        return Ok(Statuses::off());
    }
    let tokens = environment.status_tokens.parse().context("read the ID of the secret with the tokens")?;
    Ok(Statuses::on(commit_status::Settings {
        stack: environment.stack_name.clone(),
        app: settings.github_app(config, hosts, client)?.map(GitHubApp::for_statuses),
        hosts: hosts.clone(),
        client: client.clone(),
        tokens: Arc::new(HostCredentials::new(StoredSecret::new(config, tokens))),
        bucket: Bucket::new(environment.output_bucket.clone(), config.region().context("read the region")?.as_ref()),
    }))
}
