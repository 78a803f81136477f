//! The list of modelled resource types, each with the JSON Schema of its properties: what a test holds against
//! [CloudFormation's registry](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/resource-type-schemas.html),
//! so that a misspelt property fails the build and not a deployment. A new type is one more line here.

use schemars::{JsonSchema, Schema, schema_for};

use crate::{Resource, apigateway, certificatemanager, ec2, iam, kms, lambda, logs, s3, secretsmanager, sqs};

/// A modelled type.
#[derive(Debug, Clone)]
pub struct Type {
    /// Its name, such as `AWS::S3::Bucket`.
    pub name: &'static str,
    /// The properties that the model can write.
    pub schema: Schema,
}

fn of<R: Resource + JsonSchema>() -> Type {
    Type { name: R::TYPE, schema: schema_for!(R) }
}

/// Every modelled type but custom resources, whose properties are their function's affair.
pub fn types() -> Vec<Type> {
    vec![
        of::<apigateway::Account>(),
        of::<apigateway::ApiResource>(),
        of::<apigateway::BasePathMapping>(),
        of::<apigateway::Deployment>(),
        of::<apigateway::DomainName>(),
        of::<apigateway::Method>(),
        of::<apigateway::RequestValidator>(),
        of::<apigateway::RestApi>(),
        of::<apigateway::Stage>(),
        of::<certificatemanager::Certificate>(),
        of::<ec2::SecurityGroup>(),
        of::<iam::Role>(),
        of::<kms::Alias>(),
        of::<kms::Key>(),
        of::<lambda::EventSourceMapping>(),
        of::<lambda::Function>(),
        of::<lambda::Permission>(),
        of::<logs::LogGroup>(),
        of::<s3::Bucket>(),
        of::<s3::BucketPolicy>(),
        of::<secretsmanager::Secret>(),
        of::<sqs::Queue>(),
        of::<sqs::QueuePolicy>(),
    ]
}
