//! An artifact's S3 user metadata: CodePipeline shows the summary, people find the commit, and the
//! next push of the same tree needn't be zipped again.

use std::collections::HashMap;

use aws_sdk_s3::{Client, error::SdkError, operation::head_object::HeadObjectError};
use contract::{CommitId, DeliveryId, RefName, Repository, Worker};

use crate::{
    Object, StoreError,
    description::{Condition, Description},
    rfc2047,
};

/// The user metadata of an artifact. Its keys are `repository`, `commit`, `previous-commit`,
/// `tree`, `ref`, `delivery-id`, `worker`, `sha256` and `codepipeline-artifact-revision-summary`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactMetadata {
    /// Its repository. Artifacts of older versions don't have it.
    pub repository: Repository,
    /// The commit.
    pub commit: CommitId,
    /// The commit of the artifact that this one has replaced.
    pub previous: Option<CommitId>,
    /// The ID of its tree in hexadecimal, if known: artifacts with the same tree have the same
    /// content.
    pub tree: Option<String>,
    /// The branch or tag that named the commit.
    pub reference: RefName,
    /// The delivery that caused it.
    pub delivery_id: DeliveryId,
    /// The first line of the commit's message. White space and control characters are stored as
    /// single spaces, and the line is cut to fit the limit.
    pub summary: String,
    /// The worker that stored it. Artifacts of older versions don't have it.
    pub worker: Option<Worker>,
    /// The SHA-256 of the zip in hexadecimal, if it is known when the upload begins: that of a zip
    /// in several parts isn't.
    pub sha256: Option<String>,
}

const REPOSITORY: &str = "repository";
const COMMIT: &str = "commit";
const PREVIOUS: &str = "previous-commit";
const TREE: &str = "tree";
const REFERENCE: &str = "ref";
const DELIVERY_ID: &str = "delivery-id";
const WORKER: &str = "worker";
/// The key that CodePipeline's [S3 source
/// action](https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-S3.html)
/// shows.
const SUMMARY: &str = "codepipeline-artifact-revision-summary";

pub(crate) const SHA256: &str = "sha256";

/// S3's limit for all user metadata, in bytes of keys and values.
const MAX_BYTES: usize = 2048;
/// S3 doesn't say whether this prefix counts, so it is counted.
const HEADER_PREFIX: &str = "x-amz-meta-";
/// What a SHA-256 takes of the limit.
const SHA256_BYTES: usize = HEADER_PREFIX.len() + SHA256.len() + 64;

impl ArtifactMetadata {
    /// A zip with this metadata.
    pub(crate) fn describe(&self, condition: Condition) -> Description {
        Description { content_type: "application/zip", metadata: self.to_user_metadata(), tag: None, condition }
    }

    /// As S3 metadata: printable ASCII, at most 2,048 bytes.
    pub(crate) fn to_user_metadata(&self) -> HashMap<String, String> {
        let repository = self.repository.to_string();
        let known = [
            (REPOSITORY, Some(repository.as_str())),
            (COMMIT, Some(self.commit.as_str())),
            (PREVIOUS, self.previous.as_ref().map(CommitId::as_str)),
            (TREE, self.tree.as_deref()),
            (REFERENCE, Some(self.reference.as_str())),
            (DELIVERY_ID, Some(self.delivery_id.as_str())),
            (WORKER, self.worker.map(Worker::path_part)),
            (SUMMARY, Some("")),
        ];
        let known = known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), rfc2047::encode(value?))));
        let mut metadata: HashMap<_, _> = known.collect();
        let room = MAX_BYTES.saturating_sub(size(&metadata) + SHA256_BYTES);
        metadata.insert(SUMMARY.to_owned(), fitting(&self.summary, room));
        metadata.extend(self.sha256.clone().map(|sha256| (SHA256.to_owned(), sha256)));
        metadata
    }

    /// Parses the metadata of an object of `repository`. `None` if it isn't one of our artifacts.
    fn from_user_metadata(metadata: &HashMap<String, String>, repository: &Repository) -> Option<Self> {
        let value = |key| metadata.get(key).map(|value| rfc2047::decode(value));
        Some(Self {
            repository: repository.clone(),
            commit: value(COMMIT)?.parse().ok()?,
            previous: value(PREVIOUS).and_then(|commit| commit.parse().ok()),
            tree: value(TREE),
            reference: value(REFERENCE)?.parse().ok()?,
            delivery_id: value(DELIVERY_ID)?.parse().ok()?,
            // An empty header may be returned as a missing one.
            summary: value(SUMMARY).unwrap_or_default(),
            worker: value(WORKER).and_then(|name| Worker::ALL.into_iter().find(|one| one.path_part() == name)),
            sha256: value(SHA256),
        })
    }
}

