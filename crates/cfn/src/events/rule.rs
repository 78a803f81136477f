//! [`AWS::Events::Rule`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{Handle, Resource, Value, lambda::Function};

/// Invokes a function regularly, with an event that has the time of the run in it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Rule {
    description: String,
    schedule_expression: Value<String>,
    state: &'static str,
    targets: [Target; 1],
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Target {
    id: &'static str,
    arn: Value<Arn<Function>>,
    input_transformer: InputTransformer,
    retry_policy: Json,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct InputTransformer {
    input_paths_map: Json,
    input_template: Value<String>,
}

/// What stands in an input for the time at which a run is due.
pub const TIME: &str = "<time>";

impl Rule {
    /// Invokes `function` by a [schedule
    /// expression](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html)
    /// with this JSON, in which [`TIME`] stands for the time. A run that can't begin is given up
    /// after `patience` seconds (60 to 86,400): the next one takes its place.
    pub fn scheduled(
        description: &str,
        schedule: Value<String>,
        function: &Handle<Function>,
        input: Value<String>,
        patience: u32,
    ) -> Self {
        let target = Target {
            id: "Function",
            arn: function.arn(),
            input_transformer: InputTransformer { input_paths_map: json!({ "time": "$.time" }), input_template: input },
            retry_policy: json!({ "MaximumEventAgeInSeconds": patience }),
        };
        Self { description: description.to_owned(), schedule_expression: schedule, state: "ENABLED", targets: [target] }
    }
}

impl Resource for Rule {
    const TYPE: &'static str = "AWS::Events::Rule";
}

impl Handle<Rule> {
    /// The rule's ARN.
    pub fn arn(&self) -> Value<Arn<Rule>> {
        self.attribute("Arn")
    }
}
