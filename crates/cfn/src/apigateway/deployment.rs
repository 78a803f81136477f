//! [`AWS::ApiGateway::Deployment`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-deployment.html):
//! a snapshot of an API. A stage serves its old snapshot until there is a new one, so a changed API
//! needs a deployment with another logical ID.

use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Method, RestApi};
use crate::{Attributes, Handle, Resource, Stack, Value};

/// A snapshot of an API.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Deployment {
    rest_api_id: Value<String>,
}

impl Deployment {
    /// Adds a deployment of `api` with these methods to the stack. Its logical ID ends in a digest
    /// of everything in the snapshot: the API, its paths and its methods.
    pub fn add(stack: &mut Stack, id: &str, api: &Handle<RestApi>, methods: &[Handle<Method>]) -> Handle<Self> {
        let digest = Sha256::digest(stack.resources_as_text("AWS::ApiGateway::"));
        let id = format!("{id}{}", hex::encode(&digest[..4]));
        let attributes = methods.iter().fold(Attributes::default(), Attributes::after);
        stack.add_with(&id, Self { rest_api_id: api.api_id() }, attributes)
    }
}

impl Resource for Deployment {
    const TYPE: &'static str = "AWS::ApiGateway::Deployment";
}

impl Handle<Deployment> {
    pub(super) fn deployment_id(&self) -> Value<String> {
        self.reference()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(description: &str) -> String {
        let mut stack = Stack::new("");
        let api = stack.add("Api", RestApi::regional("api".into(), description));
        Deployment::add(&mut stack, "Deployment", &api, &[]).id().to_owned()
    }

    #[test]
    fn another_api_has_another_deployment() {
        assert_eq!(id("one"), id("one"));
        assert_ne!(id("one"), id("two"));
    }
}
