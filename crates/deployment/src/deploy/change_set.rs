//! The change set: what CloudFormation would do, shown first, then executed or dropped.

use anstyle::{AnsiColor, Style};
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    self, Capability, ChangeAction, ChangeSetStatus, ChangeSetType, Parameter, Replacement, Tag,
};
use cfn::Template;
use serde_json::Value;

use super::events::Story;
use super::pace::Pace;
use super::service_role::ServiceRole;
use super::stack;
use super::validation::{self, Subject};
use super::{DeployError, Deployed, Deployment};
use crate::account::Account;
use crate::call_error::CallError;
use crate::render::progress::Progress;
use crate::render::table::{Align, Table};

/// How CloudFormation gets the template.
#[derive(Debug)]
pub(super) enum Body {
    /// In the request.
    Inline(String),
    /// From S3, at this URL.
    Uploaded(String),
}

/// What a change set does with a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Creates it.
    Create,
    /// Creates it and imports existing resources with the names in the template.
    Import,
    /// Changes it.
    Update,
}

impl Kind {
    fn creates(self) -> bool {
        self != Self::Update
    }
}

/// One change to one resource.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What is done: `Remove`, `Modify`, `Add`, `Import` and rarer ones, as CloudFormation calls
    /// them.
    pub action: String,
    /// The resource's logical ID in the template.
    pub logical_id: String,
    /// The resource's type.
    pub resource_type: String,
    /// For a modification: whether the resource is replaced and its content lost: `True`, `False`,
    /// `Conditional`.
    pub replacement: Option<String>,
}

/// A change set that waits for a decision.
#[derive(Debug)]
pub struct Planned {
    account: Account,
    stack_name: String,
    stack_id: String,
    change_set_id: String,
    kind: Kind,
    changes: Vec<Change>,
}

impl Planned {
    /// The changes: removals first, then modifications, then additions.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Its ARN.
    pub fn id(&self) -> &str {
        &self.change_set_id
    }

    /// Whether the stack does not exist yet.
    pub fn creates_stack(&self) -> bool {
        self.kind.creates()
    }

    /// Makes the changes and reports the stack's events meanwhile.
    ///
    /// # Errors
    /// See [`DeployError`], mainly a failed resource.
    pub async fn execute(self, progress: &mut dyn Progress) -> Result<Deployed, DeployError> {
        let token = unique_name();
        let call = |source| DeployError::Call { stack: self.stack_name.clone(), source };
        let cloudformation = &self.account.cloudformation;
        let request = cloudformation.execute_change_set().change_set_name(&self.change_set_id);
        let executed = request.client_request_token(&token).send().await;
        executed.map_err(|error| call(CallError::new("execute the change set", error)))?;

        let story = Story::new(&self.stack_id, &token);
        let end = story.follow(&self.account, progress).await.map_err(call)?;
        if end.status != "CREATE_COMPLETE" && end.status != "UPDATE_COMPLETE" {
            return Err(DeployError::Failed { stack: self.stack_name, status: end.status, failure: end.failure });
        }
        stack::deployed(&self.account, &self.stack_id).await.map_err(call)
    }

    /// Leaves the change set for somebody else to execute, and returns its ARN.
    pub fn leave(self) -> String {
        self.change_set_id
    }

    /// Drops the change set, and the empty stack if the change set created it.
    ///
    /// # Errors
    /// AWS could not be asked, or refused.
    pub async fn abandon(self, progress: &mut dyn Progress) -> Result<(), DeployError> {
        let stack = || self.stack_name.clone();
        drop_change_set(&self.account, &self.change_set_id, &self.stack_id, self.kind, progress)
            .await
            .map_err(|source| DeployError::Call { stack: stack(), source })
    }
}

