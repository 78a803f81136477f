//! [`AWS::EC2::SecurityGroup`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html).

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{Handle, Resource, Value};

/// A group of network interfaces that nothing can connect to.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SecurityGroup {
    group_description: String,
    vpc_id: Value<String>,
    security_group_egress: Json,
}

impl SecurityGroup {
    /// May connect to any address by TCP. `why` explains it in the console.
    pub fn outgoing_tcp(description: &str, vpc: Value<String>, why: &str) -> Self {
        Self {
            group_description: description.to_owned(),
            vpc_id: vpc,
            security_group_egress: json!([{
                "IpProtocol": "tcp",
                "FromPort": 1,
                "ToPort": 65535,
                "CidrIp": "0.0.0.0/0",
                "Description": why,
            }]),
        }
    }
}

impl Resource for SecurityGroup {
    const TYPE: &'static str = "AWS::EC2::SecurityGroup";
}

impl Handle<SecurityGroup> {
    /// The group's id.
    pub fn group_id(&self) -> Value<String> {
        self.attribute("GroupId")
    }
}
