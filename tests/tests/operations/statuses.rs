//! `CommitStatus=on`, from the deployment to what the host shows beside a commit: with an App's
//! tokens, with a token of `GitToken`, and while the host refuses.

use std::time::Instant;

use contract::HostKind;
use local::archives::address;
use local::host_api::{Fault, Status, TOKEN};
use wiremock::http::Method;

use crate::connect::{GITHUB, Scene};
use crate::desk::Desk;
use crate::github_app::{PATIENCE, create, logged, push, stored};

/// The statuses of a commit, oldest first, once the host has got the final one.
async fn statuses(scene: &Scene, path: &str, commit: &str) -> Vec<Status> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all = scene.apis.state(GITHUB).find(path).unwrap().statuses.clone();
        let of: Vec<_> = all.into_iter().filter(|status| status.commit == commit).collect();
        if of.last().is_some_and(|last| last.state != "pending") {
            return of;
        }
        assert!(Instant::now() < deadline, "{path} has only {of:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Pushes another commit with this file. Returns its ID.
async fn change(scene: &Scene, path: &str, file: &str, content: &[u8]) -> String {
    let clone = scene.clone_of(path);
    std::fs::write(clone.dir().join(file), content).unwrap();
    clone.commit("Change").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    push(scene, path).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_shows_what_became_of_commits() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let [rocket, lander] = ["acme/rocket", "acme/lander"];
    let scene = Scene::set(&dir.path().join("cloud"), &[rocket, lander]).await;
    let work = dir.path().join("work");
    let desk = Desk::packaged(&scene.local, &work);

    // It has a deploy key before there is an App.
    let (code, stdout, stderr) = scene.infra(&desk, &["connect", &format!("{}/{lander}", address(GITHUB))]).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let settings = create(&scene, &desk, &["--commit-status"]).await;
    desk.write("token", &format!("{}={TOKEN}", address(GITHUB)));
    let on = "CommitStatus = 'on'\n[secrets]\nGitToken = { file = 'token' }\n";
    desk.write("git2s3.toml", &format!("{settings}{on}"));
    let (code, stdout, stderr) = scene.infra_with(&desk, &["deploy", "--yes"], None).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let app = scene.apis.state(GITHUB).apps[0].id;
    scene.apis.state(GITHUB).install(app, "acme", &[rocket]);

    // With the App's token, and with the host's.
    let bucket = scene.stack.output("OutputBucketName").unwrap();
    for path in [rocket, lander] {
        let commit = change(&scene, path, "b", path.as_bytes()).await;
        stored(&scene, path, &commit).await;
        let [pending, success] = &statuses(&scene, path, &commit).await[..] else { panic!("not two statuses") };
        assert_eq!((&*pending.state, &*success.state), ("pending", "success"));
        assert_eq!((&*pending.name, &*success.name), ("git2s3/git2s3", "git2s3/git2s3"));
        let key = format!("{path}/{}.zip", path.replace('/', "_"));
        assert_eq!(success.description, format!("Stored as s3://{bucket}/{key}"));
        let page = format!("s3/object/{bucket}?region={}&prefix={}", local::aws::REGION, key.replace('/', "%2F"));
        assert!(success.url.contains(&page) && success.url.contains("&versionId="), "{}", success.url);
    }
    let tokens = scene.apis.state(GITHUB).tokens.clone();
    let only = |name: &str| tokens.iter().any(|token| !token.permissions.contains_key(name));
    assert!(tokens.iter().all(|token| token.repositories.len() == 1) && only("contents") && only("statuses"));

    // The reason is in the first line. The zip of the commit before stays.
    let large = change(&scene, lander, ".gitattributes", &vec![b'#'; (1 << 20) + 1]).await;
    let failure = statuses(&scene, lander, &large).await.pop().unwrap();
    assert_eq!(failure.state, "failure");
    assert!(failure.description.contains("could not zip") && failure.description.contains(".gitattributes"));
    assert!(failure.url.ends_with(&format!("s3/buckets/{bucket}?region={}", local::aws::REGION)), "{}", failure.url);

    // A host that refuses statuses gets its zips stored all the same.
    for _ in 0..2 {
        scene.apis.plant(HostKind::GitHub, Fault::once(Method::POST, "/statuses/", 403));
    }
    let commit = change(&scene, rocket, "c", b"c").await;
    stored(&scene, rocket, &commit).await;
    logged(&scene, "could not set the commit's status").await;
    let log = scene.local.cloud.account.log_messages().await.unwrap().concat();
    assert!(!log.contains(TOKEN) && tokens.iter().all(|token| !log.contains(&token.token)), "a token is in the log");
}
