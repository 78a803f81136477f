//! [`AWS::ApiGateway::DomainName`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-domainname.html)
//! and what maps it to a stage.

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{RestApi, Stage};
use crate::{Handle, Resource, Value, certificatemanager::Certificate};

/// A domain of the user's own, for TLS 1.2 and newer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DomainName {
    domain_name: Value<String>,
    regional_certificate_arn: Value<Arn<Certificate>>,
    endpoint_configuration: Json,
    security_policy: &'static str,
}

impl DomainName {
    /// The domain `name`, with its certificate.
    pub fn regional(name: Value<String>, certificate: &Handle<Certificate>) -> Self {
        Self {
            domain_name: name,
            regional_certificate_arn: certificate.arn(),
            endpoint_configuration: json!({ "Types": ["REGIONAL"] }),
            security_policy: "TLS_1_2",
        }
    }
}

impl Resource for DomainName {
    const TYPE: &'static str = "AWS::ApiGateway::DomainName";
}

impl Handle<DomainName> {
    /// The name that the domain's own DNS record has to point to.
    pub fn regional_domain_name(&self) -> Value<String> {
        self.attribute("RegionalDomainName")
    }

    fn domain(&self) -> Value<String> {
        self.reference()
    }
}

/// Serves a stage at the root of a domain.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct BasePathMapping {
    domain_name: Value<String>,
    rest_api_id: Value<String>,
    stage: Value<String>,
}

impl BasePathMapping {
    /// Maps `https://{domain}/` to the stage of `api`.
    pub fn new(domain: &Handle<DomainName>, api: &Handle<RestApi>, stage: &Handle<Stage>) -> Self {
        Self { domain_name: domain.domain(), rest_api_id: api.api_id(), stage: stage.stage_name() }
    }
}

impl Resource for BasePathMapping {
    const TYPE: &'static str = "AWS::ApiGateway::BasePathMapping";
}
