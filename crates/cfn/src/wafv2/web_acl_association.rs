//! [`AWS::WAFv2::WebACLAssociation`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-wafv2-webaclassociation.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Handle, Resource, Value,
    apigateway::{RestApi, Stage},
};

/// Puts a web ACL in front of a stage.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct WebAclAssociation {
    resource_arn: Value<Arn<Stage>>,
    #[serde(rename = "WebACLArn")]
    web_acl_arn: Value<String>,
}

impl WebAclAssociation {
    /// Lets the web ACL filter the requests to the stage.
    pub fn of_stage(stage: &Handle<Stage>, api: &Handle<RestApi>, web_acl_arn: Value<String>) -> Self {
        Self { resource_arn: stage.arn(api), web_acl_arn }
    }
}

impl Resource for WebAclAssociation {
    const TYPE: &'static str = "AWS::WAFv2::WebACLAssociation";
}
