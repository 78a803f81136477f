//! The pack of a repository's commit, cached in S3 for functions that start with an empty disk: it
//! downloads faster than from most Git hosts, and then only the changes are fetched.
//!
//! It is only a cache. Readers verify it by the IDs of its objects, and continue without it if it
//! can't be read or written. If several workers write at once, one succeeds.

use std::{collections::HashMap, fmt};

use aws_sdk_s3::{
    Client,
    error::{DisplayErrorContext, SdkError},
    operation::get_object::GetObjectError,
};
use contract::CommitId;
use tokio::io::AsyncBufRead;

use crate::{
    Object, PartWriter, Upload,
    description::{Condition, Description},
};

/// The user metadata with the commit.
const COMMIT: &str = "commit";
const CONTENT_TYPE: &str = "application/x-git-packed-objects";

/// A pack in the cache.
pub struct CachedPack {
    /// Its commit, according to its writer.
    pub commit: CommitId,
    /// Its length in bytes.
    pub length: u64,
    /// Its version.
    pub version: PackVersion,
    /// The pack's data.
    pub body: Box<dyn AsyncBufRead + Send + Unpin>,
}

/// The version of a pack: only that one is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackVersion(String);

impl fmt::Debug for CachedPack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedPack").field("commit", &self.commit).field("length", &self.length).finish_non_exhaustive()
    }
}

impl CachedPack {
    /// Opens the cached pack. `None` if it is missing or can't be read, which is logged.
    pub async fn open(client: &Client, object: &Object) -> Option<Self> {
        let answer = match client.get_object().bucket(object.bucket.as_str()).key(&object.key).send().await {
            Ok(answer) => answer,
            Err(error) => {
                if !is_absent(&error) {
                    tracing::warn!(%object, error = %DisplayErrorContext(&error), "could not read the cached pack");
                }
                return None;
            }
        };
        let commit = answer.metadata.as_ref()?.get(COMMIT)?.parse().ok()?;
        let length = answer.content_length.and_then(|length| length.try_into().ok())?;
        let version = PackVersion(answer.e_tag?);
        Some(Self { commit, length, version, body: Box::new(answer.body.into_async_read()) })
    }
}

impl Upload {
    /// Starts to upload the pack of a commit in place of the one that was `read`, if any. If
    /// another one was stored meanwhile, that one stays, and the upload ends with
    /// [`crate::StoreError::is_taken`].
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn start_pack(
        client: &Client,
        object: Object,
        commit: &CommitId,
        read: Option<PackVersion>,
    ) -> (PartWriter, Self) {
        let condition = read.map_or(Condition::Absent, |PackVersion(etag)| Condition::Unchanged(etag));
        let metadata = HashMap::from([(COMMIT.to_owned(), commit.to_string())]);
        Self::start_described(
            client,
            object,
            Description { content_type: CONTENT_TYPE, metadata, tag: None, condition },
        )
    }
}

fn is_absent(error: &SdkError<GetObjectError>) -> bool {
    error.as_service_error().is_some_and(GetObjectError::is_no_such_key)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tokio::io::AsyncReadExt as _;
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{header, header_exists, method, path},
    };

    use super::*;

    fn object() -> Object {
        Object { bucket: "cache".parse().unwrap(), key: "packs/github.com/o/r.pack".into() }
    }

    fn commit() -> CommitId {
        "a".repeat(40).parse().unwrap()
    }

    async fn store(client: Client, read: Option<PackVersion>) -> Result<crate::Stored, crate::StoreError> {
        let (mut writer, upload) = Upload::start_pack(&client, object(), &commit(), read);
        tokio::task::spawn_blocking(move || {
            writer.write_all(b"PACK").unwrap();
            writer.finish().ok();
        });
        upload.finish().await
    }

    #[tokio::test]
    async fn cached_pack_keeps_its_commit() {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(200)
            .insert_header("x-amz-meta-commit", commit().as_str())
            .insert_header("etag", "\"1\"")
            .set_body_bytes(b"PACK");
        Mock::given(method("GET"))
            .and(path("/cache/packs/github.com/o/r.pack"))
            .respond_with(answer)
            .mount(&server)
            .await;
        let mut pack = CachedPack::open(&crate::upload::tests::client(&server), &object()).await.unwrap();
        let mut bytes = Vec::new();
        pack.body.read_to_end(&mut bytes).await.unwrap();
        assert_eq!((bytes.as_slice(), pack.length, &pack.commit), (b"PACK".as_slice(), 4, &commit()));
        assert_eq!(pack.version, PackVersion("\"1\"".into()));
    }

    #[tokio::test]
    async fn missing_or_unnamed_pack_is_ignored() {
        let answers = [
            ResponseTemplate::new(404).set_body_string("<Error><Code>NoSuchKey</Code></Error>"),
            ResponseTemplate::new(403).set_body_string("<Error><Code>AccessDenied</Code></Error>"),
            ResponseTemplate::new(200).insert_header("etag", "\"1\"").set_body_bytes(b"PACK"),
            ResponseTemplate::new(200)
                .insert_header("etag", "\"1\"")
                .insert_header("x-amz-meta-commit", "none")
                .set_body_bytes(b"PACK"),
        ];
        for answer in answers {
            let server = MockServer::start().await;
            Mock::given(method("GET")).respond_with(answer).mount(&server).await;
            assert!(CachedPack::open(&crate::upload::tests::client(&server), &object()).await.is_none());
        }
    }

    #[tokio::test]
    async fn only_what_was_read_is_replaced() {
        let server = MockServer::start().await;
        let ok = || ResponseTemplate::new(200).insert_header("etag", "\"2\"");
        Mock::given(method("PUT")).and(header("if-none-match", "*")).respond_with(ok()).mount(&server).await;
        Mock::given(method("PUT")).and(header("if-match", "\"1\"")).respond_with(ok()).mount(&server).await;
        let taken = ResponseTemplate::new(412).set_body_string("<Error><Code>PreconditionFailed</Code></Error>");
        Mock::given(method("PUT")).and(header_exists("if-match")).respond_with(taken).mount(&server).await;
        let client = crate::upload::tests::client(&server);
        store(client.clone(), None).await.unwrap();
        store(client.clone(), Some(PackVersion("\"1\"".into()))).await.unwrap();
        let error = store(client, Some(PackVersion("\"0\"".into()))).await.unwrap_err();
        assert!(error.is_taken(), "{error:?}");
    }
}
