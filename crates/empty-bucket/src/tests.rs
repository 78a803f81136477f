//! Emptying against a fake S3 that pages, refuses and forgets like the real one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use wiremock::{Mock, MockServer, Request as HttpRequest, Respond, ResponseTemplate, matchers::any};

use super::*;

#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Key, version ID, and whether it is a delete marker.
    pub(crate) versions: BTreeMap<(String, String), bool>,
    /// Key and upload ID.
    pub(crate) uploads: BTreeSet<(String, String)>,
    /// How often each key will still refuse deletion.
    pub(crate) refusals: BTreeMap<String, usize>,
    /// The sizes of the delete requests.
    pub(crate) batches: Vec<usize>,
    /// How often the versions were listed.
    pub(crate) listings: usize,
    /// Before which listings another writer stores an object.
    pub(crate) stores_before: BTreeSet<usize>,
}

#[derive(Clone, Default)]
pub(crate) struct S3(pub(crate) Arc<Mutex<BTreeMap<String, Bucket>>>);

fn between<'a>(text: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    text.split(start).skip(1).map(|rest| rest.split_once(end).unwrap().0).collect()
}

impl Respond for S3 {
    fn respond(&self, request: &HttpRequest) -> ResponseTemplate {
        let path = request.url.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query: BTreeMap<_, _> = request.url.query_pairs().into_owned().collect();
        let mut buckets = self.0.lock().unwrap();
        let Some(bucket) = buckets.get_mut(bucket) else {
            return ResponseTemplate::new(404).set_body_string("<Error><Code>NoSuchBucket</Code></Error>");
        };
        let marker = |name: &str| query.get(name).cloned().unwrap_or_default();
        match request.method.as_str() {
            "GET" if query.contains_key("versions") => {
                bucket.list_versions(&(marker("key-marker"), marker("version-id-marker")))
            }
            "GET" if query.contains_key("uploads") => {
                bucket.list_uploads(&(marker("key-marker"), marker("upload-id-marker")))
            }
            "POST" if query.contains_key("delete") => bucket.delete(std::str::from_utf8(&request.body).unwrap()),
            "DELETE" => {
                let was_there = bucket.uploads.remove(&(key.to_owned(), marker("uploadId")));
                ResponseTemplate::new(if was_there { 204 } else { 404 })
            }
            other => panic!("unexpected {other} {}", request.url),
        }
    }
}

impl Bucket {
    fn list_versions(&mut self, after: &(String, String)) -> ResponseTemplate {
        self.listings += 1;
        if self.stores_before.contains(&self.listings) {
            self.versions.insert(("late.zip".to_owned(), format!("l{}", self.listings)), false);
        }
        let mut body = String::from("<ListVersionsResult>");
        let mut rest = self.versions.iter().filter(|(id, _)| *id > after);
        let page: Vec<_> = rest.by_ref().take(1000).collect();
        for ((key, version), is_marker) in &page {
            let element = if **is_marker { "DeleteMarker" } else { "Version" };
            write!(body, "<{element}><Key>{key}</Key><VersionId>{version}</VersionId></{element}>").unwrap();
        }
        if let (Some(((key, version), _)), true) = (page.last(), rest.next().is_some()) {
            write!(body, "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>").unwrap();
            write!(body, "<NextVersionIdMarker>{version}</NextVersionIdMarker>").unwrap();
        }
        ResponseTemplate::new(200).set_body_string(body + "</ListVersionsResult>")
    }

    /// Pages of two.
    fn list_uploads(&self, after: &(String, String)) -> ResponseTemplate {
        let mut body = String::from("<ListMultipartUploadsResult>");
        let mut rest = self.uploads.iter().filter(|id| *id > after);
        let page: Vec<_> = rest.by_ref().take(2).collect();
        for (key, upload) in &page {
            write!(body, "<Upload><Key>{key}</Key><UploadId>{upload}</UploadId></Upload>").unwrap();
        }
        if let (Some((key, upload)), true) = (page.last(), rest.next().is_some()) {
            write!(body, "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>").unwrap();
            write!(body, "<NextUploadIdMarker>{upload}</NextUploadIdMarker>").unwrap();
        }
        ResponseTemplate::new(200).set_body_string(body + "</ListMultipartUploadsResult>")
    }

