//! The actions that can be granted, each by its full name, so that none can contain a wildcard.

use schemars::JsonSchema;
use serde::Serialize;

/// An action of AWS, as the [service authorization
/// reference](https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html)
/// names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Action {
    /// Create a function's network interface in a VPC.
    #[serde(rename = "ec2:CreateNetworkInterface")]
    Ec2CreateNetworkInterface,
    /// Delete a function's network interface.
    #[serde(rename = "ec2:DeleteNetworkInterface")]
    Ec2DeleteNetworkInterface,
    /// Look at network interfaces.
    #[serde(rename = "ec2:DescribeNetworkInterfaces")]
    Ec2DescribeNetworkInterfaces,
    /// Look at the subnets of a function.
    #[serde(rename = "ec2:DescribeSubnets")]
    Ec2DescribeSubnets,
    /// Give a network interface another address.
    #[serde(rename = "ec2:AssignPrivateIpAddresses")]
    Ec2AssignPrivateIpAddresses,
    /// Take an address from a network interface.
    #[serde(rename = "ec2:UnassignPrivateIpAddresses")]
    Ec2UnassignPrivateIpAddresses,
    /// Send events to an event bus.
    #[serde(rename = "events:PutEvents")]
    EventsPutEvents,
    /// Decrypt a ciphertext.
    #[serde(rename = "kms:Decrypt")]
    KmsDecrypt,
    /// Make a data key, in plain and encrypted.
    #[serde(rename = "kms:GenerateDataKey")]
    KmsGenerateDataKey,
    /// Encrypt up to 4,096 bytes.
    #[serde(rename = "kms:Encrypt")]
    KmsEncrypt,
    /// Sign with a key pair whose private key stays in KMS.
    #[serde(rename = "kms:Sign")]
    KmsSign,
    /// Make a log group.
    #[serde(rename = "logs:CreateLogGroup")]
    LogsCreateLogGroup,
    /// Look at log groups.
    #[serde(rename = "logs:DescribeLogGroups")]
    LogsDescribeLogGroups,
    /// Look at log streams.
    #[serde(rename = "logs:DescribeLogStreams")]
    LogsDescribeLogStreams,
    /// Search log events by a pattern.
    #[serde(rename = "logs:FilterLogEvents")]
    LogsFilterLogEvents,
    /// Read log events.
    #[serde(rename = "logs:GetLogEvents")]
    LogsGetLogEvents,
    /// Make a log stream.
    #[serde(rename = "logs:CreateLogStream")]
    LogsCreateLogStream,
    /// Write log events.
    #[serde(rename = "logs:PutLogEvents")]
    LogsPutLogEvents,
    /// Abort a multipart upload.
    #[serde(rename = "s3:AbortMultipartUpload")]
    S3AbortMultipartUpload,
    /// Delete an object. `DeleteObjects` requires it even if every key names a version.
    #[serde(rename = "s3:DeleteObject")]
    S3DeleteObject,
    /// Delete a version of an object, or a delete marker.
    #[serde(rename = "s3:DeleteObjectVersion")]
    S3DeleteObjectVersion,
    /// Read an object, or its metadata.
    #[serde(rename = "s3:GetObject")]
    S3GetObject,
    /// List objects; with it, a request for a missing object is answered 404 instead of 403.
    #[serde(rename = "s3:ListBucket")]
    S3ListBucket,
    /// List unfinished multipart uploads.
    #[serde(rename = "s3:ListBucketMultipartUploads")]
    S3ListBucketMultipartUploads,
    /// List the versions of objects.
    #[serde(rename = "s3:ListBucketVersions")]
    S3ListBucketVersions,
    /// Read the tags of a version of an object.
    #[serde(rename = "s3:GetObjectVersionTagging")]
    S3GetObjectVersionTagging,
    /// Write an object, in one piece or in parts.
    #[serde(rename = "s3:PutObject")]
    S3PutObject,
    /// Write the tags of an object, also while writing it.
    #[serde(rename = "s3:PutObjectTagging")]
    S3PutObjectTagging,
    /// Write the tags of a version of an object.
    #[serde(rename = "s3:PutObjectVersionTagging")]
    S3PutObjectVersionTagging,
    /// Read a secret.
    #[serde(rename = "secretsmanager:GetSecretValue")]
    SecretsManagerGetSecretValue,
    /// Publish to a topic.
    #[serde(rename = "sns:Publish")]
    SnsPublish,
    /// Set when a received message becomes visible again.
    #[serde(rename = "sqs:ChangeMessageVisibility")]
    SqsChangeMessageVisibility,
    /// Delete a received message.
    #[serde(rename = "sqs:DeleteMessage")]
    SqsDeleteMessage,
    /// Read a queue's attributes.
    #[serde(rename = "sqs:GetQueueAttributes")]
    SqsGetQueueAttributes,
    /// Receive messages.
    #[serde(rename = "sqs:ReceiveMessage")]
    SqsReceiveMessage,
    /// Send a message.
    #[serde(rename = "sqs:SendMessage")]
    SqsSendMessage,
    /// Assume a role.
    #[serde(rename = "sts:AssumeRole")]
    StsAssumeRole,
}

impl Action {
    /// Its full name, such as `s3:GetObject`.
    pub(super) fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}
