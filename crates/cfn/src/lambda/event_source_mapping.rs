//! [`AWS::Lambda::EventSourceMapping`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;

use super::Function;
use crate::{Handle, Resource, Value, sqs::Queue};

/// Invokes a function with messages from a queue, one at a time; the function reports failed
/// messages.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct EventSourceMapping {
    event_source_arn: Value<Arn<Queue>>,
    function_name: Value<Arn<Function>>,
    batch_size: u16,
    function_response_types: [&'static str; 1],
    scaling_config: ScalingConfig,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct ScalingConfig {
    maximum_concurrency: Value<String>,
}

impl EventSourceMapping {
    /// `queue` invokes `function`, with at most `concurrency` (2 to 1,000) invocations at once.
    /// Without the limit the pollers receive more messages than the account may run invocations,
    /// and a throttled one counts as a try ([maximum
    /// concurrency](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html#events-sqs-max-concurrency)).
    pub fn new(queue: &Handle<Queue>, function: &Handle<Function>, concurrency: Value<String>) -> Self {
        Self {
            event_source_arn: queue.arn(),
            function_name: function.arn(),
            batch_size: 1,
            function_response_types: ["ReportBatchItemFailures"],
            scaling_config: ScalingConfig { maximum_concurrency: concurrency },
        }
    }
}

impl Resource for EventSourceMapping {
    const TYPE: &'static str = "AWS::Lambda::EventSourceMapping";
}
