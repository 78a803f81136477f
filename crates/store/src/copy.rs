//! Copies a zip within the bucket: onto itself, since S3 can't change an object's metadata, or
//! between the key of its commit and the key that moves with its reference. Nothing is downloaded.

use aws_sdk_s3::{
    Client,
    types::{ChecksumAlgorithm, CompletedPart, MetadataDirective, TaggingDirective},
};
use contract::url_path;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    Object, StoreError, Stored,
    description::Description,
    upload::{Begun, Target},
};

/// The largest object that S3 can [copy in one
/// request](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html), in bytes.
pub(crate) const MOST: u64 = 5 << 30;

/// The parts of a larger object, in bytes: 5,000 for the [largest
/// object](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html), of 10,000 that S3
/// allows.
const PART: u64 = 1 << 30;

/// How many parts are copied at once.
const PARTS_AT_ONCE: usize = 8;

/// Copies an object to `target`, with other metadata. If the original was replaced meanwhile, or
/// the target, that stays, and the error is [`is_taken`](StoreError::is_taken).
///
/// Requires `s3:GetObject` and `s3:PutObject`. Tags of the original aren't copied.
///
/// # Errors
/// [`StoreError::Copy`] if S3 refuses.
pub(crate) async fn copy(client: &Client, original: &Stored, target: Target) -> Result<Stored, StoreError> {
    if original.bytes <= MOST { whole(client, original, target).await } else { in_parts(original, target, PART).await }
}

/// The original for the header `x-amz-copy-source`.
fn source(original: &Object) -> String {
    format!("{}/{}", original.bucket, url_path::encoded(&original.key))
}

async fn whole(client: &Client, original: &Stored, target: Target) -> Result<Stored, StoreError> {
    let Target { object, description, .. } = target;
    let tagging = description.tagging();
    let Description { content_type, metadata, condition, .. } = description;
    let request = client.copy_object().bucket(object.bucket.as_str()).key(&object.key);
    let request = request.copy_source(source(&original.object)).set_copy_source_if_match(original.etag.clone());
    let request = request.set_if_match(condition.if_match()).set_if_none_match(condition.if_none_match());
    let request = request.metadata_directive(MetadataDirective::Replace).set_metadata(Some(metadata));
    let request = request.tagging_directive(TaggingDirective::Replace).set_tagging(tagging).content_type(content_type);
    match request.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await {
        Ok(copied) => Ok(Stored {
            object,
            version_id: copied.version_id,
            etag: copied.copy_object_result.and_then(|result| result.e_tag),
            bytes: original.bytes,
            sha256: original.sha256.clone(),
        }),
        Err(error) => Err(StoreError::Copy { object, source: Box::new(error.into()) }),
    }
}

async fn in_parts(original: &Stored, target: Target, part: u64) -> Result<Stored, StoreError> {
    let begun = target.begin().await?;
    let ranges = (0..original.bytes.div_ceil(part)).map(|index| (index * part, (index + 1) * part));
    let ranges = ranges.zip(1..).map(|((first, end), number)| (number, first, end.min(original.bytes)));
    let copies = stream::iter(ranges).map(|(number, first, end)| begun.copy_part(original, number, first..end));
    let result = match copies.buffer_unordered(PARTS_AT_ONCE).try_collect().await {
        Ok(parts) => begun.complete(&target, parts, original.sha256.clone()).await,
        Err(error) => Err(error),
    };
    begun.end(result).await
}

impl Begun {
    async fn copy_part(
        &self,
        original: &Stored,
        number: i32,
        bytes: std::ops::Range<u64>,
    ) -> Result<(CompletedPart, u64), StoreError> {
        let request = self.client.upload_part_copy().bucket(self.object.bucket.as_str()).key(&self.object.key);
        let request = request.set_upload_id(self.upload_id.clone()).part_number(number);
        let request = request.copy_source(source(&original.object)).set_copy_source_if_match(original.etag.clone());
        let range = format!("bytes={}-{}", bytes.start, bytes.end - 1);
        let answer = request.copy_source_range(range).send().await.map_err(|error| StoreError::Part {
            object: self.object.clone(),
            number,
            source: Box::new(error.into()),
        })?;
        let (etag, checksum) =
            answer.copy_part_result.map(|part| (part.e_tag, part.checksum_crc32)).unwrap_or_default();
        let part = CompletedPart::builder().part_number(number).set_e_tag(etag).set_checksum_crc32(checksum).build();
        Ok((part, bytes.end - bytes.start))
    }
}

#[cfg(test)]
mod tests {
    use wiremock::{
        Mock, MockServer, Request, ResponseTemplate,
        matchers::{header, header_exists, method},
    };

    use super::*;
    use crate::{description::Condition, upload::tests::client};

    fn object(key: &str) -> Object {
        Object { bucket: "zips".parse().unwrap(), key: key.to_owned() }
    }

    fn original(bytes: u64) -> Stored {
        let object = object("octo/hello/commit/a b/octo_hello.zip");
        Stored { object, version_id: Some("v1".into()), etag: Some("\"e\"".into()), bytes, sha256: "f".repeat(64) }
    }

