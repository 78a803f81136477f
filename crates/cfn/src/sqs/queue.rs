//! [`AWS::SQS::Queue`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html).

use aws_names::{Arn, QueueUrl};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    Handle, Resource, Value,
    iam::{Grant, Role},
};

/// A FIFO queue, encrypted with SQS's own keys.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Queue {
    queue_name: Value<String>,
    fifo_queue: bool,
    deduplication_scope: &'static str,
    fifo_throughput_limit: &'static str,
    sqs_managed_sse_enabled: bool,
    /// How long an undeleted message is kept, in seconds (60 to 1,209,600).
    pub message_retention_period: u32,
    /// How long a received message is hidden from others, in seconds (0 to 43,200).
    pub visibility_timeout: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_policy: Option<Json>,
}

impl Queue {
    /// A queue in which only messages of the same group wait for one another ([high
    /// throughput](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html)).
    ///
    /// `name` ends in `.fifo` and has at most 80 characters. It isn't left to CloudFormation, which
    /// shortens generated names to 80 characters and then adds `.fifo`: SQS refuses them if the
    /// stack's name has 40 characters or more.
    pub fn fifo(name: Value<String>) -> Self {
        Self {
            queue_name: name,
            fifo_queue: true,
            deduplication_scope: "messageGroup",
            fifo_throughput_limit: "perMessageGroupId",
            sqs_managed_sse_enabled: true,
            message_retention_period: 1_209_600,
            visibility_timeout: 30,
            redrive_policy: None,
        }
    }

    /// Moves a message to `dead_letters` after `receives` (1 to 1,000) failed tries.
    #[must_use]
    pub fn dead_letters_to(mut self, dead_letters: &Handle<Queue>, receives: u16) -> Self {
        self.redrive_policy = Some(json!({ "deadLetterTargetArn": dead_letters.arn(), "maxReceiveCount": receives }));
        self
    }
}

impl Resource for Queue {
    const TYPE: &'static str = "AWS::SQS::Queue";
}

impl Handle<Queue> {
    /// The queue's URL.
    pub fn url(&self) -> Value<QueueUrl> {
        self.reference()
    }

    /// The queue's ARN.
    pub fn arn(&self) -> Value<Arn<Queue>> {
        self.attribute("Arn")
    }

    /// The queue's name.
    pub fn name(&self) -> Value<String> {
        self.attribute("QueueName")
    }

    /// Lets `role` do these actions on the queue.
    pub fn grant(&self, role: &mut Role, grant: Grant) {
        role.grant(self.id(), grant, self.arn().meaning());
    }
}
