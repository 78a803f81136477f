//! [`AWS::ApiGateway::RequestValidator`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-requestvalidator.html).

use schemars::JsonSchema;
use serde::Serialize;

use super::RestApi;
use crate::{Handle, Resource, Value};

/// Refuses a request without the parameters that its method requires, before a function runs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct RequestValidator {
    rest_api_id: Value<String>,
    name: String,
    validate_request_body: bool,
    validate_request_parameters: bool,
}

impl RequestValidator {
    /// Checks headers and query, not the body.
    pub fn of_parameters(api: &Handle<RestApi>) -> Self {
        Self {
            rest_api_id: api.api_id(),
            name: "parameters".to_owned(),
            validate_request_body: false,
            validate_request_parameters: true,
        }
    }
}

impl Resource for RequestValidator {
    const TYPE: &'static str = "AWS::ApiGateway::RequestValidator";
}

impl Handle<RequestValidator> {
    pub(super) fn validator_id(&self) -> Value<String> {
        self.reference()
    }
}