    fn target(server: &MockServer, condition: Condition) -> Target {
        let metadata = [("commit".to_owned(), "a".repeat(40))].into();
        let description =
            Description { content_type: "application/zip", metadata, tag: Some(("git2s3", "commit")), condition };
        Target { client: client(server), object: object("octo/hello/octo_hello.zip"), description }
    }

    #[tokio::test]
    async fn copy_replaces_only_found_object() {
        for (condition, name, value) in
            [(Condition::Absent, "if-none-match", "*"), (Condition::Unchanged("\"o\"".to_owned()), "if-match", "\"o\"")]
        {
            let server = MockServer::start().await;
            let copied = "<CopyObjectResult><ETag>\"e2\"</ETag></CopyObjectResult>";
            Mock::given(method("PUT"))
                .and(header("x-amz-copy-source", "zips/octo/hello/commit/a%20b/octo_hello.zip"))
                .and(header("x-amz-copy-source-if-match", "\"e\""))
                .and(header(name, value))
                .and(header("x-amz-metadata-directive", "REPLACE"))
                .and(header("x-amz-tagging-directive", "REPLACE"))
                .and(header("x-amz-tagging", "git2s3=commit"))
                .and(header("x-amz-meta-commit", "a".repeat(40).as_str()))
                .and(header("content-type", "application/zip"))
                .respond_with(
                    ResponseTemplate::new(200).set_body_string(copied).insert_header("x-amz-version-id", "v2"),
                )
                .mount(&server)
                .await;
            let stored = copy(&client(&server), &original(MOST), target(&server, condition)).await.unwrap();
            assert_eq!((stored.version_id.as_deref(), stored.bytes), (Some("v2"), MOST));
            assert_eq!((stored.etag.as_deref(), stored.sha256), (Some("\"e2\""), "f".repeat(64)));
        }
    }

    #[tokio::test]
    async fn concurrent_change_prevents_copy() {
        let server = MockServer::start().await;
        let refused = "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>";
        let refused = ResponseTemplate::new(412).set_body_string(refused);
        Mock::given(method("PUT")).respond_with(refused).mount(&server).await;
        let error = copy(&client(&server), &original(7), target(&server, Condition::Absent)).await.unwrap_err();
        assert!(error.is_taken() && matches!(error, StoreError::Copy { .. }), "{error:?}");
    }

    /// A bucket that copies parts, and reports each range.
    async fn parts() -> MockServer {
        let server = MockServer::start().await;
        let begun = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
        let completed = "<CompleteMultipartUploadResult><ETag>\"e2\"</ETag></CompleteMultipartUploadResult>";
        let post = move |request: &Request| {
            let is_begin = request.url.query().is_some_and(|query| query.contains("uploads"));
            ResponseTemplate::new(200).set_body_string(if is_begin { begun } else { completed })
        };
        Mock::given(method("POST")).respond_with(post).mount(&server).await;
        Mock::given(method("DELETE")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
        server
    }

    #[tokio::test]
    async fn oversized_object_is_copied_in_parts() {
        let server = parts().await;
        let part = "<CopyPartResult><ETag>\"p\"</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></CopyPartResult>";
        Mock::given(method("PUT"))
            .and(header("x-amz-copy-source-if-match", "\"e\""))
            .respond_with(ResponseTemplate::new(200).set_body_string(part))
            .mount(&server)
            .await;
        let target = target(&server, Condition::Unchanged("\"o\"".to_owned()));
        let stored = in_parts(&original(25), target, 10).await.unwrap();
        assert_eq!((stored.bytes, stored.etag.as_deref()), (25, Some("\"e2\"")));
        let requests = server.received_requests().await.unwrap();
        let mut ranges: Vec<_> =
            requests.iter().filter_map(|request| request.headers.get("x-amz-copy-source-range")).collect();
        ranges.sort();
        assert_eq!(ranges, ["bytes=0-9", "bytes=10-19", "bytes=20-24"]);
        let begin = &requests[0];
        assert_eq!(
            (&begin.headers["x-amz-tagging"], &begin.headers["x-amz-meta-commit"].len()),
            (&"git2s3=commit".parse().unwrap(), &40)
        );
        let complete = requests.iter().rfind(|request| request.method == "POST").unwrap();
        assert_eq!(complete.headers["if-match"], "\"o\"");
        let body = String::from_utf8_lossy(&complete.body);
        assert_eq!(body.matches("<ChecksumCRC32>AAAAAA==</ChecksumCRC32>").count(), 3, "{body}");
    }

    #[tokio::test]
    async fn refused_part_aborts_copy() {
        let server = parts().await;
        let refused = "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>";
        Mock::given(method("PUT"))
            .and(header_exists("x-amz-copy-source-range"))
            .respond_with(ResponseTemplate::new(412).set_body_string(refused))
            .mount(&server)
            .await;
        let error = in_parts(&original(25), target(&server, Condition::Absent), 10).await.unwrap_err();
        assert!(error.is_taken() && matches!(error, StoreError::Part { .. }), "{error:?}");
        let requests = server.received_requests().await.unwrap();
        assert!(requests.iter().any(|request| request.method == "DELETE"));
    }
}
