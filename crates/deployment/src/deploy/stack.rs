//! A stack as `CloudFormation` describes it, and the removal of one that was never created wholly.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{StackStatus, TemplateStage};

use super::pace::Pace;
use super::service_role::ServiceRole;
use super::{Deployed, Parameters, Settings, Template};
use crate::account::Account;
use crate::call_error::CallError;
use crate::render::progress::Progress;

/// What is known of a stack.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) id: String,
    pub(super) status: StackStatus,
    /// The values of its parameters; those of secrets are asterisks.
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) outputs: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
    /// The role that CloudFormation assumes for it, whoever calls.
    pub(super) role: Option<String>,
}

/// The stack of that name or ARN; `None` if it doesn't exist. A deleted one is found by its ARN
/// only.
pub(super) async fn describe(account: &Account, stack: &str) -> Result<Option<Stack>, CallError> {
    let described = account.cloudformation.describe_stacks().stack_name(stack).send().await;
    let described = match described {
        // CloudFormation has no separate error for this.
        Err(error) if error.message().is_some_and(|message| message.contains("does not exist")) => return Ok(None),
        described => described.map_err(|error| CallError::new(format!("look at stack {stack}"), error))?,
    };
    Ok(described.stacks.unwrap_or_default().into_iter().next().map(|found| Stack {
        id: found.stack_id.unwrap_or_else(|| stack.to_owned()),
        status: found.stack_status.unwrap_or_else(|| StackStatus::from("UNKNOWN")),
        parameters: found
            .parameters
            .unwrap_or_default()
            .into_iter()
            .filter_map(|one| Some((one.parameter_key?, one.parameter_value.unwrap_or_default())))
            .collect(),
        outputs: found
            .outputs
            .unwrap_or_default()
            .into_iter()
            .filter_map(|output| Some((output.output_key?, output.output_value?)))
            .collect(),
        tags: found.tags.unwrap_or_default().into_iter().filter_map(|tag| Some((tag.key?, tag.value?))).collect(),
        role: found.role_arn,
    }))
}

/// A stack's status, parameters, outputs and tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its status.
    pub status: String,
    /// The values of its parameters; those of secrets are asterisks.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Description {
    /// A template's parameters with those that are given and those of this stack.
    pub fn settings(&self, template: &Template, given: &Parameters) -> Settings {
        let bucket = self.outputs.get("OutputBucketName").map(String::as_str);
        Settings::new(template, given, Some(&self.parameters)).of_bucket(bucket)
    }
}

/// Describes the stack of that name; `None` if it doesn't exist.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn described(account: &Account, stack: &str) -> Result<Option<Description>, CallError> {
    let found = describe(account, stack).await?;
    Ok(found.map(|Stack { status, parameters, outputs, tags, .. }| Description {
        status: status.as_str().to_owned(),
        parameters,
        outputs,
        tags,
    }))
}

/// The identity of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its ARN, by which it is found even after deletion.
    pub id: String,
    /// Its status.
    pub status: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The role that CloudFormation assumes for it, whoever calls; `None` if it uses their rights.
    pub role: Option<String>,
}

/// Identifies the stack of that name or ARN; `None` if it doesn't exist.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn identity(account: &Account, stack: &str) -> Result<Option<Identity>, CallError> {
    let found = describe(account, stack).await?;
    Ok(found.map(|Stack { id, status, tags, role, .. }| Identity {
        id,
        status: status.as_str().to_owned(),
        tags,
        role,
    }))
}

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its logical ID.
    pub logical_id: String,
    /// Its type.
    pub kind: String,
    /// Its physical ID: a bucket's name, a queue's URL.
    pub physical_id: String,
    /// Its last status, `CREATE_COMPLETE` for example.
    pub status: String,
    /// The reason for that status, if CloudFormation gives one.
    pub reason: Option<String>,
}

impl Resource {
    /// Whether a deletion has finished with it: it was deleted or skipped. A stack whose deletion
    /// failed still lists it.
    pub fn is_gone(&self) -> bool {
        ["DELETE_COMPLETE", "DELETE_SKIPPED"].contains(&self.status.as_str())
    }
}

/// The resources of a stack that exists.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn resources(account: &Account, stack: &str) -> Result<Vec<Resource>, CallError> {
    let mut pages = account.cloudformation.list_stack_resources().stack_name(stack).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| CallError::new(format!("list the resources of stack {stack}"), error))?;
        found.extend(page.stack_resource_summaries.unwrap_or_default().into_iter().map(|resource| Resource {
            logical_id: resource.logical_resource_id.unwrap_or_default(),
            kind: resource.resource_type.unwrap_or_default(),
            physical_id: resource.physical_resource_id.unwrap_or_default(),
            status: resource.resource_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            reason: resource.resource_status_reason,
        }));
    }
    Ok(found)
}

/// The outputs of a stack that exists.
pub(super) async fn deployed(account: &Account, stack: &str) -> Result<Deployed, CallError> {
    let found = describe(account, stack).await?;
    let (stack_id, outputs) = found.map(|found| (found.id, found.outputs)).unwrap_or_default();
    Ok(Deployed { stack_id, outputs })
}

/// The template of the stack of that name as it was given, in JSON or YAML; `None` if there is no
/// stack.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn template(account: &Account, stack: &str) -> Result<Option<String>, CallError> {
    if describe(account, stack).await?.is_none() {
        return Ok(None);
    }
    let request = account.cloudformation.get_template().stack_name(stack).template_stage(TemplateStage::Original);
    let told = request.send().await;
    Ok(told.map_err(|error| CallError::new(format!("get the template of stack {stack}"), error))?.template_body)
}

/// Deletes a stack that has no resources, and waits until it is gone.
pub(super) async fn delete_remains(
    account: &Account,
    id: &str,
    role: Option<&ServiceRole>,
    progress: &mut dyn Progress,
) -> Result<(), CallError> {
    let request = account.cloudformation.delete_stack().stack_name(id);
    let deleted = request.set_role_arn(ServiceRole::arn_of(role)).send().await;
    deleted.map_err(|error| CallError::new(format!("delete stack {id}"), error))?;
    let mut pace = Pace::default();
    loop {
        match describe(account, id).await? {
            Some(stack)
                if stack.status == StackStatus::DeleteInProgress || stack.status == StackStatus::ReviewInProgress => {}
            _ => return Ok(()),
        }
        progress.waiting("waiting for the remains to be deleted");
        pace.pause().await;
    }
}
