//! [`AWS::IAM::Policy`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-policy.html):
//! rights that are added to roles and removed separately. An update changes a role before the
//! functions that use it, so a right that a condition removes from a role is gone while it is still
//! needed. A separate policy is deleted last, after everything that depends on it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{Grant, PolicyDocument, Right, Role};
use crate::{Handle, Resource, Value};

/// Rights that exist only under a condition, or that have to outlive what uses them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    policy_name: String,
    policy_document: PolicyDocument,
    roles: Vec<Value<String>>,
    #[serde(skip)]
    of: Vec<String>,
    #[serde(skip)]
    grant: Grant,
    #[serde(skip)]
    resource: Value<String>,
    /// Why it is every resource.
    #[serde(skip)]
    reason: Option<String>,
}

impl Policy {
    /// Lets the roles do the actions on every resource. `reason` says why on every one; it is
    /// written to the template's metadata.
    pub fn on_all(name: &str, roles: &[&Handle<Role>], grant: Grant, reason: &str) -> Self {
        Self { reason: Some(format!("{name}: {reason}")), ..Self::on(name, roles, grant, "*".into()) }
    }

    /// Lets the roles do the actions on a resource.
    pub fn on(name: &str, roles: &[&Handle<Role>], grant: Grant, resource: Value<String>) -> Self {
        Self {
            policy_name: name.to_owned(),
            policy_document: PolicyDocument::new([grant.statement(name, resource.clone())]),
            roles: roles.iter().map(|role| role.name()).collect(),
            of: roles.iter().map(|role| role.id().to_owned()).collect(),
            grant,
            resource,
            reason: None,
        }
    }

    /// The same only if the condition key has this value.
    #[must_use]
    pub fn when(mut self, operator: &str, key: &str, value: &Value<String>) -> Self {
        self.policy_document = self.policy_document.when(operator, key, value);
        self
    }
}

impl Resource for Policy {
    const TYPE: &'static str = "AWS::IAM::Policy";

    fn metadata(&self) -> Map<String, Json> {
        self.reason.iter().map(|reason| ("WildcardResource".to_owned(), reason.as_str().into())).collect()
    }

    fn rights(&self, _: &str) -> Vec<Right> {
        self.of.iter().flat_map(|role| self.grant.rights(role, &self.resource)).collect()
    }
}
