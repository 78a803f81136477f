//! Turns a template into a running stack: uploads assets to the account's own bucket, makes a
//! change set that can be read before it is executed, and reports the stack's events.
//!
//! [`plan`] changes nothing that runs; its result is shown, and then executed or abandoned.
//! [`deploy`] and [`destroy()`] are for callers that don't ask for confirmation: tests and the
//! local cloud.

mod again;
mod assets;
mod change_set;
mod destroy;
mod drift;
mod events;
mod failure;
mod git_hosts;
mod import;
mod keep;
pub mod pace;
mod parameter_error;
mod parameters;
mod preview;
mod service_role;
mod settings;
mod stack;
mod stays;
pub mod tags;
mod validation;
mod values;
mod zips;

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::types::{Parameter, StackStatus};
use cfn::quota::Excess;
use change_set::Kind;

pub use assets::{
    AssetsError, Users, exists as assets_bucket_exists, remove as remove_assets_bucket, users as users_of_assets,
};
pub use cfn::Template;
pub use change_set::{Change, Planned, table};
pub use destroy::{DestroyError, Losses, losses};
pub use drift::{Drift, drift};
pub use events::{Event, history};
pub use failure::Failure;
pub use import::{Found, ImportError, find as find_bucket};
pub use keep::KeepError;
pub use parameter_error::ParameterError;
pub use parameters::{Parameters, SecretSource};
pub use preview::{Preview, preview};
pub use service_role::{NotARole, ServiceRole, acting};
pub use settings::{Origin, Setting, Settings};
pub use stack::{Description, Identity, Resource, described, identity, resources, template as deployed_template};
pub use stays::Stay;
pub use zips::Retention;

use crate::account::{Account, AccountError};
use crate::call_error::CallError;
use crate::render::progress::Progress;
use crate::typed::typed;

/// The parameters with the location of the code; set by the deployment, never by a person.
const ASSET_BUCKET: &str = "QSS3BucketName";
const ASSET_PREFIX: &str = "QSS3KeyPrefix";
/// Both of them.
pub const FILLED: [&str; 2] = [ASSET_BUCKET, ASSET_PREFIX];

/// What to deploy.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The stack's name: a letter, then letters, digits and hyphens, at most 128.
    pub stack_name: String,
    /// The template.
    pub template: Template,
    /// The directory with `assets.json` and `assets/`. Not read if the template has no parameter
    /// `QSS3BucketName`, since it has no code then.
    pub dist: PathBuf,
    /// Values for the template's parameters. Those of an existing stack that are not given keep
    /// their value.
    pub parameters: Parameters,
    /// Tags of the stack; without any, an existing stack keeps its own.
    pub tags: BTreeMap<String, String>,
    /// The role that `CloudFormation` assumes; without one it uses the one that the stack
    /// remembers, or else the caller's rights.
    pub role: Option<ServiceRole>,
}

/// A stack that matches the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The stack's ARN.
    pub stack_id: String,
    /// The stack's outputs.
    pub outputs: BTreeMap<String, String>,
}

/// What a deployment would do.
#[derive(Debug)]
pub enum Plan {
    /// Nothing: the stack matches the template.
    Unchanged(Deployed),
    /// Make these changes.
    Changes(Box<Planned>),
}

