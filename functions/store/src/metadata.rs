//! What an artifact says about itself, as S3 user metadata: CodePipeline shows the summary, people find
//! the commit, and the next push of the same tree finds that there is nothing to do.

use std::collections::HashMap;

use aws_sdk_s3::{Client, error::SdkError, operation::head_object::HeadObjectError};
use contract::{CommitId, DeliveryId, RefName};

use crate::{
    Object, StoreError,
    description::{Condition, Description},
    rfc2047,
};

/// The user metadata of an artifact. Its keys are `commit`, `tree`, `ref`, `delivery-id` and
/// `codepipeline-artifact-revision-summary`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactMetadata {
    /// The commit, where it was known when the upload began.
    pub commit: Option<CommitId>,
    /// The id of its tree in hexadecimal, where it is known: an artifact with the same one has the same content.
    pub tree: Option<String>,
    /// The branch or tag that named the commit.
    pub reference: RefName,
    /// The delivery that asked for it.
    pub delivery_id: DeliveryId,
    /// The first line of the commit's message. It is stored with white space and control characters
    /// made single spaces, and cut to what the limit leaves it.
    pub summary: String,
}

const COMMIT: &str = "commit";
const TREE: &str = "tree";
const REFERENCE: &str = "ref";
const DELIVERY_ID: &str = "delivery-id";
/// The key that CodePipeline's
/// [S3 source action](https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-S3.html) shows.
const SUMMARY: &str = "codepipeline-artifact-revision-summary";

/// What S3 takes of user metadata in all, in bytes of keys and values.
const MAX_BYTES: usize = 2048;
/// S3 doesn't say whether it counts this before each key, so we do.
const HEADER_PREFIX: &str = "x-amz-meta-";

impl ArtifactMetadata {
    /// A zip with this metadata, whatever it replaces.
    pub(crate) fn describe(&self) -> Description {
        let metadata = self.to_user_metadata();
        Description { content_type: "application/zip", metadata, condition: Condition::Always }
    }

    /// As S3 takes it: printable ASCII, at most 2,048 bytes.
    pub(crate) fn to_user_metadata(&self) -> HashMap<String, String> {
        let known = [
            (COMMIT, self.commit.as_ref().map(CommitId::as_str)),
            (TREE, self.tree.as_deref()),
            (REFERENCE, Some(self.reference.as_str())),
            (DELIVERY_ID, Some(self.delivery_id.as_str())),
            (SUMMARY, Some("")),
        ];
        let known = known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), rfc2047::encode(value?))));
        let mut metadata: HashMap<_, _> = known.collect();
        let summary = fitting(&self.summary, MAX_BYTES.saturating_sub(size(&metadata)));
        metadata.insert(SUMMARY.to_owned(), summary);
        metadata
    }

    /// From what S3 gives; nothing when the object isn't one of ours.
    fn from_user_metadata(metadata: &HashMap<String, String>) -> Option<Self> {
        let value = |key| metadata.get(key).map(|value| rfc2047::decode(value));
        Some(Self {
            commit: value(COMMIT).and_then(|commit| commit.parse().ok()),
            tree: value(TREE),
            reference: value(REFERENCE)?.parse().ok()?,
            delivery_id: value(DELIVERY_ID)?.parse().ok()?,
            // An empty header may come back as none.
            summary: value(SUMMARY).unwrap_or_default(),
        })
    }
}

fn size(metadata: &HashMap<String, String>) -> usize {
    metadata.iter().map(|(key, value)| HEADER_PREFIX.len() + key.len() + value.len()).sum()
}

/// As much of `summary` as takes at most `max` bytes when it is encoded.
fn fitting(summary: &str, max: usize) -> String {
    let spaced = summary.replace(char::is_control, " ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut text = words.join(" ");
    text.truncate(text.floor_char_boundary(max));
    loop {
        let encoded = rfc2047::encode(text.trim_end());
        if encoded.len() <= max {
            return encoded;
        }
        text.pop();
    }
}

/// Reads the metadata of the artifact that is there: nothing when there is none, or when somebody else
/// put the object there.
///
/// It takes `s3:GetObject`, and `s3:ListBucket` for S3 to say that there is none.
///
/// # Errors
/// [`StoreError::Head`] when S3 doesn't answer, or refuses to.
pub async fn head(client: &Client, object: &Object) -> Result<Option<ArtifactMetadata>, StoreError> {
    match client.head_object().bucket(object.bucket.as_str()).key(&object.key).send().await {
        Ok(head) => Ok(ArtifactMetadata::from_user_metadata(&head.metadata.unwrap_or_default())),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(StoreError::Head { object: object.clone(), source: Box::new(error.into()) }),
    }
}

fn is_not_found(error: &SdkError<HeadObjectError>) -> bool {
    error.as_service_error().is_some_and(HeadObjectError::is_not_found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metadata(reference: &str, summary: &str) -> ArtifactMetadata {
        ArtifactMetadata {
            commit: Some("a".repeat(40).parse().unwrap()),
            tree: Some("b".repeat(40)),
            reference: reference.parse().unwrap(),
            delivery_id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse().unwrap(),
            summary: summary.to_owned(),
        }
    }

    fn stored(metadata: &ArtifactMetadata) -> ArtifactMetadata {
        ArtifactMetadata::from_user_metadata(&metadata.to_user_metadata()).unwrap()
    }

    #[test]
    fn the_keys_are_the_promised_ones() {
        let user = metadata("refs/heads/main", "Fix\tthe  build\r\n").to_user_metadata();
        assert_eq!(user[SUMMARY], "Fix the build");
        let mut keys: Vec<_> = user.into_keys().collect();
        keys.sort();
        assert_eq!(keys, ["codepipeline-artifact-revision-summary", "commit", "delivery-id", "ref", "tree"]);
    }

    #[test]
    fn it_comes_back_as_it_was() {
        for (reference, summary) in
            [("refs/heads/main", "Fix"), ("refs/heads/grün", "Grüße =?UTF-8?B?"), ("refs/tags/v1", "")]
        {
            let metadata = metadata(reference, summary);
            assert_eq!(stored(&metadata), metadata);
        }
    }

    #[test]
    fn an_object_of_somebody_else_has_none() {
        let mut user = metadata("refs/heads/main", "").to_user_metadata();
        user.remove(DELIVERY_ID);
        assert_eq!(ArtifactMetadata::from_user_metadata(&user), None);
        assert_eq!(ArtifactMetadata::from_user_metadata(&HashMap::new()), None);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let unknown = ArtifactMetadata { commit: None, tree: None, ..metadata("refs/tags/v1", "") };
        let user = unknown.to_user_metadata();
        assert!(!user.contains_key(COMMIT) && !user.contains_key(TREE));
        assert_eq!(stored(&unknown), unknown);
    }

    proptest! {
        #[test]
        fn it_always_fits(branch in "[a-zé日🦀]{1,90}", summary in "(\\PC|[ \t\n]){0,3000}") {
            let metadata = metadata(&format!("refs/heads/{branch}"), &summary);
            prop_assert!(size(&metadata.to_user_metadata()) <= MAX_BYTES);
            let stored = stored(&metadata);
            prop_assert_eq!(stored.reference, metadata.reference);
            let whole = summary.replace(char::is_control, " ").split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert!(whole.starts_with(&stored.summary));
            prop_assert!(stored.summary == whole || whole.len() > 600, "{} of {}", stored.summary.len(), whole.len());
        }
    }
}
