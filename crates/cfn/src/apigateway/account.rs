//! [`AWS::ApiGateway::Account`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-account.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Handle, Resource, Value, iam::Role};

/// The role by which API Gateway writes logs: one setting for an account and a region, shared by
/// all its APIs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Account {
    cloud_watch_role_arn: Value<Arn<Role>>,
}

impl Account {
    /// Sets `role` as the log role.
    pub fn logging_by(role: &Handle<Role>) -> Self {
        Self { cloud_watch_role_arn: role.arn() }
    }
}

impl Resource for Account {
    const TYPE: &'static str = "AWS::ApiGateway::Account";
}