/// Why a stack could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The account can't be determined.
    #[error("cannot deploy stack {stack}")]
    Account {
        /// The stack's name.
        stack: String,
        /// What is missing.
        source: AccountError,
    },
    /// The tags are invalid.
    #[error("the tags of stack {stack} can't be")]
    Tags {
        /// The stack's name.
        stack: String,
        /// Which one, and why.
        source: tags::TagError,
    },
    /// The parameters don't fit the template.
    #[error("the parameters of stack {stack} don't fit the template")]
    Parameters {
        /// The stack's name.
        stack: String,
        /// Which one, and why.
        source: ParameterError,
    },
    /// The code or the template could not be uploaded.
    #[error("cannot upload what stack {stack} needs")]
    Assets {
        /// The stack's name.
        stack: String,
        /// What failed.
        source: AssetsError,
    },
    /// AWS could not be asked, or refused.
    #[error("cannot deploy stack {stack}")]
    Call {
        /// The stack's name.
        stack: String,
        /// What was tried, and what AWS answered.
        source: CallError,
    },
    /// The stack is being changed by somebody else.
    #[error("stack {stack} is being changed: {status}")]
    Busy {
        /// The stack's name.
        stack: String,
        /// Its status.
        status: String,
    },
    /// The stack is in a state that no change set can end.
    #[error("stack {stack} cannot be updated: {status}")]
    Stuck {
        /// The stack's name.
        stack: String,
        /// Its status.
        status: String,
    },
    /// `CloudFormation`, or a service behind it, does not accept the template with these
    /// parameters.
    #[error("the template of stack {stack} is refused: {reason}")]
    Refused {
        /// The stack's name.
        stack: String,
        /// Why.
        reason: String,
    },
    /// A resource could not be created, and `CloudFormation` has rolled back.
    #[error("{failure}; stack {stack} is now {status}")]
    Failed {
        /// The stack's name.
        stack: String,
        /// Its status.
        status: String,
        /// What failed first.
        failure: Failure,
    },
}

impl DeployError {
    /// What to do about it, if known and not said by the error's source.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Busy { .. } => Some("wait until it is done, then deploy again".to_owned()),
            Self::Stuck { stack, status } if status == "UPDATE_ROLLBACK_FAILED" => Some(format!(
                "fix what made the rollback fail ({}), then add `--continue-rollback`",
                typed(&format!("status --stack-name {stack}"))
            )),
            Self::Failed { failure, .. } => failure.hint(),
            Self::Stuck { stack, .. } => {
                Some(format!("{} deletes it", typed(&format!("destroy --stack-name {stack}"))))
            }
            _ => None,
        }
    }
}

/// A stack as a deployment finds it.
#[derive(Debug)]
pub struct Standing {
    /// The stack that would be updated.
    existing: Option<stack::Stack>,
    /// The remains of a stack that was never created wholly, which can only be deleted.
    remains: Option<stack::Stack>,
}

impl Standing {
    /// Whether there is a stack to update.
    pub fn exists(&self) -> bool {
        self.existing.is_some()
    }

    /// The output bucket of the stack.
    pub fn bucket(&self) -> Option<&str> {
        self.existing.as_ref()?.outputs.get("OutputBucketName").map(String::as_str)
    }

    /// The resulting parameters.
    pub fn settings(&self, deployment: &Deployment) -> Settings {
        let kept = self.existing.as_ref().map(|stack| &stack.parameters);
        Settings::new(&deployment.template, &deployment.parameters, kept).of_bucket(self.bucket())
    }

    /// The tags that the stack would get, or lose if without a value.
    pub fn tags(&self, deployment: &Deployment) -> BTreeMap<String, Option<String>> {
        let none = BTreeMap::new();
        tags::changes(self.existing.as_ref().map_or(&none, |stack| &stack.tags), &deployment.tags)
    }

    fn kept(&self) -> BTreeMap<String, String> {
        self.existing.as_ref().map(|stack| stack.parameters.clone()).unwrap_or_default()
    }
}

/// Reads the stack, and checks the given parameters, those that it would keep, and their
/// combination. It changes nothing, and runs before anything that takes time.
///
/// # Errors
/// See [`DeployError`], mainly parameters, or a stack that can't be updated.
pub async fn examine(account: &Account, deployment: &Deployment) -> Result<Standing, DeployError> {
    let Deployment { stack_name, template, parameters, .. } = deployment;
    let wrong = |source| DeployError::Parameters { stack: stack_name.clone(), source };
    parameters.check(template).map_err(wrong)?;
    tags::check(&deployment.tags).map_err(|source| DeployError::Tags { stack: stack_name.clone(), source })?;
    let standing = standing(account, stack_name).await?;
    let kept = standing.kept();
    parameters.check_kept(template, &kept).map_err(wrong)?;
    let resolved = parameters.resolve(template, &kept, &filled(account, template)).map_err(wrong)?;
    if let Some(rule) = broken_rule(template.value(), &kept, &resolved) {
        return Err(wrong(ParameterError::Together { rule }));
    }
    let known = [("AWS::StackName", stack_name), ("AWS::AccountId", &account.id), ("AWS::Region", &account.region)];
    match excess(template.value(), &resolved, &known) {
        Some(excess) => Err(DeployError::Refused { stack: stack_name.clone(), reason: excess.to_string() }),
        None => Ok(standing),
    }
}

