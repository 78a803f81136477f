//! [`AWS::CloudWatch::Alarm`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Resource, Value, sns::Topic};

/// A metric: what a service keeps of one of its things, or what is counted in a log.
#[derive(Debug)]
pub struct Metric {
    /// The service, such as `AWS/SQS`, or who else keeps it.
    pub namespace: Value<String>,
    /// The metric.
    pub name: &'static str,
    /// Of which thing.
    pub dimensions: Vec<Dimension>,
    /// What of the values of a period counts.
    pub statistic: Statistic,
    /// How long a period is, in seconds: 10, 20, 30, or a multiple of 60.
    pub period: u32,
}

/// A part of what a metric is of.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Dimension {
    name: &'static str,
    value: Value<String>,
}

impl Dimension {
    /// The dimension of this name.
    pub fn new(name: &'static str, value: Value<String>) -> Self {
        Self { name, value }
    }
}

/// What of a period's values counts.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub enum Statistic {
    /// The largest: for what is looked at now and then, such as a queue's length.
    Maximum,
    /// All together: for what is counted, such as errors.
    Sum,
}

/// What a period without a value means.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MissingData {
    /// Nothing happened: for counts, which are told only where there is something to count.
    NotBreaching,
    /// Nobody looked: what was so still is.
    Ignore,
}

/// An alarm on one metric.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Alarm {
    alarm_name: Value<String>,
    alarm_description: String,
    namespace: Value<String>,
    metric_name: &'static str,
    dimensions: Vec<Dimension>,
    statistic: Statistic,
    period: u32,
    evaluation_periods: u16,
    threshold: u32,
    comparison_operator: &'static str,
    treat_missing_data: MissingData,
    alarm_actions: Vec<Value<Arn<Topic>>>,
}

impl Alarm {
    /// An alarm as soon as the metric is above `threshold` in one period.
    pub fn above(threshold: u32, metric: Metric, missing: MissingData) -> Self {
        let Metric { namespace, name, dimensions, statistic, period } = metric;
        Self {
            alarm_name: Value::none(),
            alarm_description: String::new(),
            namespace,
            metric_name: name,
            dimensions,
            statistic,
            period,
            evaluation_periods: 1,
            threshold,
            comparison_operator: "GreaterThanThreshold",
            treat_missing_data: missing,
            alarm_actions: Vec::new(),
        }
    }

    /// Its name, by which policies can tell it from other alarms of the account, and what it tells
    /// whoever it wakes.
    #[must_use]
    pub fn named(mut self, name: Value<String>, description: &str) -> Self {
        self.alarm_name = name;
        description.clone_into(&mut self.alarm_description);
        self
    }

    /// Tells `topic`, or nobody where the value is [`Value::none`].
    #[must_use]
    pub fn telling(mut self, topic: Value<Arn<Topic>>) -> Self {
        self.alarm_actions.push(topic);
        self
    }
}

impl Resource for Alarm {
    const TYPE: &'static str = "AWS::CloudWatch::Alarm";
}
