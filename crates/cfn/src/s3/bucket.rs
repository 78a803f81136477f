//! [`AWS::S3::Bucket`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html):
//! versioned or expiring, always encrypted and never public, since there is no other constructor.

use aws_names::{Arn, BucketName};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    Condition, Handle, Resource, Value,
    iam::{Grant, Role},
    sub,
};

/// A private, encrypted bucket that removes unfinished uploads.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Bucket {
    /// Its name; without one, CloudFormation derives it from the stack's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket_name: Option<Value<BucketName>>,
    bucket_encryption: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    versioning_configuration: Option<Json>,
    public_access_block_configuration: Json,
    ownership_controls: Json,
    lifecycle_configuration: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_configuration: Option<Json>,
}

impl Bucket {
    /// Encrypted with S3's own keys (SSE-S3), and versioned: what was written stays until it is
    /// deleted.
    pub fn encrypted() -> Self {
        let rule = json!({ "ServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } });
        Self {
            bucket_name: None,
            bucket_encryption: json!({ "ServerSideEncryptionConfiguration": [rule] }),
            versioning_configuration: Some(json!({ "Status": "Enabled" })),
            public_access_block_configuration: json!({
                "BlockPublicAcls": true,
                "BlockPublicPolicy": true,
                "IgnorePublicAcls": true,
                "RestrictPublicBuckets": true,
            }),
            ownership_controls: json!({ "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] }),
            lifecycle_configuration: json!({ "Rules": [{
                "Id": "AbortUnfinishedUploads",
                "Status": "Enabled",
                "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 1 },
            }] }),
            notification_configuration: None,
        }
    }

    /// Encrypted likewise, without versions, for data that can be fetched again: an object is
    /// removed when it is replaced, or `days` after it was written.
    pub fn expiring_after(days: u16) -> Self {
        let mut bucket = Self::encrypted();
        bucket.versioning_configuration = None;
        let rule = &mut bucket.lifecycle_configuration["Rules"][0];
        rule["Id"] = "ExpireObjectsAndAbortUnfinishedUploads".into();
        rule["ExpirationInDays"] = days.into();
        bucket
    }

    /// If `condition` holds, removes a version that was replaced so many days ago and has as many
    /// `newer` versions between itself and the current one; without that number, every version that
    /// was replaced that long ago. The current version always stays.
    #[must_use]
    pub fn expiring_noncurrent_versions(
        mut self,
        condition: &Condition,
        days: &Value<String>,
        newer: &Value<String>,
    ) -> Self {
        let rule = json!({
            "Id": "ExpireNoncurrentVersions",
            "Status": "Enabled",
            "NoncurrentVersionExpiration": { "NoncurrentDays": days, "NewerNoncurrentVersions": newer },
        });
        self.add_rule(condition, rule);
        self
    }

    /// If `condition` holds, removes an object with this tag so many days after it was written, in
    /// all its versions. S3 leaves [a delete marker](Self::without_delete_markers).
    #[must_use]
    pub fn expiring_tagged(mut self, condition: &Condition, (key, value): (&str, &str), days: &Value<String>) -> Self {
        let expire = json!({
            "Id": format!("Expire-{key}-{value}"),
            "Status": "Enabled",
            "TagFilters": [{ "Key": key, "Value": value }],
            "ExpirationInDays": days,
            "NoncurrentVersionExpiration": { "NoncurrentDays": 1 },
        });
        self.add_rule(condition, expire);
        self
    }

    /// If `condition` holds, hides an object once it has this tag, and removes the hidden version
    /// so many days later. S3 counts the days of an object that isn't hidden from when it was
    /// written, and not from when it got its tag.
    #[must_use]
    pub fn hiding_tagged(mut self, condition: &Condition, (key, value): (&str, &str), days: &Value<String>) -> Self {
        let hide = json!({
            "Id": format!("Hide-{key}-{value}"),
            "Status": "Enabled",
            "TagFilters": [{ "Key": key, "Value": value }],
            "ExpirationInDays": 1,
            "NoncurrentVersionExpiration": { "NoncurrentDays": days },
        });
        self.add_rule(condition, hide);
        self
    }

    /// If `condition` holds, removes delete markers that hide no version any more. A rule with a
    /// tag [can't](https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleExpiration.html):
    /// a delete marker has none.
    #[must_use]
    pub fn without_delete_markers(mut self, condition: &Condition) -> Self {
        let clean = json!({ "Id": "RemoveDeleteMarkers", "Status": "Enabled", "ExpiredObjectDeleteMarker": true });
        self.add_rule(condition, clean);
        self
    }

    fn add_rule(&mut self, condition: &Condition, rule: Json) {
        if let Some(rules) = self.lifecycle_configuration["Rules"].as_array_mut() {
            rules.push(json!(condition.either(Value::from(rule), Value::none())));
        }
    }

    /// Notifies EventBridge of every new object, so that a pipeline can start on it without
    /// polling.
    #[must_use]
    pub fn notifying_event_bridge(mut self) -> Self {
        self.notification_configuration = Some(json!({ "EventBridgeConfiguration": { "EventBridgeEnabled": true } }));
        self
    }
}

impl Resource for Bucket {
    const TYPE: &'static str = "AWS::S3::Bucket";
}

impl Handle<Bucket> {
    /// The bucket's name.
    pub fn name(&self) -> Value<BucketName> {
        self.reference()
    }

    /// The bucket's ARN.
    pub fn arn(&self) -> Value<Arn<Bucket>> {
        self.attribute("Arn")
    }

    /// Lets `role` do these actions on the objects whose keys match `objects`, such as `ssh-key/*`.
    pub fn grant(&self, role: &mut Role, objects: &str, grant: Grant) {
        let arn = sub([self.arn().into(), "/".into(), objects.into()]);
        role.grant(&format!("{}Objects", self.id()), grant, arn);
    }

    /// Lets `role` do these actions on the bucket itself.
    pub fn grant_on_bucket(&self, role: &mut Role, grant: Grant) {
        role.grant(self.id(), grant, self.arn().meaning());
    }
}
