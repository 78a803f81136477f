//! [`AWS::Lambda::Permission`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-permission.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;

use super::Function;
use crate::{Handle, Resource, Value};

/// Lets a service invoke a function, on behalf of one source only.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Permission {
    action: &'static str,
    function_name: Value<Arn<Function>>,
    principal: &'static str,
    source_arn: Value<String>,
}

impl Permission {
    /// Lets `service`, such as `apigateway.amazonaws.com`, invoke `function` for `source`.
    pub fn invoke(function: &Handle<Function>, service: &'static str, source: Value<String>) -> Self {
        Self { action: "lambda:InvokeFunction", function_name: function.arn(), principal: service, source_arn: source }
    }
}

impl Resource for Permission {
    const TYPE: &'static str = "AWS::Lambda::Permission";
}
