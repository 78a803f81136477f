//! [`AWS::IAM::Policy`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-policy.html):
//! rights that are added to roles and removed separately. An update changes a role before the
//! functions that use it, so a right that a condition removes from a role is gone while it is still
//! needed. A separate policy is deleted last, after everything that depends on it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{Grant, PolicyDocument, Right, Role};
use crate::{Handle, Resource, Value};

/// Rights on every resource, for actions that support no resource.
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
    reason: String,
}

impl Policy {
    /// Lets the roles do the actions on every resource. `reason` says why on every one; it is
    /// written to the template's metadata.
    pub fn on_all(name: &str, roles: &[&Handle<Role>], grant: Grant, reason: &str) -> Self {
        Self {
            policy_name: name.to_owned(),
            policy_document: PolicyDocument::new([grant.statement(name, "*".into())]),
            roles: roles.iter().map(|role| role.name()).collect(),
            of: roles.iter().map(|role| role.id().to_owned()).collect(),
            grant,
            reason: format!("{name}: {reason}"),
        }
    }
}

impl Resource for Policy {
    const TYPE: &'static str = "AWS::IAM::Policy";

    fn metadata(&self) -> Map<String, Json> {
        Map::from_iter([("WildcardResource".to_owned(), self.reason.clone().into())])
    }

    fn rights(&self, _: &str) -> Vec<Right> {
        let all = "*".into();
        self.of.iter().flat_map(|role| self.grant.rights(role, &all)).collect()
    }
}
