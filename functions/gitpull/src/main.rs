//! The worker of `/gitpull`: fetches a job's reference over SSH or HTTPS, zips it and stores the
//! zip. The host's address, the key and the token come from the configuration, never from the job.

mod access;
mod cache;
mod error;
mod files;
mod lfs;
mod puller;
mod ssh_keys;
mod steps;
mod submodules;

use anyhow::{Context as _, Result};
use contract::{AllowedHosts, HostKind, Runtime, Switch, Truth, Worker, environment::GitPullEnvironment};
use events::Bus;
use fetch::{Clones, KnownHosts, Sessions};
use github_app::{GitHubApp, KmsKey};
use host_credentials::HostCredentials;
use https::Client;
use jobs::Queue;
use secret::StoredSecret;
use store::Output;

use crate::{
    access::{Access, Others},
    cache::PackCache,
    error::GitPullError,
    files::{Files, History, Submodules},
    puller::Puller,
    ssh_keys::{Cache, SshKeys},
    steps::fetch::Source,
};

#[tokio::main]
async fn main() -> Result<()> {
    lambda_init::log::start().context("start the log")?;
    let environment = GitPullEnvironment::<Runtime>::from_env()?;
    let config = lambda_init::aws().load().await;
    let queues = [environment.queue.clone(), environment.dead_letter_queue.clone()];
    let bus = Bus::new(&config);
    let queue = Queue::new(aws_sdk_sqs::Client::new(&config), queues, bus.clone(), Worker::GitPull);
    // If the function exited instead, its jobs would be retried and moved to the dead-letter queue
    // without a reason.
    let worker = worker(environment, &config, bus).map_err(|error| format!("{error:#}"));
    let served = jobs::serve(&queue, async |job, deadline| match &worker {
        Ok(worker) => worker.deliver(job, deadline).await,
        Err(reason) => Err(GitPullError::Configuration(reason.clone())),
    });
    served.await.map_err(anyhow::Error::from_boxed)
}

/// The GitHub App of the configuration.
fn github_app(
    environment: &GitPullEnvironment<Runtime>,
    config: &lambda_init::SdkConfig,
    hosts: &AllowedHosts,
    client: &Client,
) -> Result<Option<GitHubApp<KmsKey>>> {
    let (name, id, key) = (&environment.github_app_host, &environment.github_app_id, &environment.github_app_key);
    if id.is_empty() {
        return Ok(None);
    }
    let host = hosts.find_of(HostKind::GitHub, name);
    let host = host.with_context(|| {
        format!("{name} of GitHubAppHost is not in AllowedGitHosts, or it is there without kind=github")
    })?;
    let key = KmsKey::new(aws_sdk_kms::Client::new(config), key);
    Ok(Some(GitHubApp::new(host.clone(), id, key, client.clone())))
}

fn worker(environment: GitPullEnvironment<Runtime>, config: &lambda_init::SdkConfig, bus: Bus) -> Result<Puller> {
    let s3 = aws_sdk_s3::Client::new(config);
    let allowed_hosts = environment.allowed_hosts.parse()?;
    let client = Client::new(&allowed_hosts, &environment.ca_bundle)?;
    let lfs = match environment.lfs.parse().context("read the Lfs parameter")? {
        Switch::On => Some(client.clone()),
        Switch::Off => None,
    };
    let app = github_app(&environment, config, &allowed_hosts, &client)?;
    let others = if environment.tokens.is_empty() {
        let known_hosts = KnownHosts::built_in_and_usable(&environment.known_hosts);
        let (known_hosts, unusable) = known_hosts.context("read the KnownHosts parameter")?;
        for error in &unusable {
            tracing::warn!(cause = contract::error_chain(error), "a line of KnownHosts is left out");
        }
        let keys = SshKeys {
            s3: s3.clone(),
            kms: aws_sdk_kms::Client::new(config),
            bucket: environment.key_bucket,
            object: environment.key_object,
            kms_key: environment.kms_key,
            stack_name: environment.stack_name,
            of_stack: tokio::sync::OnceCell::new(),
            of_repositories: Cache::default(),
        };
        Others::Ssh { keys: Box::new(keys), sessions: Sessions::new(known_hosts) }
    } else {
        let secret = environment.tokens.parse().context("read the ID of the secret with the tokens")?;
        Others::Https { client, tokens: Box::new(HostCredentials::new(StoredSecret::new(config, secret))) }
    };
    let source = Source {
        allowed_hosts,
        access: Access { app, others },
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
    Ok(Puller { source, files, output, bus })
}