fn size(metadata: &HashMap<String, String>) -> usize {
    metadata.iter().map(|(key, value)| HEADER_PREFIX.len() + key.len() + value.len()).sum()
}

/// As much of `summary` as fits into `max` bytes when it is encoded.
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

/// What was found at an artifact's key. An upload replaces only that. [`find`] is its only source
/// and an [`Upload`](crate::Upload) requires it, so no artifact overwrites another repository's.
#[derive(Debug, Clone)]
pub struct Found {
    /// The metadata of the artifact. `None` if there is no object, or somebody else's.
    pub metadata: Option<ArtifactMetadata>,
    /// Its size. 0 if there is no object.
    pub(crate) bytes: u64,
    /// Its version, in a versioned bucket.
    pub(crate) version_id: Option<String>,
    pub(crate) condition: Condition,
}

impl Found {
    /// The version of what was found, in a versioned bucket.
    pub fn version_id(&self) -> Option<&str> {
        self.version_id.as_deref()
    }
}

/// Looks for an artifact of `repository`.
///
/// Requires `s3:GetObject`, and `s3:ListBucket`, so that S3 reports a missing object as such.
///
/// # Errors
/// [`StoreError::Head`] if the request fails. [`StoreError::OtherRepository`] if there is an
/// artifact of another repository.
pub async fn find(client: &Client, object: &Object, repository: &Repository) -> Result<Found, StoreError> {
    let head = match client.head_object().bucket(object.bucket.as_str()).key(&object.key).send().await {
        Ok(head) => head,
        Err(error) if is_not_found(&error) => {
            return Ok(Found { metadata: None, bytes: 0, version_id: None, condition: Condition::Absent });
        }
        Err(error) => return Err(StoreError::Head { object: object.clone(), source: Box::new(error.into()) }),
    };
    let user = head.metadata.unwrap_or_default();
    if let Some(named) =
        user.get(REPOSITORY).map(|named| rfc2047::decode(named)).filter(|named| *named != repository.to_string())
    {
        return Err(StoreError::OtherRepository { object: object.clone(), repository: repository.clone(), named });
    }
    let metadata = ArtifactMetadata::from_user_metadata(&user, repository);
    let bytes = head.content_length.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    let condition = head.e_tag.map_or(Condition::Always, Condition::Unchanged);
    Ok(Found { metadata, bytes, version_id: head.version_id, condition })
}

/// What the artifact in an object says of itself, whatever its repository. `None` if the object is
/// gone, or isn't one of our artifacts, or is of a version that didn't name its repository.
///
/// Requires the rights of [`find`].
///
/// # Errors
/// [`StoreError::Head`] if the request fails.
pub async fn known(client: &Client, object: &Object) -> Result<Option<ArtifactMetadata>, StoreError> {
    let head = match client.head_object().bucket(object.bucket.as_str()).key(&object.key).send().await {
        Ok(head) => head,
        Err(error) if is_not_found(&error) => return Ok(None),
        Err(error) => return Err(StoreError::Head { object: object.clone(), source: Box::new(error.into()) }),
    };
    let user = head.metadata.unwrap_or_default();
    let named: Option<Repository> = user.get(REPOSITORY).and_then(|named| rfc2047::decode(named).parse().ok());
    Ok(named.and_then(|repository| ArtifactMetadata::from_user_metadata(&user, &repository)))
}

