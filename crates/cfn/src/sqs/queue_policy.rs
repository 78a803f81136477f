//! [`AWS::SQS::QueuePolicy`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queuepolicy.html).

use aws_names::QueueUrl;
use schemars::JsonSchema;
use serde::Serialize;

use super::Queue;
use crate::{
    Handle, Resource, Value,
    iam::{PolicyDocument, Statement},
};

/// The policy on a queue.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct QueuePolicy {
    queues: Vec<Value<QueueUrl>>,
    policy_document: PolicyDocument,
}

impl QueuePolicy {
    /// Denies requests without TLS, whatever the caller's rights.
    pub fn tls_only(queue: &Handle<Queue>) -> Self {
        let deny = Statement::deny_without_tls("sqs:*", vec![queue.arn().meaning()]);
        Self { queues: vec![queue.url()], policy_document: PolicyDocument::new([deny]) }
    }
}

impl Resource for QueuePolicy {
    const TYPE: &'static str = "AWS::SQS::QueuePolicy";
}
