//! The reconciler: compares, by a schedule, what the hosts have with what was stored.

mod aws;

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use contract::{AllowedHosts, Runtime, environment::ReconcilerEnvironment};
use host_access::{Access, Others, Settings};
use https::Client;
use job_queue::Queues;
use lambda_init::SdkConfig;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use reconciler::{
    run::{Plan, run},
    schedule::Scheduled,
};
use secret::StoredSecret;

use crate::aws::{Aws, Scopes};

/// The part of a run that is reserved for telling the next one.
const RESERVE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<()> {
    lambda_init::log::start().context("start the log")?;
    let config = &lambda_init::aws().load().await;
    let served = lambda_runtime::run(service_fn(async |event: LambdaEvent<Scheduled>| {
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let deadline = Instant::now() + left.saturating_sub(RESERVE);
        let ran = Box::pin(reconcile(config, &event.payload, deadline)).await;
        ran.map_err(|error| {
            let cause = format!("{error:#}");
            tracing::error!(cause, "the run has failed");
            Error::from(cause)
        })
    }));
    served.await.map_err(anyhow::Error::from_boxed)
}

async fn reconcile(config: &SdkConfig, scheduled: &Scheduled, deadline: Instant) -> Result<()> {
    let environment = ReconcilerEnvironment::<Runtime>::from_env()?;
    let plan = Plan {
        now: scheduled.time,
        every_minutes: scheduled.every_minutes,
        allowed_hosts: environment.allowed_hosts.parse()?,
        repositories: scheduled.repositories()?,
        refs: scheduled.refs()?,
        key_layout: environment.key_layout.parse()?,
    };
    let world = world(environment, config, scheduled, &plan, deadline)?;
    run(&world, &plan).await?;
    Ok(())
}

fn world(
    environment: ReconcilerEnvironment<Runtime>,
    config: &SdkConfig,
    scheduled: &Scheduled,
    plan: &Plan,
    deadline: Instant,
) -> Result<Aws> {
    let allowed_hosts: AllowedHosts = plan.allowed_hosts.clone();
    let client = Client::new(&allowed_hosts, &scheduled.ca_bundle.0)?;
    let credentials = environment.credentials.as_str();
    let zipdl = Access { app: None, others: Others::over_https(config, &client, credentials)? };
    let scopes = if environment.api_secret.is_empty() {
        Scopes::Nothing
    } else {
        let secret = environment.api_secret.parse().context("read the ID of the webhook secret")?;
        let repositories = plan.repositories.globs().to_owned();
        Scopes::Submodules { repositories, secret: StoredSecret::new(config, secret) }
    };
    let queues = Queues::new(
        aws_sdk_sqs::Client::new(config),
        environment.gitpull_queue.clone(),
        environment.zipdl_queue.clone(),
    );
    Ok(Aws {
        s3: aws_sdk_s3::Client::new(config),
        output_bucket: environment.output_bucket.clone(),
        key_bucket: environment.key_bucket.clone(),
        cache_bucket: environment.cache_bucket.clone(),
        queues,
        gitpull: settings(environment).access(config, &allowed_hosts, &client)?,
        zipdl,
        allowed_hosts,
        prefixes: plan.refs.prefixes(),
        scopes,
        deadline,
    })
}

/// What the environment says about access, as gitpull's does.
fn settings(environment: ReconcilerEnvironment<Runtime>) -> Settings {
    Settings {
        key_bucket: environment.key_bucket,
        key_object: environment.key_object,
        kms_key: environment.kms_key,
        stack_name: environment.stack_name,
        known_hosts: environment.known_hosts,
        tokens: environment.tokens,
        github_app_host: environment.github_app_host,
        github_app_id: environment.github_app_id,
        github_app_key: environment.github_app_key,
    }
}