/// Uploads the assets and makes a change set. Nothing that runs is changed. A stack that was never
/// created wholly (`ROLLBACK_COMPLETE`, `REVIEW_IN_PROGRESS`) is deleted, since nothing else can be
/// done with it. [`preview()`] does neither.
///
/// # Errors
/// See [`DeployError`].
pub async fn plan(
    account: &Account,
    deployment: &Deployment,
    progress: &mut dyn Progress,
) -> Result<Plan, DeployError> {
    planned(account, deployment, Kind::Create, progress).await
}

/// The same for a new stack that imports an existing bucket: `deployment` has the template of
/// [`Found::first`].
///
/// # Errors
/// See [`DeployError`].
pub async fn plan_import(
    account: &Account,
    deployment: &Deployment,
    progress: &mut dyn Progress,
) -> Result<Plan, DeployError> {
    planned(account, deployment, Kind::Import, progress).await
}

/// A change set for the stack, of the kind `new` if the stack doesn't exist.
async fn planned(
    account: &Account,
    deployment: &Deployment,
    new: Kind,
    progress: &mut dyn Progress,
) -> Result<Plan, DeployError> {
    let stack = || deployment.stack_name.clone();
    let call = |source| DeployError::Call { stack: stack(), source };
    let template = &deployment.template;
    let wrong = |source| DeployError::Parameters { stack: stack(), source };

    let standing = examine(account, deployment).await?;
    let kept = standing.kept();
    for host in git_hosts::in_words(&standing.settings(deployment)) {
        progress.step(&format!("may be fetched from: {host}"));
    }
    if let Some(remains) = &standing.remains {
        let status = remains.status.as_str();
        progress.step(&format!("stack {} was never created ({status}): deleting the remains first", stack()));
        stack::delete_remains(account, &remains.id, deployment.role.as_ref(), progress).await.map_err(call)?;
    }
    let kind = if standing.exists() { Kind::Update } else { new };

    let failed = |source| DeployError::Assets { stack: stack(), source };
    let body = upload(account, deployment, progress).await.map_err(failed)?;
    let parameters = deployment.parameters.resolve(template, &kept, &filled(account, template)).map_err(wrong)?;
    let created = change_set::create(account, deployment, kind, body, parameters, progress).await?;
    match created {
        Some(planned) => Ok(Plan::Changes(Box::new(planned))),
        None => Ok(Plan::Unchanged(stack::deployed(account, &deployment.stack_name).await.map_err(call)?)),
    }
}

/// The rule of the template that these values, with those that the stack keeps, break, or that the
/// functions have.
fn broken_rule(
    template: &serde_json::Value,
    kept: &BTreeMap<String, String>,
    parameters: &[Parameter],
) -> Option<String> {
    let mut values = kept.clone();
    values.extend(parameters.iter().filter_map(told));
    cfn::broken_rules(template, &values).into_iter().next().or_else(|| git_hosts::without_app_host(template, &values))
}

/// The name and the value of a parameter, if the request has a value.
fn told(parameter: &Parameter) -> Option<(String, String)> {
    Some((parameter.parameter_key()?.to_owned(), parameter.parameter_value()?.to_owned()))
}

