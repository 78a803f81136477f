//! [`AWS::IAM::Role`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html):
//! grants are added to a role before it is added to the stack; after that it can't change.

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{Action, Grant, PolicyDocument, Principal, Right, Statement};
use crate::{Handle, Resource, Value, pseudo};

/// A role with inline rights: there is one place to audit, and nothing outside the stack can widen
/// them. Only conditional rights are in a separate [`Policy`](super::Policy).
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Role {
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Value<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<Value<String>>,
    assume_role_policy_document: PolicyDocument,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<InlinePolicy>,
    #[serde(skip)]
    granted: Vec<(Grant, Value<String>)>,
    #[serde(skip)]
    reasons: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct InlinePolicy {
    policy_name: String,
    policy_document: PolicyDocument,
}

impl Role {
    /// A role that a service assumes, without rights.
    pub fn for_service(service: &'static str, description: &str) -> Self {
        let trust = Statement::allow("Trust", &[Action::StsAssumeRole], Vec::new()).by(Principal::Service(service));
        Self {
            description: description.to_owned(),
            path: None,
            permissions_boundary: None,
            assume_role_policy_document: PolicyDocument::new([trust]),
            policies: Vec::new(),
            granted: Vec::new(),
            reasons: Vec::new(),
        }
    }

    /// A role for a Lambda function, without rights.
    pub fn for_function() -> Self {
        Self::for_service("lambda.amazonaws.com", "Rights of a function")
    }

    /// Sets the description that lists of roles show.
    #[must_use]
    pub fn described(mut self, description: &str) -> Self {
        description.clone_into(&mut self.description);
        self
    }

    /// Sets what the account's administrators may require of roles: a path, and a [permissions
    /// boundary](https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html).
    #[must_use]
    pub fn within(mut self, path: Value<String>, permissions_boundary: Value<String>) -> Self {
        (self.path, self.permissions_boundary) = (Some(path), Some(permissions_boundary));
        self
    }

    /// Adds rights on a resource.
    pub(crate) fn grant(&mut self, name: &str, grant: Grant, resource: Value<String>) {
        self.grant_only(name, grant, resource, |statement| statement);
    }

    /// Adds rights on a resource, under the conditions that `only` adds.
    pub(crate) fn grant_only(
        &mut self,
        name: &str,
        grant: Grant,
        resource: Value<String>,
        only: impl FnOnce(Statement) -> Statement,
    ) {
        let policy_document = PolicyDocument::new([only(grant.statement(name, resource.clone()))]);
        self.policies.push(InlinePolicy { policy_name: name.to_owned(), policy_document });
        self.granted.push((grant, resource));
    }

    /// Adds rights on the account's default event bus, for events of this source only ([condition
    /// keys](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html)).
    pub fn grant_on_event_bus(&mut self, source: &str, grant: Grant) {
        let bus = pseudo::arn("events", ["event-bus/default".into()]);
        self.grant_only("EventBus", grant, bus, |statement| {
            statement.when("StringEquals", "events:source", &source.into())
        });
    }

    /// Adds rights on every resource, for actions that support no resource. `reason` says why on
    /// every one; it is written to the template's metadata.
    pub fn grant_on_all(&mut self, name: &str, grant: Grant, reason: &str) {
        self.grant(name, grant, "*".into());
        self.reasons.push(format!("{name}: {reason}"));
    }
}

impl Resource for Role {
    const TYPE: &'static str = "AWS::IAM::Role";

    fn metadata(&self) -> Map<String, Json> {
        let reason = self.reasons.join("; ");
        Map::from_iter((!reason.is_empty()).then(|| ("WildcardResource".to_owned(), reason.into())))
    }

    fn rights(&self, id: &str) -> Vec<Right> {
        self.granted.iter().flat_map(|(grant, resource)| grant.rights(id, resource)).collect()
    }
}

impl Handle<Role> {
    /// The role's name.
    pub fn name(&self) -> Value<String> {
        self.reference()
    }

    /// The role's ARN.
    pub fn arn(&self) -> Value<Arn<Role>> {
        self.attribute("Arn")
    }
}
