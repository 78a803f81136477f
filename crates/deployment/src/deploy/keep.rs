//! Deletes a stack but keeps its zips: first an update removes the output bucket from the stack,
//! retained, and from the cleaner's list.

use cfn::{ParseError, Template};
use serde_json::{Map, Value};

/// What is kept: the bucket, and the policy that denies access without TLS.
pub(super) const KEPT: [&str; 2] = ["OutputBucket", "OutputBucketPolicy"];
/// The custom resource that would empty it.
const CLEANER: &str = "BucketCleaner";
/// The custom resource that empties the buckets of the Quick Start "Git Webhooks with AWS
/// Services", whose bucket has the same logical ID.
const QUICK_START_CLEANER: &str = "DeleteBucketContents";

/// Why the output bucket can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The deployed template can't be read.
    #[error("the deployed template can't be read")]
    Template(#[source] ParseError),
    /// The deployed template isn't ours.
    #[error("the deployed template has no {id} whose content could be kept")]
    Missing {
        /// What it lacks.
        id: &'static str,
    },
    /// CloudFormation sees no change in the template that keeps the bucket, although the deployed
    /// one doesn't.
    #[error("CloudFormation sees no difference in the template that would keep it")]
    Unchanged,
}

/// The deployed template, with an output bucket that survives the stack.
pub(super) fn keeping_output(deployed: &Template) -> Result<Template, KeepError> {
    let mut template = deployed.value().clone();
    let is_quick_start = template["Resources"].get(QUICK_START_CLEANER).is_some();
    retain(entry(&mut template, KEPT[0])?);
    if is_quick_start {
        // Removed, since it would empty both buckets and does nothing else. CloudFormation doesn't
        // accept the change of a policy alone.
        retain(entry(&mut template, QUICK_START_CLEANER)?);
        let metadata = entry(&mut template, KEPT[0])?.entry("Metadata").or_insert_with(|| Value::from(Map::new()));
        metadata["KeptWithoutItsStack"] = true.into();
    } else {
        retain(entry(&mut template, KEPT[1])?);
        let cleaner = entry(&mut template, CLEANER)?;
        let buckets = cleaner.get_mut("Properties").and_then(|properties| properties["Buckets"].as_array_mut());
        let buckets = buckets.ok_or(KeepError::Missing { id: CLEANER })?;
        buckets.retain(|bucket| bucket["Ref"] != KEPT[0]);
    }
    Ok(template.into())
}

/// Whether a deployed template keeps the output bucket already.
pub(super) fn keeps_output(deployed: &Template) -> bool {
    deployed.value()["Resources"][KEPT[0]]["DeletionPolicy"] == "Retain"
}

fn retain(resource: &mut Map<String, Value>) {
    for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
        resource.insert(policy.to_owned(), "Retain".into());
    }
}

fn entry<'t>(template: &'t mut Value, id: &'static str) -> Result<&'t mut Map<String, Value>, KeepError> {
    let resource = template.get_mut("Resources").and_then(|resources| resources.get_mut(id));
    resource.and_then(Value::as_object_mut).ok_or(KeepError::Missing { id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_output_bucket_leaves_stack() {
        let before = crate::stack::template(None).unwrap();
        let after = keeping_output(&before).unwrap();
        let diff = crate::diff::Diff::between(&before, &after);
        let after = after.value();
        let changed: Vec<_> = diff.entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(changed, ["BucketCleaner", "OutputBucket", "OutputBucketPolicy"]);
        assert_eq!(after["Resources"]["OutputBucket"]["DeletionPolicy"], "Retain");
        let left = serde_json::json!([{ "Ref": "KeyBucket" }, { "Ref": "CacheBucket" }]);
        assert_eq!(after["Resources"]["BucketCleaner"]["Properties"]["Buckets"], left);
        assert!(diff.permissions.is_empty());
    }

    #[test]
    fn quick_start_stack_releases_output_bucket() {
        let deployed = "
Resources:
  KeyBucket: { Type: AWS::S3::Bucket }
  OutputBucket: { Type: AWS::S3::Bucket, Properties: { VersioningConfiguration: { Status: Enabled } } }
  DeleteBucketContents:
    Type: AWS::CloudFormation::CustomResource
    Properties: { ServiceToken: !GetAtt Function.Arn, KeyBucket: !Ref KeyBucket, OutputBucket: !Ref OutputBucket }
";
        let deployed = Template::parse(deployed.to_owned()).unwrap();
        assert!(!keeps_output(&deployed));
        let after = keeping_output(&deployed).unwrap();
        assert!(keeps_output(&after));
        let diff = crate::diff::Diff::between(&deployed, &after);
        let paths = diff.entries.iter().flat_map(|entry| entry.properties.iter().map(|one| one.path.as_str()));
        let retained = ["DeletionPolicy", "UpdateReplacePolicy"];
        assert_eq!(paths.collect::<Vec<_>>(), [&retained[..], &retained, &["Metadata"]].concat());
        assert_eq!(after.value()["Resources"]["DeleteBucketContents"]["DeletionPolicy"], "Retain");
    }

    #[test]
    fn another_stack_is_left_alone() {
        for text in ["{\"Resources\": {\"A\": {\"Type\": \"T\"}}}", "[]", ""] {
            let template = Template::parse(text.to_owned()).unwrap();
            assert!(matches!(keeping_output(&template), Err(KeepError::Missing { .. })), "{text}");
        }
    }
}