/// The first function whose variables are too large with these values and those of pseudo
/// parameters. AWS would report it only in the middle of the deployment. Values that an existing
/// stack keeps count as nothing.
fn excess(template: &serde_json::Value, parameters: &[Parameter], known: &[(&str, &String)]) -> Option<Excess> {
    let declared = template["Parameters"].as_object().into_iter().flat_map(serde_json::Map::keys);
    let mut values: BTreeMap<_, _> = declared.map(|name| (name.clone(), String::new())).collect();
    values.extend(parameters.iter().filter_map(told));
    values.extend(known.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())));
    let evaluated = cfn::evaluate(template, &values).ok()?;
    cfn::quota::exceeded(&evaluated, 0).into_iter().next()
}

/// Evaluates the template with these parameters, of which later ones override earlier ones, and
/// with defaults for all others.
///
/// # Errors
/// See [`cfn::EvaluateError`].
pub fn evaluated(template: &Template, chosen: &[Parameters]) -> Result<serde_json::Value, cfn::EvaluateError> {
    let mut values: BTreeMap<_, _> = FILLED.iter().map(|name| ((*name).to_owned(), "filled".to_owned())).collect();
    values.extend(chosen.iter().flat_map(Parameters::values));
    cfn::evaluate(template.value(), &values)
}

/// Finishes the rollback of an update that got stuck, so that the stack can be updated again. Does
/// nothing to any other stack.
///
/// # Errors
/// See [`DeployError`], mainly the resource that still fails.
pub async fn continue_rollback(
    account: &Account,
    stack_name: &str,
    role: Option<&ServiceRole>,
    progress: &mut dyn Progress,
) -> Result<(), DeployError> {
    let call = |source| DeployError::Call { stack: stack_name.to_owned(), source };
    let found = stack::describe(account, stack_name).await.map_err(call)?;
    let Some(found) = found.filter(|stack| stack.status == StackStatus::UpdateRollbackFailed) else { return Ok(()) };
    progress.step(&format!("stack {stack_name} is stuck in a rollback: continuing it"));
    let token = change_set::unique_name();
    let request = account.cloudformation.continue_update_rollback().stack_name(&found.id).client_request_token(&token);
    let continued = request.set_role_arn(ServiceRole::arn_of(role)).send().await;
    continued.map_err(|error| call(CallError::new("continue the rollback", error)))?;
    let end = events::Story::new(&found.id, &token).follow(account, progress).await.map_err(call)?;
    if end.status == "UPDATE_ROLLBACK_COMPLETE" {
        return Ok(());
    }
    Err(DeployError::Failed { stack: stack_name.to_owned(), status: end.status, failure: end.failure })
}

/// A change set of an existing stack for another template with the same parameters, which all keep
/// their values; `None` if nothing would change.
async fn replan(
    account: &Account,
    stack_name: &str,
    template: Template,
    role: Option<ServiceRole>,
    progress: &mut dyn Progress,
) -> Result<Option<Planned>, DeployError> {
    let call = |source| DeployError::Call { stack: stack_name.to_owned(), source };
    let kept =
        stack::describe(account, stack_name).await.map_err(call)?.map(|stack| stack.parameters).unwrap_or_default();
    let deployment = Deployment {
        stack_name: stack_name.to_owned(),
        template,
        dist: PathBuf::new(),
        parameters: Parameters::default(),
        tags: BTreeMap::new(),
        role,
    };
    let failed = |source| DeployError::Assets { stack: stack_name.to_owned(), source };
    let wrong = |source| DeployError::Parameters { stack: stack_name.to_owned(), source };
    let body = body(account, &deployment, progress).await.map_err(failed)?;
    let parameters = deployment.parameters.resolve(&deployment.template, &kept, &BTreeMap::new()).map_err(wrong)?;
    change_set::create(account, &deployment, Kind::Update, body, parameters, progress).await
}

