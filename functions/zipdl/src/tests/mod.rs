//! Jobs against hosts that misbehave like real hosts or like attackers. A fake S3 counts what is
//! stored.

mod server;
mod statuses;

use std::{
    io::{Cursor, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use aws_sdk_s3::config::{BehaviorVersion, Credentials as AwsCredentials, Region, SharedCredentialsProvider};
use commit_status::Statuses;
use contract::{DeletedReferences, Job, KeepCommits, KeyLayout, PermitError, Retry, Trigger, error_chain};
use events::Bus;
use host_credentials::HostCredentials;
use https::{Client, HttpsError};
use jobs::JobError as _;
use secrecy::SecretString;
use secret::SecretSource;
use store::Output;
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{header, header_exists, method},
};

use self::server::{Answer, Authority, Server, facts};
use crate::{download::Downloader, error::ZipDlError};

const TOKEN: &str = "t0ken";

struct Secrets;

impl SecretSource for Secrets {
    async fn read(&self) -> Result<SecretString> {
        Ok(r#"{"GitToken":"127.0.0.1=t0ken","OAuthKey":"key","OAuthSecret":"s3cret"}"#.into())
    }
}

/// A host's zip, with everything in one folder.
fn zip(folder: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(format!("{folder}a.txt"), zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all("text, ".repeat(1000).as_bytes()).unwrap();
    zip.start_file(format!("{folder}b/c.txt"), zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"more").unwrap();
    zip.finish().unwrap().into_inner()
}

/// A fake S3 with this response about the existing object, and an EventBridge.
async fn s3(there: ResponseTemplate) -> (MockServer, aws_sdk_s3::Client, Bus) {
    let server = MockServer::start().await;
    Mock::given(method("HEAD")).respond_with(there).mount(&server).await;
    let none = ResponseTemplate::new(200).set_body_string("<Tagging><TagSet></TagSet></Tagging>");
    Mock::given(method("GET")).and(is_of_tags).respond_with(none).with_priority(2).mount(&server).await;
    Mock::given(method("PUT")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let taken = ResponseTemplate::new(200).set_body_json(serde_json::json!({ "FailedEntryCount": 0, "Entries": [] }));
    Mock::given(header("x-amz-target", "AWSEvents.PutEvents")).respond_with(taken).mount(&server).await;
    let config = lambda_init::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(AwsCredentials::for_tests()))
        .endpoint_url(server.uri())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    (server, aws_sdk_s3::Client::from_conf(s3), Bus::new(&config))
}

fn is_of_tags(request: &Request) -> bool {
    request.url.query().is_some_and(|query| query.contains("tagging"))
}

/// A stack with one host, on this machine.
struct World {
    authority: Authority,
    s3: MockServer,
    client: aws_sdk_s3::Client,
    /// Of the same server.
    bus: Bus,
    max_bytes: u64,
    trusts: bool,
    deleted_references: DeletedReferences,
}

impl World {
    async fn new() -> Self {
        Self::with(ResponseTemplate::new(404)).await
    }

    /// With an existing artifact of this repository, commit and tree.
    async fn with_artifact(repository: &str, commit: &str, tree: &str) -> Self {
        let there = ResponseTemplate::new(200).insert_header("etag", "\"e\"");
        let there = there.insert_header("x-amz-meta-repository", repository).insert_header("x-amz-meta-commit", commit);
        let there = there.insert_header("x-amz-meta-tree", tree).insert_header("x-amz-meta-ref", "refs/heads/main");
        Self::with(there.insert_header("x-amz-meta-delivery-id", "d-0")).await
    }

    async fn with(there: ResponseTemplate) -> Self {
        let (s3, client, bus) = s3(there).await;
        let (authority, deleted_references) = (Authority::new().unwrap(), DeletedReferences::Keep);
        Self { authority, s3, client, bus, max_bytes: 1 << 20, trusts: true, deleted_references }
    }

    async fn host(&self, answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Server {
        self.host_that_says(|_, _| says(&commit('a'), "main"), answer).await
    }

    /// A host that answers requests about references with `facts`.
    async fn host_that_says(
        &self,
        facts: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
        answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
    ) -> Server {
        Server::start(&self.authority, "127.0.0.1", facts, answer).await
    }

    fn downloader(&self, hosts: &str) -> Downloader<Secrets> {
        let allowed_hosts = hosts.parse().unwrap();
        let bundle = if self.trusts { self.authority.pem() } else { String::new() };
        Downloader {
            http: Client::new(&allowed_hosts, &bundle).unwrap(),
            allowed_hosts,
            credentials: Arc::new(HostCredentials::new(Secrets)),
            output: Output {
                s3: self.client.clone(),
                bucket: "zips".parse().unwrap(),
                key_layout: KeyLayout::Path,
                keep_commits: KeepCommits::Off,
                deleted_references: self.deleted_references,
            },
            bus: self.bus.clone(),
            statuses: Statuses::off(),
            max_bytes: self.max_bytes,
            patience: Duration::from_millis(1),
        }
    }

    /// Processes a job for a host of this kind.
    async fn deliver(&self, kind: &str, host: &Server) -> Result<(), ZipDlError> {
        self.deliver_job(kind, host, &job()).await
    }

    async fn deliver_job(&self, kind: &str, host: &Server, job: &Job) -> Result<(), ZipDlError> {
        let entry = format!("127.0.0.1={kind}:{}+private", host.address.port());
        self.downloader(&entry).deliver(job, soon()).await
    }

    /// The stored objects.
    async fn stored(&self) -> Vec<Request> {
        let requests = self.s3.received_requests().await.unwrap();
        let is_write = |request: &Request| {
            let is_read = ["HEAD", "GET"].contains(&request.method.as_str());
            !is_read && !is_of_tags(request) && !request.headers.contains_key("x-amz-target")
        };
        requests.into_iter().filter(is_write).collect()
    }

    /// The tags that were written.
    async fn marks(&self) -> Vec<String> {
        let requests = self.s3.received_requests().await.unwrap();
        let marks = requests.iter().filter(|request| request.method.as_str() == "PUT" && is_of_tags(request));
        marks.map(|request| String::from_utf8(request.body.clone()).unwrap()).collect()
    }

    /// The types and the details of the sent events.
    async fn events(&self) -> Vec<(String, serde_json::Value)> {
        let requests = self.s3.received_requests().await.unwrap();
        let events = requests.iter().filter(|request| request.headers.contains_key("x-amz-target"));
        let event = |request: &Request| {
            let event: serde_json::Value = request.body_json().unwrap();
            let text = |name: &str| event["Entries"][0][name].as_str().unwrap().to_owned();
            (text("DetailType"), serde_json::from_str(&text("Detail")).unwrap())
        };
        events.map(event).collect()
    }

    /// The details of the sent events about artifacts.
    async fn told(&self) -> Vec<contract::Manifest> {
        self.events().await.into_iter().map(|(_, detail)| serde_json::from_value(detail).unwrap()).collect()
    }
}

fn commit(digit: char) -> String {
    digit.to_string().repeat(40)
}

/// The host's response: the reference names this commit, with a tree ID of nines, and this is the
/// default branch.
fn says(commit: &str, default_branch: &str) -> Answer {
    Answer::zip(facts(commit, &self::commit('9'), default_branch).to_string().as_bytes())
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn job() -> Job {
    Job {
        delivery: "d-1".parse().unwrap(),
        repository: contract::Repository::new("127.0.0.1".parse().unwrap(), "octo/hello".parse().unwrap()),
        reference: "refs/heads/main".parse().unwrap(),
        commit: Some("a".repeat(40).parse().unwrap()),
        trigger: Trigger::Push,
        summary: Some("Say hello".to_owned()),
        scope: None,
        spelling: contract::PathSpelling::default(),
        deleted: false,
    }
}

#[tokio::test]
async fn an_archive_becomes_an_object() {
    let world = World::new().await;
    let host = world.host(|_, _| Answer::of("200 OK", &[], &zip("octo-hello-1/"))).await;
    world.deliver("github", &host).await.unwrap();
    let [put] = &world.stored().await[..] else { panic!("not one object") };
    assert_eq!(put.url.path(), "/zips/octo/hello/octo_hello.zip");
    assert_eq!(put.headers["x-amz-meta-commit"], "a".repeat(40));
    assert_eq!(put.headers["x-amz-meta-codepipeline-artifact-revision-summary"], "Say hello");
    let request = &host.requests()[0];
    assert!(
        request.starts_with(&format!("GET /api/v3/repos/octo/hello/zipball/{} HTTP/1.1", "a".repeat(40))),
        "{request}"
    );
    assert!(request.contains("authorization: Bearer t0ken\r\n"), "{request}");
    let [told] = &world.told().await[..] else { panic!("not one event") };
    assert_eq!((told.key.as_str(), told.size), ("octo/hello/octo_hello.zip", put.body.len() as u64));
    assert_eq!((&told.commit, told.subject.way), (&"a".repeat(40), contract::manifest::Way::ZipDl));
}

#[tokio::test]
async fn only_own_delivery_is_told_again() {
    for (delivery, events) in [("d-0", 1), ("d-1", 0)] {
        let world = World::with_artifact("127.0.0.1/octo/hello", &commit('a'), &commit('b')).await;
        Mock::given(method("GET")).respond_with(ResponseTemplate::new(200)).mount(&world.s3).await;
        let host = world.host(|_, _| Answer::zip(b"")).await;
        let job = Job { delivery: delivery.parse().unwrap(), ..job() };
        world.deliver_job("github", &host, &job).await.unwrap();
        assert_eq!((world.told().await.len(), host.requests().len()), (events, 0), "{delivery}");
    }
}

#[tokio::test]
async fn attack_10_credential_never_crosses_hosts() {
    let world = World::new().await;
    let other =
        Server::start(&world.authority, "127.0.0.2", |_, _| Answer::zip(b""), |_, _| Answer::zip(&zip("x/"))).await;
    let there = format!("https://{}/elsewhere?token=of-the-host", other.address);
    let host = world.host(move |_, _| Answer::redirect(&there)).await;
    let entry = format!("127.0.0.1=gitlab:{}+private,127.0.0.2+private", host.address.port());
    world.downloader(&entry).deliver(&job(), soon()).await.unwrap();
    assert!(host.requests()[0].contains("private-token: t0ken"), "{:?}", host.requests());
    assert!(!other.requests()[0].contains(TOKEN), "{:?}", other.requests());
    assert!(host.requests().iter().all(|request| !request.lines().next().unwrap().contains(TOKEN)));
}

#[tokio::test]
async fn attack_07_certificates_are_verified() {
    let mut world = World::new().await;
    let host = world.host(|_, _| Answer::zip(&zip("x/"))).await;
    world.deliver("github", &host).await.unwrap();
    world.trusts = false;
    let error = world.deliver("github", &host).await.unwrap_err();
    assert!(matches!(error, ZipDlError::Https(HttpsError::Ask { .. })), "{error}");
    assert!(error_chain(&error).contains("certificate"), "{}", error_chain(&error));
    assert_eq!(host.requests().len(), 1);
}

#[tokio::test]
async fn unsafe_redirects_are_refused() {
    let world = World::new().await;
    for (location, expected) in [
        ("http://127.0.0.1/x", "refused to contact 127.0.0.1 without TLS"),
        ("https://169.254.169.254/latest/meta-data/", "refused to connect to a private address: 169.254.169.254"),
        ("https://127.0.0.9/x", "refused to connect to a private address: 127.0.0.9"),
        ("https://[::ffff:127.0.0.1]/x", "refused to connect to a private address: [::ffff:7f00:1]"),
        ("https://localhost/x", "refused to connect to a private address: localhost"),
        ("ftp://127.0.0.1/x", "refused to contact 127.0.0.1 without TLS"),
        ("https://", "127.0.0.1 gave an invalid URL"),
        ("/again", "127.0.0.1 redirects too often"),
    ] {
        let host = world.host(move |_, _| Answer::redirect(location)).await;
        let error = world.deliver("github", &host).await.unwrap_err();
        assert!(error_chain(&error).starts_with(expected), "{location}: {}", error_chain(&error));
        assert!(host.requests().len() <= 6, "{}", host.requests().len());
    }
    assert!(world.stored().await.is_empty());
}

#[tokio::test]
async fn unmarked_host_needs_public_address() {
    let world = World::new().await;
    let host = world.host(|_, _| Answer::zip(&zip("x/"))).await;
    let entry = format!("127.0.0.1=github:{}", host.address.port());
    let error = world.downloader(&entry).deliver(&job(), soon()).await.unwrap_err();
    assert!(matches!(error, ZipDlError::Https(HttpsError::Private(_))), "{error}");
    assert!(host.requests().is_empty());
}

#[tokio::test]
async fn a_slow_host_is_waited_for() {
    let world = World::new().await;
    let host = world.host(|_, _| Answer { piece: 7, ..Answer::of("200 OK", &[], &zip("x/")) }).await;
    world.deliver("github", &host).await.unwrap();
    assert_eq!(world.stored().await.len(), 1);
}

#[tokio::test]
async fn truncated_download_is_retried_not_stored() {
    let world = World::new().await;
    let whole = zip("x/");
    let half = |whole: &[u8], told: bool| {
        let part = &whole[..whole.len() / 2];
        let length = whole.len().to_string();
        let headers: &[(&str, &str)] = if told { &[("Content-Length", &length)] } else { &[] };
        Answer::of("200 OK", headers, part)
    };
    for told in [true, false] {
        let whole = whole.clone();
        let host = world.host(move |_, count| if count == 3 { Answer::zip(&whole) } else { half(&whole, told) }).await;
        world.deliver("github", &host).await.unwrap();
        assert_eq!(host.requests().len(), 3);
    }
    assert_eq!(world.stored().await.len(), 2);

    let host = world.host(move |_, _| half(&whole, true)).await;
    let error = world.deliver("github", &host).await.unwrap_err();
    assert_eq!((error.retry(), host.requests().len()), (Retry::Again, 4));
    assert_eq!(world.stored().await.len(), 2);
}

#[tokio::test]
async fn busy_hosts_retry_delay_is_obeyed() {
    let world = World::new().await;
    for (status, headers) in [
        ("429 Too Many Requests", vec![("Retry-After", "0")]),
        ("503 Service Unavailable", vec![("Retry-After", "0")]),
        ("403 Forbidden", vec![("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1")]),
        ("429 Too Many Requests", vec![("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")]),
        ("500 Internal Server Error", vec![]),
        ("502 Bad Gateway", vec![]),
    ] {
        let refusal = Answer::of(status, &headers, b"");
        let host = world.host(move |_, count| match count {
            1 => refusal.clone(),
            _ => Answer::zip(&zip("x/")),
        });
        let host = host.await;
        world.deliver("github", &host).await.unwrap();
        assert_eq!(host.requests().len(), 2, "{status}");
    }
    let host = world.host(|_, _| Answer::of("429 Too Many Requests", &[("Retry-After", "600")], b"")).await;
    let error = world.deliver("github", &host).await.unwrap_err();
    assert_eq!((error.retry(), host.requests().len()), (Retry::After(Duration::from_mins(10)), 1));
}

/// Everything that the log says about an error.
fn said(error: &ZipDlError) -> String {
    format!("{}\n  {:?}, hint: {}", error_chain(error), error.retry(), error.hint().unwrap_or("none"))
}

#[tokio::test]
async fn a_refusal_says_what_to_check() {
    let world = World::new().await;
    let mut told = Vec::new();
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone", "418 I'm a teapot", "500 Oops"] {
        let host = world.host(move |_, _| Answer::of(status, &[], b"{}")).await;
        let error = world.deliver("gitlab", &host).await.unwrap_err();
        told.push(said(&error));
    }
    let login = world.host(|_, _| Answer::zip(b"<!DOCTYPE html><title>Sign in</title>")).await;
    let error = world.deliver("gitlab", &login).await.unwrap_err();
    told.push(said(&error));
    insta::assert_snapshot!(told.join("\n"));
    assert!(world.stored().await.is_empty());
}

#[tokio::test]
async fn wrong_archive_is_never_stored() {
    let mut world = World::new().await;
    let two_folders = {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["x/a", "y/b"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let of_another = {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.set_raw_comment("b".repeat(40).into_bytes().into_boxed_slice()).unwrap();
        zip.finish().unwrap().into_inner()
    };
    for (body, expected) in [(two_folders, "is not in the folder"), (of_another, "is of the commit bbbb")] {
        let host = world.host(move |_, _| Answer::zip(&body)).await;
        let error = world.deliver("github", &host).await.unwrap_err();
        assert!(error_chain(&error).contains(expected), "{}", error_chain(&error));
        assert_eq!((error.retry(), host.requests().len()), (Retry::Never, 1));
    }
    world.max_bytes = 100;
    let host = world.host(|_, _| Answer::zip(&zip("x/"))).await;
    let error = world.deliver("github", &host).await.unwrap_err();
    assert!(error_chain(&error).contains("the archive is longer than 100 bytes"), "{}", error_chain(&error));
    assert!(world.stored().await.is_empty());
}

#[tokio::test]
async fn optional_top_folder_is_recognized() {
    let world = World::new().await;
    for (folder, asked) in [("hello/", 1), ("", 1), ("src/", 1)] {
        let host = world.host(move |_, _| Answer::zip(&zip(folder))).await;
        world.deliver("gitea", &host).await.unwrap();
        assert_eq!(host.requests().len(), asked, "{folder}");
    }
    // The repository has a folder with its own name, and the server adds none.
    let own = {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["hello/a", "b"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let host = world.host(move |_, _| Answer::zip(&own)).await;
    world.deliver("gitea", &host).await.unwrap();
    assert_eq!(host.requests().len(), 2);
    let put = world.stored().await.pop().unwrap();
    assert!(put.body.windows(7).any(|window| window == b"hello/a"));
}

#[tokio::test]
async fn lowercase_top_folder_is_dropped() {
    let world = World::new().await;
    // What Gitea sends for `octo/FindLists`.
    let archive = include_bytes!("gitea-FindLists.zip");
    let facts = |_: &str, _| says("351fce0ddcb45b28662b0f4602a55bb04cd48608", "main");
    let host = world.host_that_says(facts, |_, _| Answer::zip(archive)).await;
    let repository = "127.0.0.1/octo/FindLists".parse().unwrap();
    world.deliver_job("gitea", &host, &Job { repository, ..job() }).await.unwrap();
    let put = world.stored().await.pop().unwrap();
    let zip = zip::ZipArchive::new(Cursor::new(put.body)).unwrap();
    assert_eq!(zip.file_names().map(Result::unwrap).collect::<Vec<_>>(), ["a.txt", "b/", "b/c.txt"]);
    assert_eq!(host.requests().len(), 1);
}

#[tokio::test]
async fn oauth_token_is_reused_until_refused() {
    let world = World::new().await;
    let host = world
        .host(|request, count| {
            let token = format!(r#"{{"access_token":"access-{count}","expires_in":7200}}"#);
            match request {
                post if post.starts_with("POST /site/oauth2/access_token ") => Answer::zip(token.as_bytes()),
                // The first token is revoked after one use.
                get if get.contains("Bearer access-1\r\n") && count > 2 => Answer::of("401 Unauthorized", &[], b""),
                _ => Answer::zip(&zip("x/")),
            }
        })
        .await;
    let entry = format!("127.0.0.1=bitbucket:{}+private", host.address.port());
    let downloader = world.downloader(&entry);
    for _ in 0..2 {
        downloader.deliver(&job(), soon()).await.unwrap();
    }
    let requests: Vec<String> =
        host.requests().iter().map(|request| request.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(requests, ["POST", "GET", "GET", "POST", "GET"]);
    // key:s3cret
    assert!(host.requests()[0].contains("authorization: Basic a2V5OnMzY3JldA==\r\n"), "{:?}", host.requests());
}

#[tokio::test]
async fn access_token_reaches_only_its_host() {
    let world = World::new().await;
    let start = |address| {
        Server::start(
            &world.authority,
            address,
            |_, _| says(&commit('a'), "main"),
            move |request, _| {
                let token = format!(r#"{{"access_token":"of-{address}","expires_in":7200}}"#);
                if request.starts_with("POST ") { Answer::zip(token.as_bytes()) } else { Answer::zip(&zip("x/")) }
            },
        )
    };
    let (one, other) = (start("127.0.0.1").await, start("127.0.0.2").await);
    let entry = |host: &Server| format!("{}=bitbucket:{}+private", host.address.ip(), host.address.port());
    let downloader = world.downloader(&format!("{},{}", entry(&one), entry(&other)));
    for (host, other_host) in [(&one, &other), (&other, &one), (&one, &other)] {
        let repository = format!("{}/octo/hello", host.address.ip()).parse().unwrap();
        downloader.deliver(&Job { repository, ..job() }, soon()).await.unwrap();
        let shown = [host.requests(), host.questions()].concat().join("");
        assert!(shown.contains(&format!("Bearer of-{}", host.address.ip())), "{shown}");
        assert!(!shown.contains(&format!("of-{}", other_host.address.ip())), "{shown}");
    }
}

/// The key of the stored object, for this default branch and layout.
async fn stored_at(default_branch: &'static str, layout: KeyLayout) -> String {
    let world = World::new().await;
    let host =
        world.host_that_says(move |_, _| says(&commit('a'), default_branch), |_, _| Answer::zip(&zip("x/"))).await;
    let entry = format!("127.0.0.1=gitlab:{}+private", host.address.port());
    let mut downloader = world.downloader(&entry);
    downloader.output.key_layout = layout;
    downloader.deliver(&job(), soon()).await.unwrap();
    world.stored().await[0].url.path().to_owned()
}

#[tokio::test]
async fn host_names_default_branch() {
    let path = "/zips/octo/hello/octo_hello.zip";
    assert_eq!(stored_at("main", KeyLayout::Path).await, path);
    assert_eq!(stored_at("trunk", KeyLayout::Path).await, "/zips/octo/hello/branch/main/octo_hello.zip");
    assert_eq!(stored_at("main", KeyLayout::HostPath).await, "/zips/127.0.0.1/octo/hello/octo_hello.zip");
}

#[tokio::test]
async fn payload_commit_is_never_downloaded() {
    for kind in ["github", "gitlab", "bitbucket", "gitea"] {
        let world = World::new().await;
        let host = world
            .host(|request, _| match request {
                post if post.starts_with("POST ") => Answer::zip(br#"{"access_token":"a","expires_in":7200}"#),
                _ => Answer::zip(&zip(if request.contains("/api/v1/") { "hello/" } else { "x/" })),
            })
            .await;
        let of_a_fork = Job { commit: Some(commit('f').parse().unwrap()), ..job() };
        world.deliver_job(kind, &host, &of_a_fork).await.unwrap();
        let put = world.stored().await.pop().unwrap();
        assert_eq!(put.headers["x-amz-meta-commit"], commit('a').as_str(), "{kind}");
        assert_eq!(put.headers.contains_key("x-amz-meta-tree"), kind == "github", "{kind}");
        let asked = [host.requests(), host.questions()].concat().join("");
        assert!(asked.contains(&commit('a')) && !asked.contains(&commit('f')), "{kind}: {asked}");
    }
}

#[tokio::test]
async fn annotated_tag_is_downloaded_by_commit() {
    let world = World::new().await;
    let tag = Job { reference: "refs/tags/v1".parse().unwrap(), commit: Some(commit('f').parse().unwrap()), ..job() };
    // Each host's response for an annotated tag with the ID `f`, and the expected commit.
    let answers = [
        ("gitea", serde_json::json!({ "id": commit('f'), "message": "v1", "commit": { "sha": commit('a') } })),
        ("gitlab", serde_json::json!({ "target": commit('f'), "commit": { "id": commit('a') } })),
        (
            "azure",
            serde_json::json!({ "value": [{ "name": "refs/tags/v1", "objectId": commit('f'), "peeledObjectId": commit('a') }] }),
        ),
    ];
    for (kind, facts) in answers {
        let says = move |_: &str, _| Answer::zip(facts.to_string().as_bytes());
        let archive = zip(if kind == "azure" { "" } else { "hello/" });
        let host = world.host_that_says(says, move |_, _| Answer::zip(&archive)).await;
        let job = match kind {
            "azure" => Job { repository: "127.0.0.1/acme/octo/hello".parse().unwrap(), ..tag.clone() },
            _ => tag.clone(),
        };
        world.deliver_job(kind, &host, &job).await.unwrap();
        let put = world.stored().await.pop().unwrap();
        assert_eq!(put.headers["x-amz-meta-commit"], commit('a').as_str(), "{kind}");
        assert!(!host.requests().concat().contains(&commit('f')), "{kind}");
    }
}

#[tokio::test]
async fn nested_tag_is_downloaded_by_commit() {
    let world = World::new().await;
    let archive = {
        let mut zip = zip::ZipWriter::new_append(Cursor::new(zip("hello/"))).unwrap();
        zip.set_raw_comment(commit('a').into_bytes().into_boxed_slice()).unwrap();
        zip.finish().unwrap().into_inner()
    };
    // Gitea reports the outer tag's target as the commit.
    let says = |_: &str, _| Answer::zip(serde_json::json!({ "commit": { "sha": commit('f') } }).to_string().as_bytes());
    let host = world.host_that_says(says, move |_, _| Answer::zip(&archive)).await;
    let tag = Job { reference: "refs/tags/v1".parse().unwrap(), commit: None, ..job() };
    world.deliver_job("gitea", &host, &tag).await.unwrap();
    let requests = host.requests();
    let asked: Vec<_> = requests.iter().map(|request| request.contains(&commit('a'))).collect();
    assert_eq!(asked, [false, true], "{requests:?}");
    assert_eq!(world.stored().await.pop().unwrap().headers["x-amz-meta-commit"], commit('a').as_str());
    // For a branch, it would be another commit than requested.
    let error = world.deliver_job("gitea", &host, &Job { reference: "refs/heads/v1".parse().unwrap(), ..tag }).await;
    assert!(error.is_err());
}

#[tokio::test]
async fn old_delivery_never_restores_old_commit() {
    let world = World::with_artifact("127.0.0.1/octo/hello", &commit('a'), &commit('9')).await;
    let host = world.host(|_, _| Answer::zip(&zip("x/"))).await;
    let old = Job { commit: Some(commit('0').replace("00", "10").parse().unwrap()), ..job() };
    world.deliver_job("github", &host, &old).await.unwrap();
    assert!(world.stored().await.is_empty() && host.requests().is_empty());
    // The host may lag behind. But for a tag, the sender may have sent the tag's own ID.
    assert!(host.questions().len() > 2);
    let asked = host.questions().len();
    let tag = Job { reference: "refs/tags/v1".parse().unwrap(), ..old };
    world.deliver_job("github", &host, &tag).await.unwrap();
    assert_eq!(host.questions().len(), asked + 1);
}

#[tokio::test]
async fn lagging_host_is_asked_again() {
    let world = World::with_artifact("127.0.0.1/octo/hello", &commit('a'), &commit('8')).await;
    let late = |_: &str, count| says(&commit(if count > 2 { 'b' } else { 'a' }), "main");
    let host = world.host_that_says(late, |_, _| Answer::zip(&zip("x/"))).await;
    let new = Job { commit: Some(commit('b').parse().unwrap()), ..job() };
    world.deliver_job("github", &host, &new).await.unwrap();
    assert_eq!(world.stored().await[0].headers["x-amz-meta-commit"], commit('b').as_str());
}

#[tokio::test]
async fn late_new_branch_is_not_lost() {
    let world = World::new().await;
    let late = |request: &str, count| {
        if request.contains("/commits/") && count < 3 {
            Answer::of("404 Not Found", &[], b"{}")
        } else {
            says(&commit('b'), "main")
        }
    };
    let host = world.host_that_says(late, |_, _| Answer::zip(&zip("x/"))).await;
    world.deliver("github", &host).await.unwrap();
    assert_eq!(world.stored().await.len(), 1);
}

#[tokio::test]
async fn malformed_answer_is_not_deleted_reference() {
    let world = World::new().await;
    let host =
        world.host_that_says(|_, _| Answer::zip(br#"{"default_branch":"main"}"#), |_, _| Answer::zip(&zip("x/"))).await;
    let error = world.deliver("github", &host).await.unwrap_err();
    assert_eq!(error.to_string(), "127.0.0.1 sent an unexpected response to the request for its reference");
    assert_eq!(error.retry(), Retry::Again);
}

#[tokio::test]
async fn missing_default_branch_is_tolerated() {
    let world = World::new().await;
    let says = |request: &str, _| {
        if request.contains("/commits/") { says(&commit('a'), "main") } else { Answer::of("404 Not Found", &[], b"{}") }
    };
    let host = world.host_that_says(says, |_, _| Answer::zip(&zip("x/"))).await;
    world.deliver("github", &host).await.unwrap();
    assert_eq!(world.stored().await[0].url.path(), "/zips/octo/hello/branch/main/octo_hello.zip");
}

#[tokio::test]
async fn commit_with_same_tree_is_stored() {
    let world = World::with_artifact("127.0.0.1/octo/hello", &commit('e'), &commit('9')).await;
    let host = world.host(|_, _| Answer::zip(&zip("x/"))).await;
    for (count, kind) in ["github", "gitlab"].into_iter().enumerate() {
        world.deliver(kind, &host).await.unwrap();
        assert_eq!(world.stored().await.len(), count + 1, "{kind}");
    }
}

#[tokio::test]
async fn another_repositorys_artifact_is_never_overwritten() {
    let world = World::with_artifact("gitlab.com/octo/hello", &commit('e'), &commit('8')).await;
    let host = world.host(|_, _| Answer::zip(&zip("x/"))).await;
    let error = world.deliver("github", &host).await.unwrap_err();
    assert_eq!(
        said(&error),
        "could not store the zip: s3://zips/octo/hello/octo_hello.zip is an artifact of \"gitlab.com/octo/hello\", not of \
         127.0.0.1/octo/hello\n  Never, hint: set KeyLayout to host/path, so that hosts don't share keys; or delete the object, if \
         its repository is gone"
    );
    assert!(world.stored().await.is_empty());
}

#[tokio::test]
async fn deleted_reference_differs_from_hidden_repository() {
    let world = World::new().await;
    let gone = |request: &str, _| {
        if request.contains("/commits/") {
            Answer::of("422 Unprocessable Entity", &[], b"{}")
        } else {
            says(&commit('a'), "main")
        }
    };
    let host = world.host_that_says(gone, |_, _| Answer::zip(&zip("x/"))).await;
    for reference in ["refs/heads/main", "refs/tags/v1"] {
        let job = Job { reference: reference.parse().unwrap(), ..job() };
        let error = world.deliver_job("github", &host, &job).await.unwrap_err();
        assert_eq!(
            (error.to_string(), error.retry()),
            (format!("127.0.0.1/octo/hello has no {reference} any more"), Retry::Obsolete)
        );
    }
    let hidden =
        world.host_that_says(|_, _| Answer::of("404 Not Found", &[], b"{}"), |_, _| Answer::zip(&zip("x/"))).await;
    let error = world.deliver("github", &hidden).await.unwrap_err();
    assert!(matches!(error, ZipDlError::Https(HttpsError::NotFound { .. })), "{error}");
    assert_eq!(error.retry(), Retry::Again);
    // Not even for a deletion: nothing is marked because a token has expired.
    let error = world.deliver_job("github", &hidden, &deletion()).await.unwrap_err();
    assert!(matches!(error, ZipDlError::Https(HttpsError::NotFound { .. })), "{error}");
    assert!(world.stored().await.is_empty() && world.events().await.is_empty());
}

#[tokio::test]
async fn manifest_names_parents_if_host_does() {
    for (time, told) in [("2011-04-14T16:00:49+02:00", true), ("<b>yesterday</b>", false)] {
        let world = World::new().await;
        let says = move |_: &str, _| {
            let mut facts = facts(&commit('a'), &commit('9'), "main");
            facts["parents"] = serde_json::json!([{ "sha": commit('7') }]);
            facts["commit"]["author"] = serde_json::json!({ "date": time });
            Answer::zip(facts.to_string().as_bytes())
        };
        let host = world.host_that_says(says, |_, _| Answer::zip(&zip("x/"))).await;
        world.deliver("github", &host).await.unwrap();
        let manifest = world.told().await.remove(0);
        assert_eq!(manifest.parents, Some(vec![commit('7')]));
        assert_eq!(manifest.author_time.as_deref(), told.then_some(time));
        // No request is made for that.
        assert_eq!((host.questions().len(), host.requests().len()), (2, 1));
    }
}

/// The host doesn't know the reference.
fn gone(request: &str) -> Answer {
    if request.contains("/commits/") {
        Answer::of("422 Unprocessable Entity", &[], b"{}")
    } else {
        says(&commit('a'), "trunk")
    }
}

fn deletion() -> Job {
    Job { commit: None, summary: None, deleted: true, ..job() }
}

#[tokio::test]
async fn deleted_reference_is_told_and_stays() {
    for (repository, artifact) in [("127.0.0.1/octo/hello", "kept"), ("gitlab.com/octo/hello", "absent")] {
        let world = World::with_artifact(repository, &commit('a'), &commit('b')).await;
        let host = world.host_that_says(|request, _| gone(request), |_, _| Answer::zip(b"")).await;
        world.deliver_job("github", &host, &deletion()).await.unwrap();
        let [(kind, detail)] = &world.events().await[..] else { panic!("not one event") };
        assert_eq!((kind.as_str(), detail["artifact"].as_str()), ("Reference Deleted", Some(artifact)));
        let is_kept = artifact == "kept";
        assert_eq!(detail["commit"].as_str(), is_kept.then_some(commit('a').as_str()));
        assert_eq!(detail["key"].as_str(), is_kept.then_some("octo/hello/branch/main/octo_hello.zip"));
        assert_eq!((detail["way"].as_str(), detail["delivery"].as_str()), (Some("zipdl"), Some("d-1")));
        assert!(world.stored().await.is_empty() && host.requests().is_empty());
        // What is told once needn't be told again.
        let marks = world.marks().await;
        assert_eq!(marks.len(), usize::from(is_kept));
        assert!(marks.iter().all(|mark| mark.contains("<Value>gone</Value>")), "{marks:?}");
    }
}

#[tokio::test]
async fn reference_that_is_back_is_unchanged() {
    let world = World::with_artifact("127.0.0.1/octo/hello", &commit('a'), &commit('b')).await;
    let host = world.host(|_, _| Answer::zip(b"")).await;
    world.deliver_job("github", &host, &deletion()).await.unwrap();
    assert!(world.events().await.is_empty() && world.stored().await.is_empty());
    // The host may lag behind.
    assert!(host.questions().len() > 2);
    let late = |request: &str, count| if count > 2 { gone(request) } else { says(&commit('a'), "main") };
    let host = world.host_that_says(late, |_, _| Answer::zip(b"")).await;
    world.deliver_job("github", &host, &deletion()).await.unwrap();
    assert_eq!(world.events().await[0].0, "Reference Deleted");
}

#[tokio::test]
async fn new_commit_of_deletion_is_stored() {
    let world = World::with_artifact("127.0.0.1/octo/hello", &commit('e'), &commit('8')).await;
    let host = world.host(|_, _| Answer::zip(&zip("x/"))).await;
    world.deliver_job("github", &host, &deletion()).await.unwrap();
    assert_eq!(world.told().await[0].commit, commit('a'));
}

#[tokio::test]
async fn restored_reference_is_stored_again() {
    let tags = "<Tagging><TagSet><Tag><Key>git2s3</Key><Value>deleted</Value></Tag></TagSet></Tagging>";
    for deleted_references in [DeletedReferences::Mark, DeletedReferences::Keep] {
        let mut world = World::with_artifact("127.0.0.1/octo/hello", &commit('a'), &commit('b')).await;
        world.deleted_references = deleted_references;
        let marked = ResponseTemplate::new(200).set_body_string(tags);
        Mock::given(method("GET")).and(is_of_tags).respond_with(marked).with_priority(1).mount(&world.s3).await;
        let answer = ResponseTemplate::new(200).set_body_string("<CopyObjectResult><ETag>e</ETag></CopyObjectResult>");
        let copying = Mock::given(method("PUT")).and(header_exists("x-amz-copy-source")).respond_with(answer);
        copying.with_priority(1).mount(&world.s3).await;
        Mock::given(method("GET")).respond_with(ResponseTemplate::new(200)).mount(&world.s3).await;
        let host = world.host(|_, _| Answer::zip(b"")).await;
        // Nobody tells of the deletion again, and the reference is back.
        let late = world.host_that_says(|request, _| gone(request), |_, _| Answer::zip(b"")).await;
        world.deliver_job("github", &late, &deletion()).await.unwrap();
        assert_eq!((world.told().await.len(), world.marks().await.len()), (0, 0));
        world.deliver("github", &host).await.unwrap();
        assert_eq!(world.told().await.len(), 1);
        let writes = world.stored().await;
        let copies: Vec<_> = writes.iter().filter(|request| request.method.as_str() == "PUT").collect();
        assert_eq!(copies.len(), 1);
        // The copy has no mark.
        assert!(
            copies.iter().all(|copy| copy.headers["x-amz-tagging-directive"] == "REPLACE"
                && !copy.headers.contains_key("x-amz-tagging"))
        );
        assert!(host.requests().is_empty());
    }
}

#[tokio::test]
async fn the_deadline_ends_a_download() {
    let world = World::new().await;
    let host = world.host(|_, _| Answer::of("200 OK", &[("Content-Length", "1000000")], b"PK")).await;
    let entry = format!("127.0.0.1=github:{}+private", host.address.port());
    let error = world.downloader(&entry).deliver(&job(), Instant::now()).await.unwrap_err();
    assert!(matches!(error, ZipDlError::Deadline), "{error}");
}

#[tokio::test]
async fn unknown_hosts_are_never_asked() {
    let world = World::new().await;
    let host = world.host(|_, _| Answer::zip(&zip("x/"))).await;
    let error = world.downloader("127.0.0.1+private").deliver(&job(), soon()).await.unwrap_err();
    assert_eq!(error.to_string(), "AllowedGitHosts has no kind for 127.0.0.1");
    let error = world.downloader("github.com").deliver(&job(), soon()).await.unwrap_err();
    assert!(matches!(error, ZipDlError::Permit(PermitError::Host(_))), "{error}");
    assert!(host.requests().is_empty());
}
