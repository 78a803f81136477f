//! When the cleaner empties buckets, against a fake S3 whose buckets hold one object each.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use wiremock::{Mock, MockServer, Request as HttpRequest, Respond, ResponseTemplate, matchers::any};

use super::*;

/// The buckets that hold an object.
#[derive(Clone)]
struct S3(Arc<Mutex<BTreeSet<String>>>);

impl Respond for S3 {
    fn respond(&self, request: &HttpRequest) -> ResponseTemplate {
        let bucket = request.url.path().trim_matches('/');
        let asks_for = |name: &str| request.url.query_pairs().any(|(key, _)| key == name);
        let mut full = self.0.lock().unwrap();
        let body = match request.method.as_str() {
            "GET" if asks_for("uploads") => "<ListMultipartUploadsResult/>",
            "GET" if full.contains(bucket) => {
                "<ListVersionsResult><Version><Key>a.zip</Key><VersionId>v1</VersionId></Version></ListVersionsResult>"
            }
            "GET" => "<ListVersionsResult/>",
            _ => {
                full.remove(bucket);
                "<DeleteResult/>"
            }
        };
        ResponseTemplate::new(200).set_body_string(body)
    }
}

async fn serve(s3: &S3) -> (MockServer, BucketCleaner) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(s3.clone()).mount(&server).await;
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(server.uri())
        .force_path_style(true)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    (server, BucketCleaner { s3, quiet: Duration::from_millis(10) })
}

fn request() -> Request<Properties> {
    Request {
        stack_id: "arn:stack".into(),
        request_id: "r1".into(),
        logical_resource_id: "BucketCleaner".into(),
        physical_resource_id: Some("bucket-cleaner".into()),
        properties: Properties { buckets: vec!["output".parse().unwrap(), "keys".parse().unwrap()] },
        deadline: Instant::now() + Duration::from_mins(1),
    }
}

#[tokio::test]
async fn only_deletion_empties_all_buckets() {
    let s3 = S3(Arc::new(Mutex::new(["output", "keys"].map(str::to_owned).into())));
    let (server, resource) = serve(&s3).await;
    let created = resource.create(request()).await.unwrap();
    assert_eq!(resource.update(request()).await.unwrap(), created);
    assert!(server.received_requests().await.unwrap().is_empty());
    assert!(resource.owns(&created.physical_resource_id) && !resource.owns("never-made/r1"));

    resource.delete(request()).await.unwrap();
    assert!(s3.0.lock().unwrap().is_empty());
}
