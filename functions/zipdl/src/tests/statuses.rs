//! What the host is told of a download, and that nothing depends on it.

use std::sync::Arc;

use commit_status::{Bucket, Settings, Statuses};

use super::{Answer, Client, Duration, Instant, Secrets, Server, World, commit, job, says, soon, zip};
use crate::{download::Downloader, error::ZipDlError};

/// A downloader that tells a host of this kind.
fn downloader(world: &World, host: &Server) -> Downloader<Secrets> {
    let entry = format!("127.0.0.1=github:{}+private", host.address.port());
    let hosts = entry.parse().unwrap();
    let downloader = world.downloader(&entry);
    let statuses = Statuses::on(Settings {
        stack: "zips".to_owned(),
        client: Client::new(&hosts, &world.authority.pem()).unwrap(),
        hosts,
        app: None,
        tokens: Arc::clone(&downloader.credentials),
        bucket: Bucket::new("zips".parse().unwrap(), "eu-central-1"),
    });
    Downloader { statuses, ..downloader }
}

/// The requests to set a status.
fn told(host: &Server) -> Vec<String> {
    let path = format!("POST /api/v3/repos/octo/hello/statuses/{} ", commit('a'));
    host.requests().into_iter().filter(|request| request.starts_with(&path)).collect()
}

fn is_status(request: &str) -> bool {
    request.starts_with("POST ")
}

#[tokio::test]
async fn download_begins_and_ends_with_status() {
    let world = World::new().await;
    let created = |request: &str, _| {
        if is_status(request) { Answer::of("201 Created", &[], b"{}") } else { Answer::zip(&zip("octo-hello-1/")) }
    };
    let host = world.host(created).await;
    let downloader = downloader(&world, &host);
    downloader.deliver(&job(), soon()).await.unwrap();
    let told = told(&host);
    assert_eq!((told.len(), world.stored().await.len()), (2, 1), "{told:?}");
    assert!(told.iter().all(|request| request.contains("authorization: Bearer t0ken\r\n")), "{told:?}");
}

#[tokio::test]
async fn refused_status_never_fails_download() {
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found", "422 Unprocessable Entity", "500 Error"] {
        let world = World::new().await;
        let refused = move |request: &str, _| {
            if is_status(request) { Answer::of(status, &[], b"") } else { Answer::zip(&zip("octo-hello-1/")) }
        };
        let host = world.host(refused).await;
        downloader(&world, &host).deliver(&job(), soon()).await.unwrap();
        assert!(world.stored().await.len() == 1 && world.told().await.len() == 1 && told(&host).len() >= 2, "{status}");
    }
}

/// The next push would meet the limit again, so nobody waits for its end.
#[tokio::test]
async fn limited_host_is_told_nothing() {
    let world = World::new().await;
    let busy = |request: &str, _| {
        let wait = [("Retry-After", "60")];
        if is_status(request) { Answer::of("429 Slow Down", &wait, b"") } else { Answer::zip(&zip("octo-hello-1/")) }
    };
    let host = world.host(busy).await;
    downloader(&world, &host).deliver(&job(), soon()).await.unwrap();
    assert_eq!((world.stored().await.len(), world.told().await.len(), told(&host).len()), (1, 1, 2));
}

/// It would fail the job if somebody waited for it until the deadline.
#[tokio::test]
async fn silent_host_never_fails_download() {
    let world = World::new().await;
    let silent = |request: &str, _| {
        if is_status(request) { Answer::never() } else { Answer::zip(&zip("octo-hello-1/")) }
    };
    let host = world.host(silent).await;
    let deadline = Instant::now() + Duration::from_millis(2500);
    downloader(&world, &host).deliver(&job(), deadline).await.unwrap();
    assert_eq!((world.stored().await.len(), world.told().await.len()), (1, 1));
}

#[tokio::test]
async fn reason_is_told_of_named_commit() {
    let world = World::new().await;
    let created = |_: &str, _| Answer::of("201 Created", &[], b"{}");
    let host = world.host_that_says(|_, _| says(&commit('b'), "main"), created).await;
    let error = ZipDlError::ReadCredentials("arn:aws:iam::111122223333:role/x may not".to_owned());
    let downloader = downloader(&world, &host);
    downloader.gave_up(&job(), Some(&error), soon()).await;
    assert_eq!(told(&host).len(), 1);
    // Without a commit, nothing can be told.
    downloader.gave_up(&contract::Job { commit: None, ..job() }, Some(&error), soon()).await;
    assert_eq!(host.requests().len(), 1);
    assert!(!crate::error::public_reason(&error).contains("111122223333"));
}
