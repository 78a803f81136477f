//! Resources with data: how it is encrypted, how long it is kept, and what happens to it when the
//! stack is deleted.

use serde_json::Value;

/// A resource with data.
#[derive(Debug)]
pub struct Holder {
    /// Its logical ID.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The key that encrypts it.
    pub encryption: String,
    /// How long it keeps data.
    pub retention: String,
    /// What happens to it when the stack is deleted.
    pub at_deletion: String,
    /// What happens to it when an update replaces it.
    pub at_replacement: String,
}

/// Every resource in the template with data.
pub fn holders(template: &Value) -> Vec<Holder> {
    let resources = template.get("Resources").and_then(Value::as_object).into_iter().flatten();
    let holder = |(id, resource): (&String, &Value)| {
        let properties = &resource["Properties"];
        let kind = resource["Type"].as_str().unwrap_or_default();
        let (encryption, retention) = kept(kind, properties)?;
        let is_tmp = kind == "AWS::Lambda::Function";
        let policy = |name: &str| match resource[name].as_str() {
            _ if is_tmp => "gone with the function's environment".to_owned(),
            Some("Delete") => at_deletion(kind).to_owned(),
            Some("Retain") if name == "UpdateReplacePolicy" => "stays in the account, outside of the stack".to_owned(),
            Some("Retain") => "kept".to_owned(),
            other => other.unwrap_or("not said").to_owned(),
        };
        Some(Holder {
            id: id.clone(),
            kind: kind.to_owned(),
            encryption,
            retention,
            at_deletion: policy("DeletionPolicy"),
            at_replacement: policy("UpdateReplacePolicy"),
        })
    };
    resources.filter_map(holder).collect()
}

fn at_deletion(kind: &str) -> &'static str {
    match kind {
        "AWS::S3::Bucket" => "emptied by bucket-cleaner, then deleted",
        "AWS::KMS::Key" => "deleted after its waiting period",
        _ => "deleted",
    }
}

/// How it is encrypted and how long it is kept; `None` for a resource without data.
fn kept(kind: &str, properties: &Value) -> Option<(String, String)> {
    let days = |value: &Value, unit: u64| {
        value.as_u64().map_or_else(
            || "not said".to_owned(),
            |n| match n / unit {
                1 => "1 day".to_owned(),
                n => format!("{n} days"),
            },
        )
    };
    let (encryption, retention) = match kind {
        "AWS::S3::Bucket" => {
            let rule = &properties["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"];
            let algorithm = rule["SSEAlgorithm"].as_str().unwrap_or("not said");
            let algorithm = if algorithm == "AES256" { "S3's own key (AES-256)" } else { algorithm };
            let rule = &properties["LifecycleConfiguration"]["Rules"][0];
            let expiration = &rule["ExpirationInDays"];
            let objects = match properties["VersioningConfiguration"]["Status"].as_str() {
                Some("Enabled") if expiration.is_null() && expires_versions(properties) => {
                    "every version, until somebody deletes it; for so many days, with NoncurrentDays, a replaced one, \
                     with KeepCommits, that of a commit, with DeletedReferences, that of a deleted branch"
                        .to_owned()
                }
                Some("Enabled") if expiration.is_null() => "every version, until somebody deletes it".to_owned(),
                None => format!("objects {}, and none that was replaced", days(expiration, 1)),
                _ => "not said".to_owned(),
            };
            let uploads = days(&rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 1);
            (algorithm.to_owned(), format!("{objects}; unfinished uploads {uploads}"))
        }
        "AWS::SQS::Queue" => {
            let managed = properties["SqsManagedSseEnabled"] == true;
            let key = if managed { "SQS's own key" } else { "not said" };
            (key.to_owned(), days(&properties["MessageRetentionPeriod"], 86_400))
        }
        "AWS::Logs::LogGroup" => ("CloudWatch's own key".to_owned(), days(&properties["RetentionInDays"], 1)),
        "AWS::SecretsManager::Secret" => {
            ("Secrets Manager's key of the account".to_owned(), "until it is changed".to_owned())
        }
        "AWS::KMS::Key" => {
            let waiting = days(&properties["PendingWindowInDays"], 1);
            ("never leaves KMS".to_owned(), format!("rotates yearly; can be brought back for {waiting}"))
        }
        "AWS::Lambda::Function" if !properties["EphemeralStorage"].is_null() => {
            let size = properties["EphemeralStorage"]["Size"].as_u64().unwrap_or_default();
            ("Lambda's own key".to_owned(), format!("{size} MB of clones, while the environment is warm"))
        }
        _ => return None,
    };
    Some((encryption, retention))
}

/// Whether a parameter lets replaced versions of a bucket's objects expire.
fn expires_versions(bucket: &Value) -> bool {
    let mut rules = bucket["LifecycleConfiguration"]["Rules"].as_array().into_iter().flatten();
    rules.any(|rule| !rule["Fn::If"][1]["NoncurrentVersionExpiration"].is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use deployment::stack;

    #[test]
    fn review_describes_bucket_retention() {
        let holders = holders(&stack::template(None).unwrap().into_value());
        let kept = |id: &str| holders.iter().find(|holder| holder.id == id).unwrap().retention.as_str();
        assert_eq!(kept("KeyBucket"), "every version, until somebody deletes it; unfinished uploads 1 day");
        let output = "every version, until somebody deletes it; for so many days, with NoncurrentDays, a replaced one, \
                      with KeepCommits, that of a commit, with DeletedReferences, that of a deleted branch; unfinished \
                      uploads 1 day";
        assert_eq!(kept("OutputBucket"), output);
        assert_eq!(kept("CacheBucket"), "objects 30 days, and none that was replaced; unfinished uploads 1 day");
    }

    #[test]
    fn every_data_holder_is_fully_described() {
        let holders = holders(&stack::template(None).unwrap().into_value());
        assert!(holders.len() > 12, "{}", holders.len());
        for holder in holders {
            let said = [&holder.encryption, &holder.retention, &holder.at_deletion, &holder.at_replacement];
            assert!(said.iter().all(|text| !text.contains("not said")), "{holder:?}");
        }
    }
}
