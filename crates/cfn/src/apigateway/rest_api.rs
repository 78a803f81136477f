//! [`AWS::ApiGateway::RestApi`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-restapi.html).

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{Handle, Resource, Value};

/// A regional REST API that passes every body on unchanged.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct RestApi {
    name: Value<String>,
    description: String,
    endpoint_configuration: Json,
    binary_media_types: [&'static str; 1],
}

impl RestApi {
    /// An API of this name. All media types count as binary: a signature is over the bytes that
    /// were sent, so no conversion may touch them.
    pub fn regional(name: Value<String>, description: &str) -> Self {
        Self {
            name,
            description: description.to_owned(),
            endpoint_configuration: json!({ "Types": ["REGIONAL"] }),
            binary_media_types: ["*/*"],
        }
    }
}

impl Resource for RestApi {
    const TYPE: &'static str = "AWS::ApiGateway::RestApi";
}

impl Handle<RestApi> {
    /// The API's ID.
    pub fn api_id(&self) -> Value<String> {
        self.reference()
    }

    /// The ID of the root resource, `/`.
    pub fn root_resource_id(&self) -> Value<String> {
        self.attribute("RootResourceId")
    }
}
