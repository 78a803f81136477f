//! What AWS and the host say about a push's path.

use std::time::Duration;

use contract::{ApiSecrets, Repository};
use deployment::account::Account;
use deployment::call_error::CallError;
use host_api::{Delivery, DeployKey, HostApi, HostApiError, HostedRepository, PublicKey, Webhook};

use super::endpoint::{Reached, reach};
use crate::connect::{Endpoint, Refusal, Target, secret_for, stored};
use crate::github_app::{self, App, AppCallError, AppFacts};
use crate::status::{Status, status};

/// What is known.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The stack.
    pub target: &'a Target,
    /// The repository, if one was asked about.
    pub repository: Option<&'a Repository>,
    /// The status of the stack.
    pub status: Status,
    /// How far a request to the endpoint gets.
    pub reached: Reached,
    /// The alarms that ring; `None` without the right to ask.
    pub alarms: Option<Vec<String>>,
    /// Why the stack doesn't serve the repository, or has no secret for it.
    pub refusal: Option<Refusal>,
    /// The keys that gitpull uses, newest first: the repository's own, or the stack's.
    pub keys: Vec<PublicKey>,
    /// What the host says; `None` without a token.
    pub at_host: Option<Result<AtHost, HostApiError>>,
    /// What the host says of the GitHub App, and what that has sent, newest first, if it is the way
    /// to the repository.
    pub app: Option<Result<(AppFacts, Vec<Delivery>), AppCallError>>,
    /// The key of the default branch's zip; `None` if pushes to it become none.
    pub artifact: Option<String>,
    /// When the zip was stored, in seconds since 1970.
    pub stored: Option<i64>,
}

/// What a host says about a repository.
#[derive(Debug)]
pub struct AtHost {
    /// The repository.
    pub hosted: HostedRepository,
    /// All its webhooks.
    pub webhooks: Vec<Webhook>,
    /// The latest deliveries of the webhook that sends to the stack, newest first; `None` if the
    /// host doesn't list them.
    pub deliveries: Option<Vec<Delivery>>,
    /// Its deploy keys; `None` if the host has none.
    pub deploy_keys: Option<Vec<DeployKey>>,
}

/// Asks AWS, and the host if there is a token.
///
/// # Errors
/// AWS couldn't be asked, or refused.
pub async fn facts<'a>(
    account: &Account,
    target: &'a Target,
    secrets: &ApiSecrets,
    repository: Option<&'a Repository>,
    api: Option<&HostApi>,
    back: Duration,
) -> Result<Option<Facts<'a>>, CallError> {
    let Some(status) = status(account, &target.name, back).await? else { return Ok(None) };
    let mut facts = Facts {
        target,
        repository,
        status,
        reached: reached(account, target).await,
        alarms: alarms(account, &target.name).await,
        refusal: None,
        keys: Vec::new(),
        at_host: None,
        app: None,
        artifact: None,
        stored: None,
    };
    let Some(repository) = repository else { return Ok(Some(facts)) };
    facts.refusal = target.permit(repository).and_then(|host| secret_for(secrets, repository, host)).err();
    let own = target.keys.known(repository);
    facts.keys = if own.is_empty() { target.stack_key.iter().cloned().collect() } else { own };
    if let Some(app) = target.app_of(&repository.host) {
        facts.app = Some(of_app(app, repository).await);
    } else if let Some(api) = api {
        facts.at_host = Some(at_host(api, repository, target.urls()).await);
    }
    let by_app = facts.app.as_ref().and_then(|told| told.as_ref().ok()).and_then(|(told, _)| told.hosted.as_ref());
    let hosted = facts.at_host.as_ref().and_then(|told| told.as_ref().ok()).map(|told| &told.hosted);
    let branch = hosted.or(by_app).map_or(Some("main"), |hosted| hosted.default_branch.as_deref());
    facts.artifact = branch.and_then(|branch| target.artifact_key(repository, branch));
    if let Some(key) = &facts.artifact {
        facts.stored = stored(account, &target.bucket, key).await?;
    }
    Ok(Some(facts))
}

async fn of_app(app: &App, repository: &Repository) -> Result<(AppFacts, Vec<Delivery>), AppCallError> {
    Ok((github_app::facts(app, repository).await?, app.deliveries().await?))
}

async fn reached(account: &Account, target: &Target) -> Reached {
    // No host is private to a request for the stack's own endpoint, which is on the internet.
    match https::Client::new(&contract::AllowedHosts::default(), "") {
        Ok(client) if account.is_aws() => reach(target.url(Endpoint::GitPull), &client).await,
        _ => Reached::Untried,
    }
}

async fn alarms(account: &Account, stack: &str) -> Option<Vec<String>> {
    let client = aws_sdk_cloudwatch::Client::new(&account.config);
    let request = client.describe_alarms().alarm_name_prefix(format!("{stack}-"));
    let told = request.state_value(aws_sdk_cloudwatch::types::StateValue::Alarm).send().await.ok()?;
    Some(told.metric_alarms().iter().filter_map(|alarm| alarm.alarm_name().map(str::to_owned)).collect())
}

async fn at_host(api: &HostApi, repository: &Repository, urls: &[String; 2]) -> Result<AtHost, HostApiError> {
    let path = &repository.path;
    let hosted = api.repository(path).await?;
    let webhooks = api.webhooks(path).await?;
    let deliveries = match webhooks.iter().find(|hook| urls.contains(&hook.url)) {
        Some(hook) => api.deliveries(path, &hook.id).await?,
        None => None,
    };
    let deploy_keys = match api.deploy_keys(path).await {
        Err(HostApiError::NotOffered { .. }) => None,
        keys => Some(keys?),
    };
    Ok(AtHost { hosted, webhooks, deliveries, deploy_keys })
}