/// Makes a change set; `None` if nothing would change.
pub(super) async fn create(
    account: &Account,
    deployment: &Deployment,
    kind: Kind,
    body: Body,
    parameters: Vec<Parameter>,
    progress: &mut dyn Progress,
) -> Result<Option<Planned>, DeployError> {
    let Deployment { stack_name, template, tags, role, .. } = deployment;
    let call = |source| DeployError::Call { stack: stack_name.to_owned(), source };
    let request = account.cloudformation.create_change_set().stack_name(stack_name).change_set_name(unique_name());
    let request = match body {
        Body::Inline(text) => request.template_body(text),
        Body::Uploaded(url) => request.template_url(url),
    };
    let change_set_type = if kind.creates() { ChangeSetType::Create } else { ChangeSetType::Update };
    let request = request.change_set_type(change_set_type).set_parameters(Some(parameters));
    let request = request.set_import_existing_resources((kind == Kind::Import).then_some(true));
    let tags: Vec<Tag> = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let request = request.set_tags((!tags.is_empty()).then_some(tags));
    let request = request.set_role_arn(ServiceRole::arn_of(role.as_ref()));
    let request = request.set_capabilities(capability(template).map(|capability| vec![capability]));
    let created = request.send().await;
    let created = created.map_err(|error| call(CallError::new("create a change set", error)))?;
    let change_set_id = created.id.unwrap_or_default();
    let stack_id = created.stack_id.unwrap_or_default();

    let (described, changes) = settled(account, &change_set_id, progress).await.map_err(call)?;
    if described.status != Some(ChangeSetStatus::Failed) {
        let stack_name = stack_name.to_owned();
        return Ok(Some(Planned { account: account.clone(), stack_name, stack_id, change_set_id, kind, changes }));
    }
    let mut reason = described.status_reason.unwrap_or_else(|| "no reason given".to_owned());
    let empty = is_empty(&reason);
    if !empty && let Some(error) = validation::first_error(account, Subject::ChangeSet(&change_set_id)).await {
        reason = error.to_string();
    }
    drop_change_set(account, &change_set_id, &stack_id, kind, progress).await.map_err(call)?;
    if empty { Ok(None) } else { Err(DeployError::Refused { stack: stack_name.to_owned(), reason }) }
}

/// Waits until the change set can be read or has failed, and reads all of it.
async fn settled(
    account: &Account,
    change_set_id: &str,
    progress: &mut dyn Progress,
) -> Result<(DescribeChangeSetOutput, Vec<Change>), CallError> {
    let mut pace = Pace::default();
    loop {
        let mut pages =
            account.cloudformation.describe_change_set().change_set_name(change_set_id).into_paginator().send();
        let mut first = None;
        let mut changes = Vec::new();
        while let Some(page) = pages.next().await {
            let described = page.map_err(|error| CallError::new("read the change set", error))?;
            changes.extend(described.changes().iter().filter_map(change));
            first.get_or_insert(described);
        }
        if let Some(described) = first
            && matches!(described.status, Some(ChangeSetStatus::CreateComplete | ChangeSetStatus::Failed))
        {
            changes.sort_by_key(|change| (urgency(&change.action), change.logical_id.clone()));
            return Ok((described, changes));
        }
        progress.waiting("waiting for the change set");
        pace.pause().await;
    }
}

async fn drop_change_set(
    account: &Account,
    change_set_id: &str,
    stack_id: &str,
    kind: Kind,
    progress: &mut dyn Progress,
) -> Result<(), CallError> {
    let dropped = account.cloudformation.delete_change_set().change_set_name(change_set_id).send().await;
    dropped.map_err(|error| CallError::new("delete the change set", error))?;
    if kind.creates() {
        // The stack remembers its role.
        stack::delete_remains(account, stack_id, None, progress).await?;
    }
    Ok(())
}

/// Only the failure's text says that a change set is empty.
fn is_empty(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

/// A name for a change set or an operation: a letter, then letters, digits and hyphens.
pub(super) fn unique_name() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("git2s3-{}-{}", now.as_nanos(), std::process::id())
}

fn change(change: &types::Change) -> Option<Change> {
    let change = change.resource_change()?;
    let action = change.action()?;
    let replacement = change.replacement().filter(|_| *action == ChangeAction::Modify);
    Some(Change {
        action: action.as_str().to_owned(),
        logical_id: change.logical_resource_id()?.to_owned(),
        resource_type: change.resource_type()?.to_owned(),
        replacement: replacement.map(|replacement| replacement.as_str().to_owned()),
    })
}

fn urgency(action: &str) -> usize {
    ["Remove", "Modify"].iter().position(|known| *known == action).unwrap_or(2)
}

