//! Imports an existing bucket into a new stack as its output bucket: one that an earlier stack or
//! the Quick Start left.
//!
//! CloudFormation imports it while it creates the stack, under [conditions][aws]: the template
//! contains its literal name, it is retained, and nothing about it changes. So the stack is created
//! from a template that describes the bucket as it was found, in which nothing can empty or delete
//! it: if anything fails, it is as before. The update that follows uses the stack's own template,
//! and makes the bucket like that of every other stack.
//!
//! [aws]: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html

use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{ResourceStatus, StackResource};
use serde_json::{Value, json};

use super::assets::status;
use super::keep::{self, KEPT};
use super::zips;
use super::{KeepError, Settings, Template};
use crate::account::Account;
use crate::call_error::CallError;
use crate::typed::typed;

/// Why a bucket can't be imported into a stack.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The stack exists, and got its output bucket when it was created.
    #[error("stack {stack} has an output bucket already{}", of(bucket.as_ref()))]
    Stack {
        /// The stack.
        stack: String,
        /// Its output bucket.
        bucket: Option<String>,
    },
    /// There is no such bucket.
    #[error("there is no bucket {bucket}")]
    Missing {
        /// The bucket.
        bucket: String,
    },
    /// It is in another region or account.
    #[error("bucket {bucket} is not account {account}'s, not in {region}, or not open to these credentials")]
    Inaccessible {
        /// The bucket.
        bucket: String,
        /// The account that it should belong to.
        account: String,
        /// The region that it should be in.
        region: String,
    },
    /// It belongs to a stack, which would keep managing it.
    #[error("bucket {bucket} belongs to stack {stack}")]
    Owned {
        /// The bucket.
        bucket: String,
        /// The stack that it belongs to.
        stack: String,
    },
    /// Its policy can't be part of a template.
    #[error("the policy of bucket {bucket} is not JSON")]
    Policy {
        /// The bucket.
        bucket: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A bucket can't be imported into the template.
    #[error("no bucket can be taken into this template")]
    Keep(#[source] KeepError),
    /// AWS could not be asked, or refused.
    #[error("cannot look at bucket {bucket}")]
    Call {
        /// The bucket.
        bucket: String,
        /// What was tried, and what AWS answered.
        source: CallError,
    },
}

fn of(bucket: Option<&String>) -> String {
    bucket.map(|bucket| format!(", {bucket}")).unwrap_or_default()
}

impl ImportError {
    /// Whether the caller has to name another bucket, stack or account.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Stack { .. } | Self::Missing { .. } | Self::Inaccessible { .. } | Self::Owned { .. })
    }

    /// What to do about it, if known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Stack { .. } => {
                Some("a bucket is taken in when a stack is made: `--stack-name` gives another one a name".to_owned())
            }
            Self::Owned { stack, .. } => {
                let destroy = typed(&format!("destroy --keep-output --stack-name {stack}"));
                Some(format!("{destroy} deletes that stack and leaves its output bucket"))
            }
            _ => None,
        }
    }
}

/// A bucket, as it was found.
#[derive(Debug)]
pub struct Found {
    bucket: String,
    /// `Enabled` or `Suspended`; `None` if it never had versions.
    versioning: Option<String>,
    policy: Option<Value>,
    /// Its lifecycle rules and notifications, in words.
    others: Vec<String>,
}

