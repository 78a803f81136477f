//! [`AWS::ApiGateway::Resource`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-resource.html).

use schemars::JsonSchema;
use serde::Serialize;

use super::RestApi;
use crate::{Handle, Resource, Value};

/// A path of an API, directly below its root.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ApiResource {
    rest_api_id: Value<String>,
    parent_id: Value<String>,
    path_part: String,
}

impl ApiResource {
    /// The path `/{part}` of `api`.
    pub fn new(api: &Handle<RestApi>, part: &str) -> Self {
        Self { rest_api_id: api.api_id(), parent_id: api.root_resource_id(), path_part: part.to_owned() }
    }
}

impl Resource for ApiResource {
    const TYPE: &'static str = "AWS::ApiGateway::Resource";
}

impl Handle<ApiResource> {
    pub(super) fn resource_id(&self) -> Value<String> {
        self.reference()
    }
}
