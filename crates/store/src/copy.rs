//! Relabels an existing zip for another commit. S3 can't change an object's metadata, but can copy
//! the object onto itself with new metadata, as a new version.

use aws_sdk_s3::{
    Client,
    types::{ChecksumAlgorithm, MetadataDirective, TaggingDirective},
};
use contract::url_path;

use crate::{ArtifactMetadata, Found, Object, StoreError, Stored, description::Description};

/// The largest object that S3 can [copy in one
/// request](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html), in bytes.
const MOST: u64 = 5 << 30;

impl Found {
    /// Whether there is an artifact that can be [copied](copy).
    pub fn can_be_copied(&self) -> bool {
        self.metadata.is_some() && self.bytes <= MOST
    }
}

/// Gives the [found](crate::find) artifact new metadata. If something else was stored meanwhile,
/// that stays, and the error is [`is_taken`](StoreError::is_taken).
///
/// Requires `s3:GetObject` and `s3:PutObject`. Tags set by others stay with the old version.
///
/// # Errors
/// [`StoreError::Copy`] if S3 refuses.
pub async fn copy(
    client: &Client,
    object: &Object,
    metadata: &ArtifactMetadata,
    found: &Found,
) -> Result<Stored, StoreError> {
    let Description { content_type, metadata, condition } = metadata.describe(found);
    let source = format!("{}/{}", object.bucket, url_path::encoded(&object.key));
    let request = client.copy_object().bucket(object.bucket.as_str()).key(&object.key).copy_source(source);
    let request = request.set_copy_source_if_match(condition.if_match()).set_if_match(condition.if_match());
    let request = request.metadata_directive(MetadataDirective::Replace).set_metadata(Some(metadata));
    let request = request.tagging_directive(TaggingDirective::Replace).content_type(content_type);
    match request.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await {
        Ok(copied) => Ok(Stored {
            object: object.clone(),
            version_id: copied.version_id,
            etag: copied.copy_object_result.and_then(|result| result.e_tag),
            bytes: found.bytes,
        }),
        Err(error) => Err(StoreError::Copy { object: object.clone(), source: Box::new(error.into()) }),
    }
}

#[cfg(test)]
mod tests {
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{header, method},
    };

    use super::*;
    use crate::{find, upload::tests::client};

    fn metadata() -> ArtifactMetadata {
        ArtifactMetadata {
            repository: "github.com/octo/hello".parse().unwrap(),
            commit: "a".repeat(40).parse().unwrap(),
            tree: Some("b".repeat(40)),
            reference: "refs/heads/main".parse().unwrap(),
            delivery_id: "d-1".parse().unwrap(),
            summary: "Again".to_owned(),
        }
    }

    fn object() -> Object {
        Object { bucket: "zips".parse().unwrap(), key: "octo/hello/branch/a b/octo_hello.zip".to_owned() }
    }

    /// A bucket with an artifact of this many bytes.
    async fn bucket(bytes: u64) -> MockServer {
        let server = MockServer::start().await;
        let head = metadata().to_user_metadata().into_iter().fold(ResponseTemplate::new(200), |head, (key, value)| {
            head.insert_header(format!("x-amz-meta-{key}"), value)
        });
        let head = head.insert_header("etag", "\"e\"").insert_header("content-length", bytes.to_string());
        Mock::given(method("HEAD")).respond_with(head).mount(&server).await;
        server
    }

    async fn found(server: &MockServer) -> Found {
        find(&client(server), &object(), &metadata().repository).await.unwrap()
    }

    #[tokio::test]
    async fn an_artifact_is_copied_onto_itself() {
        let server = bucket(7).await;
        let copied = "<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>";
        Mock::given(method("PUT"))
            .and(header("x-amz-copy-source", "zips/octo/hello/branch/a%20b/octo_hello.zip"))
            .and(header("x-amz-copy-source-if-match", "\"e\""))
            .and(header("if-match", "\"e\""))
            .and(header("x-amz-metadata-directive", "REPLACE"))
            .and(header("x-amz-tagging-directive", "REPLACE"))
            .and(header("x-amz-meta-commit", "a".repeat(40).as_str()))
            .and(header("content-type", "application/zip"))
            .respond_with(ResponseTemplate::new(200).set_body_string(copied).insert_header("x-amz-version-id", "v2"))
            .mount(&server)
            .await;
        let found = found(&server).await;
        assert!(found.can_be_copied());
        let stored = copy(&client(&server), &object(), &metadata(), &found).await.unwrap();
        assert_eq!((stored.version_id.as_deref(), stored.bytes), (Some("v2"), 7));
    }

    #[tokio::test]
    async fn concurrent_change_prevents_copy() {
        let server = bucket(7).await;
        let refused = "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>";
        let refused = ResponseTemplate::new(412).set_body_string(refused);
        Mock::given(method("PUT")).respond_with(refused).mount(&server).await;
        let error = copy(&client(&server), &object(), &metadata(), &found(&server).await).await.unwrap_err();
        assert!(error.is_taken() && matches!(error, StoreError::Copy { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn oversized_object_is_not_copied() {
        assert!(found(&bucket(MOST).await).await.can_be_copied());
        assert!(!found(&bucket(MOST + 1).await).await.can_be_copied());
    }
}