fn is_not_found(error: &SdkError<HeadObjectError>) -> bool {
    error.as_service_error().is_some_and(HeadObjectError::is_not_found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

    use super::*;
    use crate::upload::tests::client;

    fn metadata(reference: &str, summary: &str) -> ArtifactMetadata {
        ArtifactMetadata {
            repository: "github.com/octo/hello".parse().unwrap(),
            commit: "a".repeat(40).parse().unwrap(),
            tree: Some("b".repeat(40)),
            reference: reference.parse().unwrap(),
            delivery_id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse().unwrap(),
            summary: summary.to_owned(),
            previous: None,
            worker: Some(Worker::GitPull),
            sha256: None,
        }
    }

    fn stored(metadata: &ArtifactMetadata) -> ArtifactMetadata {
        ArtifactMetadata::from_user_metadata(&metadata.to_user_metadata(), &metadata.repository).unwrap()
    }

    #[test]
    fn the_keys_are_the_promised_ones() {
        let user = metadata("refs/heads/main", "Fix\tthe  build\r\n").to_user_metadata();
        assert_eq!(user[SUMMARY], "Fix the build");
        let mut keys: Vec<_> = user.into_keys().collect();
        keys.sort();
        let expected =
            ["codepipeline-artifact-revision-summary", "commit", "delivery-id", "ref", "repository", "tree", "worker"];
        assert_eq!(keys, expected);
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
    fn other_object_has_no_metadata() {
        let metadata = metadata("refs/heads/main", "");
        let mut user = metadata.to_user_metadata();
        user.remove(DELIVERY_ID);
        assert_eq!(ArtifactMetadata::from_user_metadata(&user, &metadata.repository), None);
        assert_eq!(ArtifactMetadata::from_user_metadata(&HashMap::new(), &metadata.repository), None);
    }

    #[test]
    fn unknown_metadata_is_omitted() {
        let unknown = ArtifactMetadata { tree: None, ..metadata("refs/tags/v1", "") };
        let user = unknown.to_user_metadata();
        assert!(!user.contains_key(TREE));
        assert_eq!(stored(&unknown), unknown);
    }

    /// The result of [`find`] for this response of S3, for a repository on github.com.
    async fn found(answer: ResponseTemplate) -> Result<Found, StoreError> {
        let server = MockServer::start().await;
        Mock::given(method("HEAD")).respond_with(answer).mount(&server).await;
        let object = Object { bucket: "zips".parse().unwrap(), key: "octo/hello/octo_hello.zip".to_owned() };
        find(&client(&server), &object, &"github.com/octo/hello".parse().unwrap()).await
    }

    #[tokio::test]
    async fn upload_replaces_only_found_object() {
        assert_eq!(found(ResponseTemplate::new(404)).await.unwrap().condition, Condition::Absent);
        let there = ResponseTemplate::new(200).insert_header("etag", "\"e\"");
        let somebody_elses = found(there.clone()).await.unwrap();
        assert_eq!(somebody_elses.condition, Condition::Unchanged("\"e\"".to_owned()));
        assert_eq!(somebody_elses.metadata, None);
        let metadata = metadata("refs/heads/main", "Fix");
        for missing in [None, Some(REPOSITORY)] {
            let user = metadata.to_user_metadata().into_iter().filter(|(key, _)| Some(key.as_str()) != missing);
            let ours = user.fold(there.clone(), |answer, (key, value)| {
                answer.insert_header(format!("{HEADER_PREFIX}{key}").as_str(), value.as_str())
            });
            assert_eq!(found(ours).await.unwrap().metadata.as_ref(), Some(&metadata), "without {missing:?}");
        }
    }

    #[tokio::test]
    async fn an_artifact_of_another_repository_stays() {
        for named in ["gitlab.com/octo/hello", "github.com/Octo/hello", "x", ""] {
            let other = ResponseTemplate::new(200).insert_header("etag", "\"e\"");
            let error = found(other.insert_header("x-amz-meta-repository", named)).await.unwrap_err();
            assert!(matches!(&error, StoreError::OtherRepository { named: told, .. } if told == named), "{error}");
            assert_eq!(error.retry(), contract::Retry::Never);
        }
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
