//! Uploads against a fake S3 of canned responses. What matters is which requests are made.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use contract::Retry;
use tokio::sync::Notify;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use super::*;
use crate::{ArtifactMetadata, description::Condition};

const SIZES: PartSizes = PartSizes { alone: 10, first: 10, step: 1000 };

/// What reached the bucket.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Seen {
    put: Option<Vec<u8>>,
    begun: bool,
    parts: BTreeMap<u32, Vec<u8>>,
    completed: Vec<u32>,
    aborted: bool,
}

#[derive(Clone, Default)]
struct S3 {
    seen: Arc<Mutex<Seen>>,
    /// Responds `AccessDenied` to requests that match.
    deny: Option<fn(&Request) -> bool>,
    aborted: Arc<Notify>,
    part_came: Arc<Notify>,
}

fn query(request: &Request, name: &str) -> Option<String> {
    request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn is_part(request: &Request) -> bool {
    query(request, "partNumber").is_some()
}

impl Respond for S3 {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if self.deny.is_some_and(|deny| deny(request)) {
            return ResponseTemplate::new(403)
                .set_body_string("<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
        }
        let mut seen = self.seen.lock().unwrap();
        let ok = ResponseTemplate::new(200).insert_header("etag", "\"e\"").insert_header("x-amz-version-id", "v");
        match request.method.as_str() {
            "POST" if query(request, "uploads").is_some() => {
                assert_eq!(request.headers["x-amz-meta-tree"], "b".repeat(40).as_str());
                assert_eq!(request.headers["content-type"], "application/zip");
                seen.begun = true;
                ok.set_body_string(
                    "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>",
                )
            }
            "PUT" if is_part(request) => {
                assert_eq!(query(request, "uploadId").unwrap(), "u1");
                let number = query(request, "partNumber").unwrap().parse().unwrap();
                seen.parts.insert(number, request.body.clone());
                self.part_came.notify_one();
                ok.insert_header("x-amz-checksum-crc32", request.headers["x-amz-checksum-crc32"].clone())
            }
            "POST" => {
                let body = String::from_utf8(request.body.clone()).unwrap();
                let numbers = body.split("<PartNumber>").skip(1);
                seen.completed = numbers.map(|part| part.split_once('<').unwrap().0.parse().unwrap()).collect();
                assert_eq!(body.matches("<ChecksumCRC32>").count(), seen.completed.len());
                ok.set_body_string(
                    "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>",
                )
            }
            "DELETE" => {
                seen.aborted = true;
                self.aborted.notify_one();
                ResponseTemplate::new(204)
            }
            "PUT" => {
                assert!(request.headers.contains_key("x-amz-checksum-crc32"));
                assert_eq!(request.headers["x-amz-meta-commit"], "a".repeat(40).as_str());
                seen.put = Some(request.body.clone());
                ok
            }
            "HEAD" => ResponseTemplate::new(404),
            other => panic!("unexpected {other} {}", request.url),
        }
    }
}

impl S3 {
    fn denying(deny: fn(&Request) -> bool) -> Self {
        Self { deny: Some(deny), ..Self::default() }
    }

    async fn serve(&self) -> (MockServer, Client) {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(self.clone()).mount(&server).await;
        let client = client(&server);
        (server, client)
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

/// A client without retries for `server`.
pub(crate) fn client(server: &MockServer) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(server.uri())
        .force_path_style(true)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Client::from_conf(config.build())
}

fn object() -> Object {
    Object { bucket: "output".parse().unwrap(), key: "octo-org/hello/octo-org_hello.zip".into() }
}

fn start(client: &Client) -> (PartWriter, Upload) {
    let metadata = ArtifactMetadata {
        repository: "github.com/octo/hello".parse().unwrap(),
        commit: "a".repeat(40).parse().unwrap(),
        tree: Some("b".repeat(40)),
        reference: "refs/heads/main".parse().unwrap(),
        delivery_id: "d1".parse().unwrap(),
        summary: "Fix".into(),
        previous: None,
        worker: None,
        sha256: None,
    };
    Upload::start_with(client, object(), metadata.describe(Condition::Always), SIZES)
}

/// Uploads `length` bytes with a successful producer.
async fn upload(client: &Client, length: usize) -> Result<Stored, StoreError> {
    let (mut writer, upload) = start(client);
    let producer = tokio::task::spawn_blocking(move || {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        writer.write_all(&bytes)?;
        writer.finish()
    });
    let result = upload.finish().await;
    assert!(producer.await.unwrap().is_ok() || result.is_err());
    result
}

#[tokio::test]
async fn small_upload_uses_single_put() {
    for length in [0, 1, 10] {
        let s3 = S3::default();
        let (_server, client) = s3.serve().await;
        let stored = upload(&client, length).await.unwrap();
        assert_eq!((stored.bytes, stored.version_id.as_deref()), (length as u64, Some("v")));
        let seen = s3.seen();
        assert_eq!(seen.put.unwrap().len(), length);
        assert!(!seen.begun);
    }
}

#[tokio::test]
async fn large_upload_completes_parts_in_order() {
    let s3 = S3::default();
    let (_server, client) = s3.serve().await;
    let stored = upload(&client, 95).await.unwrap();
    assert_eq!((stored.bytes, stored.etag.as_deref()), (95, Some("\"whole\"")));
    let seen = s3.seen();
    assert_eq!(seen.completed, (1..=10).collect::<Vec<_>>());
    assert_eq!(seen.parts.into_values().flatten().collect::<Vec<_>>(), (0..95).collect::<Vec<u8>>());
    assert!(!seen.aborted && seen.put.is_none());
}

/// Uploads 95 bytes while S3 refuses some requests. Nothing may be completed.
async fn refused(deny: fn(&Request) -> bool) -> (StoreError, Seen) {
    let s3 = S3::denying(deny);
    let (_server, client) = s3.serve().await;
    let error = upload(&client, 95).await.unwrap_err();
    let seen = s3.seen();
    assert!(seen.completed.is_empty());
    (error, seen)
}

#[tokio::test]
async fn a_refused_part_aborts() {
    let (error, seen) = refused(|request| query(request, "partNumber").as_deref() == Some("3")).await;
    assert!(matches!(error, StoreError::Part { number: 3, .. }), "{error}");
    assert_eq!(error.to_string(), "could not upload part 3 of s3://output/octo-org/hello/octo-org_hello.zip");
    assert_eq!(error.retry(), Retry::Again);
    assert!(seen.aborted);
}

#[tokio::test]
async fn a_refused_completion_aborts() {
    let (error, seen) = refused(|request| request.method == "POST" && query(request, "uploadId").is_some()).await;
    assert!(matches!(error, StoreError::Complete { .. }), "{error}");
    assert!(seen.aborted);
}

#[tokio::test]
async fn refused_start_leaves_nothing_to_abort() {
    let (error, seen) = refused(|request| query(request, "uploads").is_some()).await;
    assert!(matches!(error, StoreError::Begin { .. }), "{error}");
    assert_eq!(seen, Seen::default());
}

#[tokio::test]
async fn error_after_success_status_fails() {
    let s3 = S3::default();
    let (server, client) = s3.serve().await;
    // S3 sends the status 200 before it knows the outcome, and reports the failure in the body.
    let failed = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>no</Message></Error>";
    Mock::given(wiremock::matchers::method("POST"))
        .and(wiremock::matchers::query_param("uploadId", "u1"))
        .respond_with(ResponseTemplate::new(200).set_body_string(failed))
        .with_priority(1)
        .mount(&server)
        .await;
    assert!(matches!(upload(&client, 95).await.unwrap_err(), StoreError::Complete { .. }));
    assert!(s3.seen().aborted);
}

#[tokio::test]
async fn failed_producer_leaves_no_object() {
    for written in [0, 5, 95] {
        let s3 = S3::default();
        let (_server, client) = s3.serve().await;
        let (mut writer, upload) = start(&client);
        let producer = tokio::task::spawn_blocking(move || writer.write_all(&vec![0; written]));
        let error = upload.finish().await.unwrap_err();
        producer.await.unwrap().unwrap();
        assert!(matches!(error, StoreError::Unfinished { .. }), "{error}");
        let seen = s3.seen();
        assert!(seen.put.is_none() && seen.completed.is_empty());
        assert_eq!(seen.aborted, seen.begun);
        assert_eq!(seen.begun, written > SIZES.first);
    }
}

#[tokio::test]
async fn a_dropped_upload_aborts() {
    let s3 = S3::default();
    let (_server, client) = s3.serve().await;
    let (mut writer, upload) = start(&client);
    let producer = tokio::task::spawn_blocking(move || {
        writer.write_all(&[0; 25])?;
        Ok::<_, std::io::Error>(writer)
    });
    s3.part_came.notified().await;
    drop(upload);
    tokio::time::timeout(Duration::from_secs(10), s3.aborted.notified()).await.unwrap();
    let writer = producer.await.unwrap().unwrap();
    let finished = tokio::task::spawn_blocking(|| writer.finish()).await.unwrap();
    assert_eq!(finished.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    assert!(s3.seen().completed.is_empty());
}

#[tokio::test]
async fn absent_object_differs_from_refusal() {
    let (_server, client) = S3::default().serve().await;
    let repository = "github.com/octo/hello".parse().unwrap();
    assert!(crate::find(&client, &object(), &repository).await.unwrap().metadata.is_none());
    let (_server, client) = S3::denying(|request| request.method == "HEAD").serve().await;
    assert!(matches!(crate::find(&client, &object(), &repository).await.unwrap_err(), StoreError::Head { .. }));
}