/// The changes as a table.
pub fn table(changes: &[Change]) -> Table {
    let mut table = Table::new([
        ("Action", Align::Left),
        ("Logical id", Align::Left),
        ("Type", Align::Left),
        ("Replacement", Align::Left),
    ]);
    for change in changes {
        let replaced = change.replacement.as_deref();
        let color = match (change.action.as_str(), replaced) {
            ("Remove", _) => Some(AnsiColor::Red),
            ("Modify", Some(replacement)) if replacement != Replacement::False.as_str() => Some(AnsiColor::Red),
            ("Modify", _) => Some(AnsiColor::Yellow),
            _ => Some(AnsiColor::Green),
        };
        let replaced = match replaced {
            Some("True") => "yes",
            Some("Conditional") => "perhaps",
            _ => "",
        };
        table.styled(
            Style::new().fg_color(color.map(Into::into)),
            [change.action.clone(), change.logical_id.clone(), change.resource_type.clone(), replaced.to_owned()],
        );
    }
    table
}

/// The capability that CloudFormation wants [acknowledged][aws]: none, that IAM changes, or that
/// IAM changes with names of our own, which could exist already.
///
/// [aws]: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
fn capability(template: &Template) -> Option<Capability> {
    const NAMES: [&str; 5] = ["RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"];
    let resources = template.value()["Resources"].as_object().into_iter().flatten().map(|(_, resource)| resource);
    let iam = resources.filter(|one| one["Type"].as_str().is_some_and(|kind| kind.starts_with("AWS::IAM::")));
    let named = |one: &Value| NAMES.iter().any(|name| one["Properties"].get(name).is_some());
    let named: Vec<_> = iam.map(named).collect();
    let acknowledged = if named.contains(&true) { Capability::CapabilityNamedIam } else { Capability::CapabilityIam };
    (!named.is_empty()).then_some(acknowledged)
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::ResourceChange;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_needed_is_acknowledged() {
        let with = |resource: Value| capability(&json!({ "Resources": { "R": resource } }).into());
        assert_eq!(with(json!({ "Type": "AWS::SQS::Queue" })), None);
        let policies = json!([{ "PolicyName": "p" }]);
        let unnamed = json!({ "Type": "AWS::IAM::Role", "Properties": { "Policies": policies } });
        assert_eq!(with(unnamed), Some(Capability::CapabilityIam));
        let named = json!({ "Type": "AWS::IAM::Role", "Properties": { "RoleName": "r" } });
        assert_eq!(with(named), Some(Capability::CapabilityNamedIam));
    }

    fn told(action: ChangeAction, id: &str, replacement: Option<Replacement>) -> types::Change {
        let change = ResourceChange::builder()
            .action(action)
            .logical_resource_id(id)
            .resource_type("AWS::SQS::Queue")
            .set_replacement(replacement);
        types::Change::builder().resource_change(change.build()).build()
    }

    #[test]
    fn removals_are_listed_first() {
        let mut changes: Vec<_> = [
            told(ChangeAction::Add, "New", None),
            told(ChangeAction::Modify, "Touched", Some(Replacement::False)),
            told(ChangeAction::Modify, "MadeAnew", Some(Replacement::True)),
            told(ChangeAction::Modify, "Unclear", Some(Replacement::Conditional)),
            told(ChangeAction::Remove, "Gone", Some(Replacement::False)),
            types::Change::builder().build(),
        ]
        .iter()
        .filter_map(change)
        .collect();
        changes.sort_by_key(|change| (urgency(&change.action), change.logical_id.clone()));
        insta::assert_snapshot!(table(&changes).render().plain(), @"
        Action  Logical id  Type             Replacement
        Remove  Gone        AWS::SQS::Queue
        Modify  MadeAnew    AWS::SQS::Queue  yes
        Modify  Touched     AWS::SQS::Queue
        Modify  Unclear     AWS::SQS::Queue  perhaps
        Add     New         AWS::SQS::Queue
        ");
    }

    #[test]
    fn empty_change_set_is_recognised() {
        for reason in [
            "The submitted information didn't contain changes. Submit different information to create a change set.",
            "No updates are to be performed.",
        ] {
            assert!(is_empty(reason), "{reason}");
        }
        assert!(!is_empty("Parameters: [Needed] must have values"));
    }

    #[test]
    fn unique_names_satisfy_cloudformation() {
        let names = [unique_name(), unique_name()];
        assert_ne!(names[0], names[1]);
        let fits = |name: &String| name.len() < 128 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        assert!(names.iter().all(fits), "{names:?}");
    }
}
