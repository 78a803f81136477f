//! [`AWS::Logs::LogGroup`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Handle, Resource, Value,
    iam::{Action, Evidence, Grant, Role},
};

/// A log group with a retention period.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct LogGroup {
    log_group_name: Value<String>,
    retention_in_days: u16,
}

impl LogGroup {
    /// A group that keeps events for one of the [numbers of
    /// days](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html)
    /// that AWS allows.
    pub fn new(name: Value<String>, retention_in_days: u16) -> Self {
        Self { log_group_name: name, retention_in_days }
    }
}

impl Resource for LogGroup {
    const TYPE: &'static str = "AWS::Logs::LogGroup";
}

impl Handle<LogGroup> {
    /// The group's name.
    pub fn name(&self) -> Value<String> {
        self.reference()
    }

    /// The group's ARN, which ends in `:*`: its streams.
    pub fn arn(&self) -> Value<Arn<LogGroup>> {
        self.attribute("Arn")
    }

    /// Lets `role` write to the group.
    pub fn grant_write(&self, role: &mut Role, reason: &'static str, evidence: Evidence) {
        let actions = [Action::LogsCreateLogStream, Action::LogsPutLogEvents];
        role.grant("Logs", Grant::because(reason, evidence, &actions), self.arn().meaning());
    }
}
