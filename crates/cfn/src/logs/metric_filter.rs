//! [`AWS::Logs::MetricFilter`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-metricfilter.html).

use schemars::JsonSchema;
use serde::Serialize;

use super::LogGroup;
use crate::{Handle, Resource, Value};

/// Counts the log lines that match a pattern.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct MetricFilter {
    log_group_name: Value<String>,
    filter_pattern: &'static str,
    metric_transformations: [MetricTransformation; 1],
}

/// The metric, and the value that a line adds to it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct MetricTransformation {
    metric_namespace: Value<String>,
    metric_name: &'static str,
    metric_value: &'static str,
}

impl MetricFilter {
    /// Counts 1 for each line that
    /// [`pattern`](https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html)
    /// matches, and nothing if none does.
    pub fn counting(
        log: &Handle<LogGroup>,
        pattern: &'static str,
        namespace: Value<String>,
        name: &'static str,
    ) -> Self {
        let metric = MetricTransformation { metric_namespace: namespace, metric_name: name, metric_value: "1" };
        Self { log_group_name: log.name(), filter_pattern: pattern, metric_transformations: [metric] }
    }
}

impl Resource for MetricFilter {
    const TYPE: &'static str = "AWS::Logs::MetricFilter";
}
