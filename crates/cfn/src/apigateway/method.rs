//! [`AWS::ApiGateway::Method`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-method.html).

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{ApiResource, RequestValidator, RestApi};
use crate::{Handle, Resource, Value, lambda::Function, pseudo, sub};

/// A method that passes the request to a function unchanged (`AWS_PROXY`). The function
/// authenticates the caller: each Git host signs webhooks in its own way.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Method {
    rest_api_id: Value<String>,
    resource_id: Value<String>,
    http_method: &'static str,
    authorization_type: &'static str,
    request_validator_id: Value<String>,
    request_parameters: Map<String, Json>,
    integration: Json,
}

impl Method {
    /// Lets `POST` on `path` invoke `function` if the required header is present.
    pub fn post(
        api: &Handle<RestApi>,
        path: &Handle<ApiResource>,
        validator: &Handle<RequestValidator>,
        header: &str,
        function: &Handle<Function>,
    ) -> Self {
        let uri: Value<String> = sub([
            "arn:".into(),
            pseudo::partition().into(),
            ":apigateway:".into(),
            pseudo::region().into(),
            ":lambda:path/2015-03-31/functions/".into(),
            function.arn().into(),
            "/invocations".into(),
        ]);
        Self {
            rest_api_id: api.api_id(),
            resource_id: path.resource_id(),
            http_method: "POST",
            authorization_type: "NONE",
            request_validator_id: validator.validator_id(),
            request_parameters: Map::from_iter([(format!("method.request.header.{header}"), true.into())]),
            integration: json!({ "Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": uri }),
        }
    }
}

impl Resource for Method {
    const TYPE: &'static str = "AWS::ApiGateway::Method";
}
