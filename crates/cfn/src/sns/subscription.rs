//! [`AWS::SNS::Subscription`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-subscription.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;

use super::Topic;
use crate::{Handle, Resource, Value};

/// A subscription to a topic.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Subscription {
    topic_arn: Value<Arn<Topic>>,
    protocol: &'static str,
    endpoint: Value<String>,
}

impl Subscription {
    /// Sends mail to `address`, after its owner has confirmed.
    pub fn by_email(topic: &Handle<Topic>, address: Value<String>) -> Self {
        Self { topic_arn: topic.arn(), protocol: "email", endpoint: address }
    }
}

impl Resource for Subscription {
    const TYPE: &'static str = "AWS::SNS::Subscription";
}
