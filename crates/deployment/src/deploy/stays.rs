//! What a deleted stack leaves in the account: resources that its template retains, and keys that
//! KMS deletes days later.

use cfn::Template;
use serde::Serialize;
use serde_json::Value;

use super::stack::Resource;

/// How many days KMS keeps a deleted key by default:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html>
const KEY_DAYS: u64 = 30;

/// Something that outlives its stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stay {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its physical ID: a bucket's name, a key's ID.
    pub id: String,
    /// Why, and for how long.
    pub why: String,
}

impl Stay {
    /// A bucket that stays.
    pub fn bucket(name: &str, why: &str) -> Self {
        Self { kind: "AWS::S3::Bucket".to_owned(), id: name.to_owned(), why: why.to_owned() }
    }
}

/// Those of the resources that outlive the stack with this deployed template.
pub(super) fn of(resources: &[Resource], template: &Template) -> Vec<Stay> {
    let stay = |resource: &Resource| {
        let why = why(&resource.kind, &template.value()["Resources"][&resource.logical_id])?;
        Some(Stay { kind: resource.kind.clone(), id: resource.physical_id.clone(), why })
    };
    let mut stays: Vec<_> = resources.iter().filter_map(stay).collect();
    stays.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
    stays
}

fn why(kind: &str, declared: &Value) -> Option<String> {
    let is_kept = |policy: &str| ["Retain", "RetainExceptOnCreate"].contains(&policy);
    if declared["DeletionPolicy"].as_str().is_some_and(is_kept) {
        return Some("its DeletionPolicy keeps it".to_owned());
    }
    (kind == "AWS::KMS::Key").then(|| {
        let days = declared["Properties"]["PendingWindowInDays"].as_u64().unwrap_or(KEY_DAYS);
        format!("deleted by KMS after {days} days; until then `aws kms cancel-key-deletion` brings it back")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surviving_resources_are_listed_with_reason() {
        let template = crate::stack::template(None).unwrap();
        let resources = template.value()["Resources"].as_object().unwrap().iter().map(|(id, resource)| Resource {
            logical_id: id.clone(),
            kind: resource["Type"].as_str().unwrap().to_owned(),
            physical_id: format!("the {id}"),
            status: "CREATE_COMPLETE".to_owned(),
            reason: None,
        });
        let stays = of(&resources.collect::<Vec<_>>(), &template);
        let told: Vec<_> = stays.iter().map(|stay| format!("{} {}", stay.id, stay.why)).collect();
        let key = "deleted by KMS after 7 days; until then `aws kms cancel-key-deletion` brings it back";
        let kept = "its DeletionPolicy keeps it";
        let expected = [
            format!("the ApiAccount {kept}"),
            format!("the ApiLogRole {kept}"),
            format!("the AlarmTopicKey {key}"),
            format!("the KeyEncryptionKey {key}"),
        ];
        assert_eq!(told, expected);
    }
}
