//! The list of modelled resource types, each with the JSON Schema of its properties and its
//! create-only properties. A test compares both with [CloudFormation's
//! registry](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/resource-type-schemas.html),
//! so that a misspelt property fails the build and not a deployment. A new type is one more line
//! here.

use schemars::{JsonSchema, Schema, schema_for};

use crate::{
    Resource, apigateway, certificatemanager, cloudwatch, ec2, events, iam, kms, lambda, logs, s3, secretsmanager, sns,
    sqs, wafv2,
};

/// A modelled type.
#[derive(Debug, Clone)]
pub struct Type {
    /// Its name, such as `AWS::S3::Bucket`.
    pub name: &'static str,
    /// The properties that the model can write.
    pub schema: fn() -> Schema,
    /// The create-only properties, modelled or not, in the registry's notation: changing one
    /// replaces the resource.
    pub create_only: &'static [&'static str],
}

const fn of<R: Resource + JsonSchema>(create_only: &'static [&'static str]) -> Type {
    Type { name: R::TYPE, schema: || schema_for!(R), create_only }
}

/// The create-only properties of a type; empty for a type that isn't modelled.
pub fn create_only(kind: &str) -> &'static [&'static str] {
    TYPES.iter().find(|known| known.name == kind).map_or(&[], |known| known.create_only)
}

/// Every modelled type except custom resources, whose properties their functions define.
pub const TYPES: &[Type] = &[
    of::<apigateway::Account>(&[]),
    of::<apigateway::ApiResource>(&["ParentId", "PathPart", "RestApiId"]),
    of::<apigateway::BasePathMapping>(&["BasePath", "DomainName"]),
    of::<apigateway::Deployment>(&["DeploymentCanarySettings", "RestApiId"]),
    of::<apigateway::DomainName>(&["DomainName"]),
    of::<apigateway::Method>(&["HttpMethod", "ResourceId", "RestApiId"]),
    of::<apigateway::RequestValidator>(&["Name", "RestApiId"]),
    of::<apigateway::RestApi>(&[]),
    of::<apigateway::Stage>(&["RestApiId", "StageName"]),
    of::<certificatemanager::Certificate>(&[
        "CertificateAuthorityArn",
        "CertificateExport",
        "DomainName",
        "DomainValidationOptions",
        "KeyAlgorithm",
        "SubjectAlternativeNames",
    ]),
    of::<cloudwatch::Alarm>(&["AlarmName"]),
    of::<ec2::SecurityGroup>(&["GroupDescription", "GroupName", "VpcId"]),
    of::<events::Rule>(&["Name"]),
    of::<iam::Policy>(&[]),
    of::<iam::Role>(&["Path", "RoleName"]),
    of::<kms::Alias>(&["AliasName"]),
    of::<kms::Key>(&[]),
    of::<lambda::EventSourceMapping>(&[
        "EventSourceArn",
        "SelfManagedEventSource",
        "StartingPosition",
        "StartingPositionTimestamp",
    ]),
    of::<lambda::Function>(&["FunctionName", "PackageType", "TenancyConfig"]),
    of::<lambda::Permission>(&[
        "Action",
        "EventSourceToken",
        "FunctionName",
        "FunctionUrlAuthType",
        "InvokedViaFunctionUrl",
        "Principal",
        "PrincipalOrgID",
        "SourceAccount",
        "SourceArn",
    ]),
    of::<logs::LogGroup>(&["LogGroupName"]),
    of::<logs::MetricFilter>(&["FilterName", "LogGroupName"]),
    of::<s3::Bucket>(&["BucketName", "BucketNamePrefix", "BucketNamespace"]),
    of::<s3::BucketPolicy>(&["Bucket"]),
    of::<secretsmanager::Secret>(&["Name"]),
    of::<sns::Subscription>(&["Endpoint", "Protocol", "TopicArn"]),
    of::<sns::Topic>(&["FifoTopic", "TopicName"]),
    of::<sns::TopicPolicy>(&[]),
    of::<sqs::Queue>(&["FifoQueue", "QueueName"]),
    of::<sqs::QueuePolicy>(&[]),
    of::<wafv2::WebAclAssociation>(&["ResourceArn", "WebACLArn"]),
];
