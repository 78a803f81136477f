//! [`AWS::S3::BucketPolicy`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucketpolicy.html).

use aws_names::BucketName;
use schemars::JsonSchema;
use serde::Serialize;

use super::Bucket;
use crate::{
    Handle, Resource, Value,
    iam::{PolicyDocument, Statement},
    sub,
};

/// The policy on a bucket.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct BucketPolicy {
    bucket: Value<BucketName>,
    policy_document: PolicyDocument,
}

impl BucketPolicy {
    /// Denies requests without TLS, whatever the caller's rights.
    pub fn tls_only(bucket: &Handle<Bucket>) -> Self {
        let objects = sub([bucket.arn().into(), "/*".into()]);
        let deny = Statement::deny_without_tls("s3:*", vec![bucket.arn().meaning(), objects]);
        Self { bucket: bucket.name(), policy_document: PolicyDocument::new([deny]) }
    }
}

impl Resource for BucketPolicy {
    const TYPE: &'static str = "AWS::S3::BucketPolicy";
}
