//! [`AWS::CloudWatch::Alarm`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Resource, Value, sns::Topic};

/// A metric that a service publishes about a resource, or that counts log lines.
#[derive(Debug)]
pub struct Metric {
    /// The namespace, such as `AWS/SQS`.
    pub namespace: Value<String>,
    /// The metric's name.
    pub name: &'static str,
    /// The resource that it describes.
    pub dimensions: Vec<Dimension>,
    /// How the values of a period are combined.
    pub statistic: Statistic,
    /// The length of a period in seconds: 10, 20, 30, or a multiple of 60.
    pub period: u32,
}

/// A dimension of a metric.
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

/// How the values of a period are combined.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub enum Statistic {
    /// The largest: for values that are sampled, such as a queue's length.
    Maximum,
    /// Their sum: for counts, such as errors.
    Sum,
}

/// What a period without a value means.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MissingData {
    /// Nothing happened: for counts, which are published only when there is something to count.
    NotBreaching,
    /// Nothing was measured: the alarm keeps its state.
    Ignore,
    /// Something that should have happened didn't.
    Breaching,
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
    /// An alarm that fires when the metric is above `threshold` in one period.
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

    /// An alarm that fires when the metric stays at 0 for so many periods.
    pub fn absent_for(periods: u16, metric: Metric) -> Self {
        Self {
            evaluation_periods: periods,
            comparison_operator: "LessThanOrEqualToThreshold",
            ..Self::above(0, metric, MissingData::Breaching)
        }
    }

    /// Sets the name, by which policies tell it from the account's other alarms, and the
    /// description that its notifications contain.
    #[must_use]
    pub fn named(mut self, name: Value<String>, description: &str) -> Self {
        self.alarm_name = name;
        description.clone_into(&mut self.alarm_description);
        self
    }

    /// Notifies `topic`, or nobody if the value is [`Value::none`].
    #[must_use]
    pub fn telling(mut self, topic: Value<Arn<Topic>>) -> Self {
        self.alarm_actions.push(topic);
        self
    }
}

impl Resource for Alarm {
    const TYPE: &'static str = "AWS::CloudWatch::Alarm";
}