/// Plans and executes.
///
/// # Errors
/// See [`DeployError`].
pub async fn deploy(
    config: &SdkConfig,
    deployment: &Deployment,
    progress: &mut dyn Progress,
) -> Result<Deployed, DeployError> {
    let account = Account::open(config)
        .await
        .map_err(|source| DeployError::Account { stack: deployment.stack_name.clone(), source })?;
    match plan(&account, deployment, progress).await? {
        Plan::Unchanged(deployed) => Ok(deployed),
        Plan::Changes(planned) => planned.execute(progress).await,
    }
}

/// Deletes a stack with all its content. It is fine if it doesn't exist.
///
/// # Errors
/// See [`DestroyError`].
pub async fn destroy(config: &SdkConfig, stack_name: &str, progress: &mut dyn Progress) -> Result<(), DestroyError> {
    let account =
        Account::open(config).await.map_err(|source| DestroyError::Account { stack: stack_name.to_owned(), source })?;
    match losses(&account, stack_name).await? {
        Some(losses) => losses.execute(progress).await,
        None => Ok(()),
    }
}

/// Reads the state of the stack.
async fn standing(account: &Account, name: &str) -> Result<Standing, DeployError> {
    let call = |source| DeployError::Call { stack: name.to_owned(), source };
    let found = stack::describe(account, name).await.map_err(call)?;
    let Some(found) = found else { return Ok(Standing { existing: None, remains: None }) };
    let status = found.status.as_str().to_owned();
    match found.status {
        StackStatus::ReviewInProgress | StackStatus::RollbackComplete => {
            Ok(Standing { existing: None, remains: Some(found) })
        }
        _ if status.ends_with("_IN_PROGRESS") => Err(DeployError::Busy { stack: name.to_owned(), status }),
        StackStatus::CreateFailed
        | StackStatus::RollbackFailed
        | StackStatus::DeleteFailed
        | StackStatus::UpdateRollbackFailed => Err(DeployError::Stuck { stack: name.to_owned(), status }),
        _ => Ok(Standing { existing: Some(found), remains: None }),
    }
}

/// The parameters with the location of the code, which are known before it is uploaded.
fn filled(account: &Account, template: &Template) -> BTreeMap<&'static str, String> {
    if template.parameter(ASSET_BUCKET).is_none() {
        return BTreeMap::new();
    }
    let bucket = assets::Bucket::of(account).name().to_owned();
    BTreeMap::from([(ASSET_BUCKET, bucket), (ASSET_PREFIX, assets::PREFIX.to_owned())])
}

async fn upload(
    account: &Account,
    deployment: &Deployment,
    progress: &mut dyn Progress,
) -> Result<change_set::Body, AssetsError> {
    let template = &deployment.template;
    if template.parameter(ASSET_BUCKET).is_some() {
        let manifest = assets::listed(&deployment.dist, template)?;
        let bucket = assets::Bucket::open(account, &deployment.tags, progress).await?;
        bucket.upload(&manifest, &deployment.dist, progress).await?;
    }
    body(account, deployment, progress).await
}

/// The template as it is sent to CloudFormation.
async fn body(
    account: &Account,
    deployment: &Deployment,
    progress: &mut dyn Progress,
) -> Result<change_set::Body, AssetsError> {
    let template = &deployment.template;
    if !template.is_large() {
        return Ok(change_set::Body::Inline(template.text().to_owned()));
    }
    let bucket = assets::Bucket::open(account, &deployment.tags, progress).await?;
    Ok(change_set::Body::Uploaded(bucket.upload_template(template).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oversized_function_environment_is_detected() {
        let template = crate::stack::template(None).unwrap().into_value();
        let with = |lfs: &str| {
            let values = [("CaBundle", "x".repeat(2_300)), ("KnownHosts", "x".repeat(1_700)), ("Lfs", lfs.to_owned())];
            let parameters =
                values.map(|(name, value)| Parameter::builder().parameter_key(name).parameter_value(value).build());
            excess(&template, &parameters, &[("AWS::StackName", &"git2s3".to_owned())])
        };
        assert_eq!(with("off"), None);
        assert_eq!(with("on").unwrap().to_string().split(" has ").next(), Some("GitPullFunction's environment"));
    }
}