    fn delete(&mut self, request: &str) -> ResponseTemplate {
        assert!(request.contains("<Quiet>true</Quiet>"));
        let keys = between(request, "<Key>", "</Key>");
        let versions = between(request, "<VersionId>", "</VersionId>");
        assert_eq!(keys.len(), versions.len(), "every deletion names a version");
        assert!(keys.len() <= 1000);
        self.batches.push(keys.len());
        let mut body = String::from("<DeleteResult>");
        for (key, version) in keys.into_iter().zip(versions) {
            match self.refusals.get_mut(key) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    write!(body, "<Error><Key>{key}</Key><Code>InternalError</Code>").unwrap();
                    write!(body, "<Message>We encountered an internal error.</Message></Error>").unwrap();
                }
                _ => drop(self.versions.remove(&(key.to_owned(), version.to_owned()))),
            }
        }
        ResponseTemplate::new(200).set_body_string(body + "</DeleteResult>")
    }

    /// `count` versions, ten per key, every third a delete marker.
    pub(crate) fn with(count: usize) -> Self {
        let version =
            |number: usize| ((format!("a/{:05}.zip", number / 10), format!("v{number:06}")), number.is_multiple_of(3));
        Self { versions: (0..count).map(version).collect(), ..Self::default() }
    }
}

impl S3 {
    pub(crate) fn of(buckets: impl IntoIterator<Item = (&'static str, Bucket)>) -> Self {
        Self(Arc::new(Mutex::new(buckets.into_iter().map(|(name, bucket)| (name.to_owned(), bucket)).collect())))
    }

    pub(crate) async fn serve(&self) -> (MockServer, Client) {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(self.clone()).mount(&server).await;
        let client = client(&server);
        (server, client)
    }
}

fn client(server: &MockServer) -> Client {
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

pub(crate) fn later() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

pub(crate) fn output() -> BucketName {
    "output".parse().unwrap()
}

/// Empties the bucket `output` of `s3`.
async fn emptied(s3: &S3, deadline: Instant) -> Result<u64, EmptyError> {
    let (_server, client) = s3.serve().await;
    empty(&client, &output(), deadline, |_| ()).await
}

#[tokio::test]
async fn attack_13_large_bucket_is_emptied() {
    let uploads = (0..5).map(|number| ("a/0.zip".to_owned(), format!("u{number}"))).collect();
    let s3 = S3::of([("output", Bucket { uploads, ..Bucket::with(50_500) })]);
    assert_eq!(emptied(&s3, later()).await.unwrap(), 50_500);
    let bucket = &s3.0.lock().unwrap()["output"];
    assert!(bucket.versions.is_empty() && bucket.uploads.is_empty());
    assert_eq!(bucket.batches.len(), 51);
}

#[tokio::test]
async fn temporary_refusal_is_retried() {
    let refusals = BTreeMap::from([("a/00000.zip".to_owned(), 10)]);
    let s3 = S3::of([("output", Bucket { refusals, ..Bucket::with(1_200) })]);
    assert_eq!(emptied(&s3, later()).await.unwrap(), 1_200);
    assert!(s3.0.lock().unwrap()["output"].versions.is_empty());
}

#[tokio::test]
async fn refused_versions_fail_after_rest_deleted() {
    let refusals = BTreeMap::from([("a/00007.zip".to_owned(), usize::MAX)]);
    let s3 = S3::of([("output", Bucket { refusals, ..Bucket::with(1_200) })]);
    assert_eq!(
        emptied(&s3, later()).await.unwrap_err().to_string(),
        "could not delete 10 versions in output, such as a/00007.zip: InternalError We encountered an internal error."
    );
    assert_eq!(s3.0.lock().unwrap()["output"].versions.len(), 10);
}

#[tokio::test]
async fn missing_bucket_counts_as_empty() {
    assert_eq!(emptied(&S3::default(), later()).await.unwrap(), 0);
}

#[tokio::test]
async fn next_run_finishes_timed_out_deletion() {
    let s3 = S3::of([("output", Bucket::with(50))]);
    let error = emptied(&s3, Instant::now()).await.unwrap_err();
    assert!(matches!(error, EmptyError::OutOfTime { deleted: 0, .. }), "{error}");
    assert!(error.to_string().ends_with("delete the stack again: it continues from there"));
    assert_eq!(emptied(&s3, later()).await.unwrap(), 50);
}

#[tokio::test]
async fn a_refused_listing_is_an_error() {
    let server = MockServer::start().await;
    let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    Mock::given(any()).respond_with(ResponseTemplate::new(403).set_body_string(denied)).mount(&server).await;
    let error = empty(&client(&server), &output(), later(), |_| ()).await.unwrap_err();
    assert!(matches!(error, EmptyError::ListUploads { .. }), "{error}");
    assert_eq!(error.code(), Some("AccessDenied"));
}

#[tokio::test]
async fn progress_counts_up_to_the_whole() {
    let s3 = S3::of([("output", Bucket::with(2_500))]);
    let (_server, client) = s3.serve().await;
    let told = Mutex::new(Vec::new());
    let deleted = empty(&client, &output(), later(), |so_far| told.lock().unwrap().push(so_far)).await.unwrap();
    let told = told.into_inner().unwrap();
    assert!(told.is_sorted() && told.len() == 3, "{told:?}");
    assert_eq!(told.last(), Some(&deleted));
}
