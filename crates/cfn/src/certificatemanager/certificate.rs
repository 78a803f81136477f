//! [`AWS::CertificateManager::Certificate`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-certificatemanager-certificate.html).

use aws_names::Arn;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Handle, Resource, Value};

/// A public certificate. Its creation waits for the validation record in the domain's DNS.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Certificate {
    domain_name: Value<String>,
    validation_method: &'static str,
}

impl Certificate {
    /// A certificate for one domain, validated by DNS.
    pub fn by_dns(domain: Value<String>) -> Self {
        Self { domain_name: domain, validation_method: "DNS" }
    }
}

impl Resource for Certificate {
    const TYPE: &'static str = "AWS::CertificateManager::Certificate";
}

impl Handle<Certificate> {
    /// The certificate's ARN.
    pub fn arn(&self) -> Value<Arn<Certificate>> {
        self.reference()
    }
}
