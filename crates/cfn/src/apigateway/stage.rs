//! [`AWS::ApiGateway::Stage`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-stage.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{Deployment, RestApi};
use crate::{Handle, Resource, Value, logs::LogGroup, pseudo, sub};

/// A stage that is throttled and writes an access log.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Stage {
    rest_api_id: Value<String>,
    deployment_id: Value<String>,
    stage_name: String,
    access_log_setting: Json,
    method_settings: Json,
}

impl Stage {
    /// Serves `deployment` under `/{name}`, for all callers together `rate` requests a second and
    /// `burst` at once.
    pub fn new(
        name: &str,
        api: &Handle<RestApi>,
        deployment: &Handle<Deployment>,
        access_log: &Handle<LogGroup>,
        (rate, burst): (u32, u32),
    ) -> Self {
        // The access log requires the ARN without the `:*` at the end of the log group's attribute.
        let destination: Value<String> = pseudo::arn("logs", ["log-group:".into(), access_log.name().into()]);
        let format = json!({
            "requestId": "$context.requestId",
            "time": "$context.requestTime",
            "ip": "$context.identity.sourceIp",
            "method": "$context.httpMethod",
            "path": "$context.path",
            "status": "$context.status",
            "responseLength": "$context.responseLength",
            "integrationStatus": "$context.integration.status",
            "integrationLatency": "$context.integration.latency",
            "error": "$context.error.message",
        });
        Self {
            rest_api_id: api.api_id(),
            deployment_id: deployment.deployment_id(),
            stage_name: name.to_owned(),
            access_log_setting: json!({ "DestinationArn": destination, "Format": format.to_string() }),
            method_settings: json!([{
                "ResourcePath": "/*",
                "HttpMethod": "*",
                "ThrottlingRateLimit": rate,
                "ThrottlingBurstLimit": burst,
                "MetricsEnabled": true,
                "LoggingLevel": "ERROR",
                "DataTraceEnabled": false,
            }]),
        }
    }
}

impl Resource for Stage {
    const TYPE: &'static str = "AWS::ApiGateway::Stage";
}

impl Handle<Stage> {
    /// The stage's name.
    pub fn stage_name(&self) -> Value<String> {
        self.reference()
    }

    /// The
    /// [ARN](https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html)
    /// of this stage of `api`. It names no account, and CloudFormation has no attribute for it.
    pub fn arn(&self, api: &Handle<RestApi>) -> Value<Arn<Stage>> {
        sub([
            "arn:".into(),
            pseudo::partition().into(),
            ":apigateway:".into(),
            pseudo::region().into(),
            "::/restapis/".into(),
            api.api_id().into(),
            "/stages/".into(),
            self.stage_name().into(),
        ])
    }
}
