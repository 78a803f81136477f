//! [`AWS::SNS::TopicPolicy`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topicpolicy.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;

use super::Topic;
use crate::{
    Handle, Resource, Value,
    iam::{PolicyDocument, Statement},
};

/// The policy on a topic.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct TopicPolicy {
    topics: Vec<Value<Arn<Topic>>>,
    policy_document: PolicyDocument,
}

impl TopicPolicy {
    /// Denies publishing without TLS, whatever the caller's rights, and adds `statement`. SNS
    /// accepts no wildcard for the action.
    pub fn tls_only_and(topic: &Handle<Topic>, statement: Statement) -> Self {
        let deny = Statement::deny_without_tls("sns:Publish", vec![topic.arn().meaning()]);
        Self { topics: vec![topic.arn()], policy_document: PolicyDocument::new([deny, statement]) }
    }
}

impl Resource for TopicPolicy {
    const TYPE: &'static str = "AWS::SNS::TopicPolicy";
}
