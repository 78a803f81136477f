//! [`AWS::EC2::SecurityGroup`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html).

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{Handle, Resource, Value};

/// A security group without inbound connections.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SecurityGroup {
    group_description: String,
    vpc_id: Value<String>,
    security_group_egress: Json,
}

impl SecurityGroup {
    /// Allows TCP to any address, and DNS over UDP: a VPC's own DNS servers need no rule, other
    /// ones do. `why` describes the TCP rule in the console.
    pub fn outgoing_tcp(description: &str, vpc: Value<String>, why: &str) -> Self {
        let to_any = |protocol: &str, first: u16, last: u16, why: &str| json!({ "IpProtocol": protocol, "FromPort": first, "ToPort": last, "CidrIp": "0.0.0.0/0", "Description": why });
        Self {
            group_description: description.to_owned(),
            vpc_id: vpc,
            security_group_egress: json!([
                to_any("tcp", 1, 65535, why),
                to_any("udp", 53, 53, "DNS servers, where the VPC has its own"),
            ]),
        }
    }
}

impl Resource for SecurityGroup {
    const TYPE: &'static str = "AWS::EC2::SecurityGroup";
}

impl Handle<SecurityGroup> {
    /// The group's ID.
    pub fn group_id(&self) -> Value<String> {
        self.attribute("GroupId")
    }
}