/// Inspects a bucket that is to be imported into `stack`, which doesn't exist or was never created
/// wholly. Only reads.
///
/// # Errors
/// The bucket doesn't exist, isn't the account's, is in another region, or belongs to a stack.
pub async fn find(account: &Account, stack: &str, bucket: &str) -> Result<Found, ImportError> {
    let call = |source| ImportError::Call { bucket: bucket.to_owned(), source };
    let s3 = &account.s3;
    let unusable = || ImportError::Inaccessible {
        bucket: bucket.to_owned(),
        account: account.id.clone(),
        region: account.region.clone(),
    };
    let head = s3.head_bucket().bucket(bucket).expected_bucket_owner(&account.id).send().await;
    match head {
        Ok(head) if head.bucket_region().is_some_and(|region| region != account.region) => return Err(unusable()),
        Ok(_) => {}
        Err(error) => match status(&error) {
            Some(404) => return Err(ImportError::Missing { bucket: bucket.to_owned() }),
            Some(301 | 400 | 403) => return Err(unusable()),
            _ => return Err(call(CallError::new("look at it", error))),
        },
    }
    match owner(account, bucket).await.map_err(call)? {
        Some(owner) if owner != stack => {
            return Err(ImportError::Owned { bucket: bucket.to_owned(), stack: owner });
        }
        _ => {}
    }
    let versioning = s3.get_bucket_versioning().bucket(bucket).send().await;
    let versioning = versioning.map_err(|error| call(CallError::new("read whether it has versions", error)))?;
    let policy = match s3.get_bucket_policy().bucket(bucket).send().await {
        Err(error) if error.code() == Some("NoSuchBucketPolicy") => None,
        policy => policy.map_err(|error| call(CallError::new("read its policy", error)))?.policy,
    };
    let policy = policy.map(|text| serde_json::from_str(&text)).transpose();
    Ok(Found {
        bucket: bucket.to_owned(),
        versioning: versioning.status.map(|status| status.as_str().to_owned()),
        policy: policy.map_err(|source| ImportError::Policy { bucket: bucket.to_owned(), source })?,
        others: others(account, bucket).await.map_err(call)?,
    })
}

/// The stack that has the bucket. A deleted one that left it is also listed, for some months.
async fn owner(account: &Account, bucket: &str) -> Result<Option<String>, CallError> {
    let asked = account.cloudformation.describe_stack_resources().physical_resource_id(bucket).send().await;
    let found = match asked {
        Err(error) if error.message().is_some_and(|message| message.contains("does not exist")) => return Ok(None),
        found => found.map_err(|error| CallError::new("look which stack has it", error))?,
    };
    let has = |one: &StackResource| {
        let left = [ResourceStatus::DeleteSkipped, ResourceStatus::DeleteComplete];
        one.physical_resource_id() == Some(bucket) && !one.resource_status().is_some_and(|status| left.contains(status))
    };
    Ok(found.stack_resources.unwrap_or_default().into_iter().find(has).and_then(|one| one.stack_name))
}

async fn others(account: &Account, bucket: &str) -> Result<Vec<String>, CallError> {
    let mut found = Vec::new();
    let lifecycle = match account.s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await {
        Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => None,
        lifecycle => lifecycle.map_err(|error| CallError::new("read its lifecycle rules", error))?.rules,
    };
    for rule in lifecycle.unwrap_or_default() {
        found.push(format!("lifecycle rule {}", rule.id.as_deref().unwrap_or("without a name")));
    }
    let notified = account.s3.get_bucket_notification_configuration().bucket(bucket).send().await;
    let notified = notified.map_err(|error| CallError::new("read whom it notifies", error))?;
    let topics = notified.topic_configurations.unwrap_or_default().into_iter().map(|one| one.topic_arn);
    let queues = notified.queue_configurations.unwrap_or_default().into_iter().map(|one| one.queue_arn);
    let functions =
        notified.lambda_function_configurations.unwrap_or_default().into_iter().map(|one| one.lambda_function_arn);
    found.extend(topics.chain(queues).chain(functions).map(|arn| format!("notifications to {arn}")));
    Ok(found)
}

impl Found {
    /// The template for the import: `template` with the bucket as it was found, in which nothing
    /// empties or deletes it.
    ///
    /// # Errors
    /// The template isn't ours.
    pub fn first(&self, template: &Template) -> Result<Template, ImportError> {
        let bucket = &self.bucket;
        let mut content = keep::keeping_output(template).map_err(ImportError::Keep)?.into_value();
        let resources = &mut content["Resources"];
        resources[KEPT[0]]["Properties"] = match &self.versioning {
            Some(status) => json!({ "BucketName": bucket, "VersioningConfiguration": { "Status": status } }),
            None => json!({ "BucketName": bucket }),
        };
        match &self.policy {
            Some(policy) => {
                resources[KEPT[1]]["Properties"] = json!({ "Bucket": bucket, "PolicyDocument": policy });
            }
            None => drop(resources.as_object_mut().and_then(|resources| resources.shift_remove(KEPT[1]))),
        }
        Ok(content.into())
    }

    /// What happens to the bucket, in sentences.
    pub fn in_words(&self, settings: &Settings) -> Vec<String> {
        let bucket = &self.bucket;
        let mut told = vec![format!(
            "bucket {bucket} is taken into the stack with every version of every object. Then it gets what every output bucket has: versions, \
             S3's encryption, no public access, no ACLs, the stack's policy, its lifecycle rules, and events to EventBridge alone"
        )];
        let policy = self.policy.as_ref().map(|policy| format!("policy {policy}"));
        told.extend(policy.iter().chain(&self.others).map(|what| format!("bucket {bucket} loses its {what}")));
        told.extend(zips::expiring(settings.retention()));
        told.push(format!(
            "bucket {bucket} belongs to the stack from then on: what deletes the stack deletes it, unless `--keep-output` keeps it"
        ));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        crate::stack::template(None).unwrap()
    }

    fn found(versioning: Option<&str>, policy: Option<Value>) -> Found {
        let versioning = versioning.map(str::to_owned);
        Found { bucket: "zips-1".to_owned(), versioning, policy, others: vec!["lifecycle rule old".to_owned()] }
    }

    fn first(found: &Found) -> Value {
        found.first(&template()).unwrap().into_value()
    }

    #[test]
    fn import_template_describes_found_bucket() {
        let policy = json!({ "Statement": [] });
        let first = first(&found(Some("Suspended"), Some(policy.clone())));
        let (bucket, its_policy) = (&first["Resources"]["OutputBucket"], &first["Resources"]["OutputBucketPolicy"]);
        let suspended = json!({ "Status": "Suspended" });
        assert_eq!(bucket["Properties"], json!({ "BucketName": "zips-1", "VersioningConfiguration": suspended }));
        assert_eq!(its_policy["Properties"], json!({ "Bucket": "zips-1", "PolicyDocument": policy }));
        assert!([bucket, its_policy].iter().all(|one| one["DeletionPolicy"] == "Retain"));
    }

    #[test]
    fn cleaner_excludes_bucket_during_import() {
        let first = first(&found(None, None));
        assert_eq!(first["Resources"]["OutputBucket"]["Properties"], json!({ "BucketName": "zips-1" }));
        assert!(first["Resources"].get("OutputBucketPolicy").is_none());
        let cleaned = first["Resources"]["BucketCleaner"]["Properties"]["Buckets"].to_string();
        assert!(!cleaned.contains("OutputBucket"), "{cleaned}");
    }

    #[test]
    fn import_leaves_role_rights_unchanged() {
        let first = found(Some("Enabled"), None).first(&template()).unwrap();
        let rights = crate::diff::Diff::of_rights(&first, &template());
        let of_roles = rights.permissions.iter().filter(|change| change.grant.who.ends_with("Role"));
        assert_eq!(of_roles.count(), 0);
        assert!(!rights.broadens());
    }

    #[test]
    fn import_names_lost_bucket_settings() {
        let given = super::super::Parameters::default().with("NoncurrentDays", "30");
        let settings = Settings::new(&template(), &given, None);
        let told = found(None, Some(json!({ "Id": "mine" }))).in_words(&settings).join("\n");
        for words in ["loses its policy {\"Id\":\"mine\"}", "loses its lifecycle rule old", "more than 30 days ago"] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
}
