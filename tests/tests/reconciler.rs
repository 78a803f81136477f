//! Lost webhooks: what the hosts have and the bucket hasn't is stored, over SSH and HTTPS, and what
//! they have no more is told, while other hosts are down and keys are refused. Real Git, the
//! deployed template and schedule.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::time::Duration;

use contract::{HostKind, Manifest, manifest::Way, manifest::manifest_key};
use deployment::{deploy::Parameters, render::progress::Silent};
use local::archives::{Archives, TOKEN, address};
use local::artifact::{Artifact, field};
use local::aws::Account;
use local::host::Clone;
use local::local::{Local, STACK, Stack};
use local::reconcile::reconcile;
use local::sshd::Access;
use serde_json::Value;

const MAIN: &str = "acme/rocket/acme_rocket.zip";
const PATIENCE: Duration = Duration::from_mins(1);

/// The time of the run with this number.
fn run(number: u32) -> String {
    format!("2026-11-30T{:02}:{:02}:00Z", number / 2, number % 2 * 30)
}

/// Pushes without a webhook.
async fn push_in_silence(local: &Local, stack: &Stack, clone: &Clone, refspecs: &[&str]) {
    let url = format!("{}/_ministack/health", local.cloud.account.endpoint);
    local.host.report_to(&url, "nobody").unwrap();
    clone.push(refspecs).await.unwrap();
    local.host.report_to(&stack.webhook_url, &stack.api_secret).unwrap();
}

/// What the runs said of a host, in their order.
async fn told(account: &Account, host: &str) -> Vec<Value> {
    let mut lines = account.log_lines().await.unwrap();
    lines.retain(|line| {
        let says = |name: &str, value: &str| field(line, name).is_some_and(|found| found == value);
        says("message", "compared with what is stored") && says("host", host)
    });
    lines
}

fn count(line: &Value, name: &str) -> u64 {
    field(line, name).and_then(Value::as_u64).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_pushes_are_stored() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(dir.path()).await.unwrap();
    local.packaged().unwrap();
    let stack = local.deploy_with(&mut Silent, |parameters| parameters.with("KeepCommits", "30")).await.unwrap();
    let (account, bucket) = (&local.cloud.account, stack.output("OutputBucketName").unwrap());
    let resources = account.resources(STACK).await.unwrap();
    let clone = local.host.create("acme/rocket").await.unwrap();
    std::fs::write(clone.dir().join("a"), "one").unwrap();
    let first = clone.commit("One").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    Artifact::wait(account, bucket, MAIN, &first, PATIENCE).await.unwrap();

    // Nothing differs, so nothing is fetched: one request.
    reconcile(account, &resources, &run(0)).await.unwrap();
    let lines = told(account, "127.0.0.1").await;
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(["asked", "requests", "queued"].map(|name| count(line, name)), [1, 1, 0]);

    // A branch moves, others and an annotated tag are new, and nobody tells.
    std::fs::write(clone.dir().join("a"), "two").unwrap();
    let second = clone.commit("Two").await.unwrap();
    clone.git(&["branch", "feature/orbit"]).await.unwrap();
    clone.git(&["tag", "--annotate", "--message", "One", "v1"]).await.unwrap();
    push_in_silence(&local, &stack, &clone, &["main", "feature/orbit", "v1"]).await;
    reconcile(account, &resources, &run(1)).await.unwrap();
    for key in [MAIN, "acme/rocket/branch/feature/orbit/acme_rocket.zip", "acme/rocket/tag/v1/acme_rocket.zip"] {
        let zip = Artifact::wait(account, bucket, key, &second, PATIENCE).await.unwrap();
        zip.same_tree(&clone.archive(&second).await.unwrap()).unwrap();
        assert!(zip.metadata["delivery-id"].starts_with(&format!("reconciled-{second}-")), "{:?}", zip.metadata);
        assert_eq!(zip.metadata["worker"], "gitpull");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let manifest: Manifest = loop {
            // The manifest follows the zip.
            if let Ok(object) = Artifact::get(account, bucket, &manifest_key(key)).await
                && let Ok(manifest) = serde_json::from_slice::<Manifest>(&object.zip)
                && manifest.commit == second
            {
                break manifest;
            }
            assert!(tokio::time::Instant::now() < deadline, "no manifest of {key}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(manifest.subject.way, Way::Reconciled);
    }

    // The same run again, and the next one: nothing is stored twice.
    let versions = account.versions(bucket).await.unwrap().len();
    for time in [run(1), run(2)] {
        reconcile(account, &resources, &time).await.unwrap();
    }
    let lines = told(account, "127.0.0.1").await;
    let queued: Vec<_> = lines.iter().map(|line| count(line, "queued")).collect();
    assert_eq!(queued, [0, 3, 0], "{lines:?}");
    assert_eq!(account.versions(bucket).await.unwrap().len(), versions);
}

const OLD: &str = "acme/rocket/branch/old/acme_rocket.zip";

/// The value of our tag on the zip at a key.
async fn mark(account: &Account, bucket: &str, key: &str) -> Option<String> {
    let tags = account.s3.get_object_tagging().bucket(bucket).key(key).send().await.unwrap();
    tags.tag_set().iter().find(|tag| tag.key() == "git2s3").map(|tag| tag.value().to_owned())
}

/// Waits until the log has so many lines of workers about deletions, and returns them.
async fn deletions(account: &Account, count: usize) -> Vec<String> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let lines = account.log_lines().await.unwrap();
        let text = |line: &Value| {
            let message = field(line, "message")?.as_str()?;
            Some(format!("{} {message}", field(line, "reference")?.as_str()?))
        };
        let told: Vec<_> = lines.iter().filter_map(text).filter(|text| text.contains(" deleted: ")).collect();
        if told.len() >= count {
            return told;
        }
        assert!(tokio::time::Instant::now() < deadline, "{told:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_deletions_are_told_once() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(dir.path()).await.unwrap();
    local.packaged().unwrap();
    let adapt = |parameters: Parameters| parameters.with("DeletedReferences", "30").with("Refs", "!kept/*");
    let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
    let (account, bucket) = (&local.cloud.account, stack.output("OutputBucketName").unwrap());
    let resources = account.resources(STACK).await.unwrap();
    let clone = local.host.create("acme/rocket").await.unwrap();
    std::fs::write(clone.dir().join("a"), "one").unwrap();
    let commit = clone.commit("One").await.unwrap();
    for name in ["old", "told", "stays"] {
        clone.git(&["branch", name]).await.unwrap();
    }
    clone.git(&["tag", "v1"]).await.unwrap();
    let branch = |name: &str| format!("acme/rocket/branch/{name}/acme_rocket.zip");
    let tag = "acme/rocket/tag/v1/acme_rocket.zip";
    clone.push(&["main", "old", "told", "stays", "v1"]).await.unwrap();
    for key in [MAIN, OLD, &branch("told"), &branch("stays"), tag] {
        Artifact::wait(account, bucket, key, &commit, PATIENCE).await.unwrap();
    }

    // Of one deletion, the webhook arrives.
    clone.push(&["--delete", "told"]).await.unwrap();
    deletions(account, 1).await;
    push_in_silence(&local, &stack, &clone, &["--delete", "old", "v1"]).await;
    reconcile(account, &resources, &run(0)).await.unwrap();
    let told = deletions(account, 3).await;
    let words = "deleted: the zip is marked, and expires";
    assert_eq!(told[0], format!("refs/heads/told {words}"));
    let mut found = told[1..].to_vec();
    found.sort();
    assert_eq!(found, ["refs/heads/old", "refs/tags/v1"].map(|name| format!("{name} {words}")));
    for key in [OLD, &branch("told"), tag] {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        // The mark follows the event.
        while mark(account, bucket, key).await.as_deref() != Some("deleted") {
            assert!(tokio::time::Instant::now() < deadline, "{key} has no mark");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!([mark(account, bucket, MAIN).await, mark(account, bucket, &branch("stays")).await], [None, None]);

    // Nothing is told again, by nobody, and an idle repository takes one request.
    for number in 1..4 {
        reconcile(account, &resources, &run(number)).await.unwrap();
    }
    let lines = told_of_runs(account).await;
    assert_eq!(lines, [[1, 2], [1, 0], [1, 0], [1, 0]]);

    // The branch is there again at the same commit, which nobody tells: its zip must not expire.
    let before = Artifact::get(account, bucket, OLD).await.unwrap().version;
    push_in_silence(&local, &stack, &clone, &["old"]).await;
    reconcile(account, &resources, &run(4)).await.unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while Artifact::get(account, bucket, OLD).await.unwrap().version == before {
        assert!(tokio::time::Instant::now() < deadline, "the zip is the marked one");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(mark(account, bucket, OLD).await, None);

    // An empty repository, and one that is gone, say nothing of what they had.
    let bare = local.host.root().join("acme/rocket.git");
    for name in ["refs", "packed-refs"] {
        drop(std::fs::rename(bare.join(name), bare.join(format!("{name}.away"))));
    }
    std::fs::create_dir_all(bare.join("refs/heads")).unwrap();
    reconcile(account, &resources, &run(5)).await.unwrap();
    std::fs::rename(&bare, bare.with_extension("away")).unwrap();
    reconcile(account, &resources, &run(6)).await.unwrap();
    let lines = told_of_runs(account).await;
    // A name that the host doesn't know is asked for with and without `.git`.
    assert_eq!(lines[4..], [[1, 1], [1, 0], [2, 0]], "{lines:?}");
    assert_eq!(deletions(account, 3).await.len(), 3);
}

/// The requests of each run, and what it queued.
async fn told_of_runs(account: &Account) -> Vec<[u64; 2]> {
    let lines = told(account, "127.0.0.1").await;
    lines.iter().map(|line| ["requests", "queued"].map(|name| count(line, name))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_pushes_are_stored_over_https() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(dir.path()).await.unwrap();
    local.packaged().unwrap();
    let archives = Archives::start(local.host.root()).await.unwrap();
    let github = address(HostKind::GitHub);
    let adapt = |parameters: Parameters| {
        parameters
            .with("FetchOver", "https")
            .with("AllowedGitHosts", format!("{github}=github:{}+private", archives.port))
            .with("Repositories", format!("{github}/**"))
            .with("Refs", "main,refs/tags/v*")
            .with("GitToken", format!("{github}={TOKEN}"))
            .with("CaBundle", archives.ca.clone())
    };
    let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
    let (account, bucket) = (&local.cloud.account, stack.output("OutputBucketName").unwrap());
    let resources = account.resources(STACK).await.unwrap();
    let clone = local.host.create("acme/rocket").await.unwrap();
    std::fs::write(clone.dir().join("a"), "one").unwrap();
    let commit = clone.commit("One").await.unwrap();
    clone.git(&["branch", "unwanted"]).await.unwrap();
    push_in_silence(&local, &stack, &clone, &["main", "unwanted"]).await;
    // It was pushed once, long ago.
    let put = account.s3.put_object().bucket(bucket).key(MAIN).metadata("repository", format!("{github}/acme/rocket"));
    let put = put.metadata("commit", "1".repeat(40)).metadata("ref", "refs/heads/main").metadata("delivery-id", "d");
    put.send().await.unwrap();
    let before = archives.seen().len();
    reconcile(account, &resources, &run(0)).await.unwrap();
    let zip = Artifact::wait(account, bucket, MAIN, &commit, PATIENCE).await.unwrap();
    zip.same_tree(&clone.archive(&commit).await.unwrap()).unwrap();
    let lines = told(account, &github.to_string()).await;
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(["asked", "requests", "queued"].map(|name| count(line, name)), [1, 1, 1]);

    // An idle repository takes one request for each run, which are two an hour.
    let after = archives.seen().len();
    assert!(after > before);
    for number in [1, 2] {
        reconcile(account, &resources, &run(number)).await.unwrap();
    }
    assert_eq!(archives.seen().len() - after, 2);
    let log = format!("{:?}", account.log_lines().await.unwrap());
    assert!(!log.contains(TOKEN) && !log.contains(&stack.api_secret), "a secret is in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_host_delays_no_other() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(dir.path()).await.unwrap();
    local.packaged().unwrap();
    let down = std::net::TcpListener::bind(("127.0.0.9", 0)).unwrap().local_addr().unwrap().port();
    let adapt = |parameters: Parameters| {
        let hosts = format!("{}@127.0.0.1:{},git@127.0.0.9:{down}+private", local.sshd.user, local.sshd.port);
        parameters.with("AllowedGitHosts", hosts).with("Repositories", "127.0.0.*/**")
    };
    let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
    let (account, bucket) = (&local.cloud.account, stack.output("OutputBucketName").unwrap());
    let resources = account.resources(STACK).await.unwrap();
    let clone = local.host.create("acme/rocket").await.unwrap();
    let commit = clone.commit("One").await.unwrap();
    push_in_silence(&local, &stack, &clone, &["main"]).await;
    let pushed = async |repository: &str| {
        let path = repository.split_once('/').unwrap().1;
        let key = format!("{path}/{}.zip", path.replace('/', "_"));
        let put = account.s3.put_object().bucket(bucket).key(key).metadata("repository", repository);
        let put = put.metadata("commit", "1".repeat(40)).metadata("ref", "refs/heads/main");
        put.metadata("delivery-id", "d").send().await.unwrap();
    };
    for number in 0..10 {
        pushed(&format!("127.0.0.9/down/r{number}")).await;
    }
    pushed("127.0.0.1/acme/rocket").await;
    pushed("127.0.0.1/acme/gone").await;

    // The key is refused: a key that comes later is used then.
    let key = stack.output("PublicSSHKey").unwrap();
    local.sshd.revoke(key).unwrap();
    reconcile(account, &resources, &run(0)).await.unwrap();
    let first = |lines: Vec<Value>| lines.last().unwrap().clone();
    let line = first(told(account, "127.0.0.1").await);
    assert_eq!(["refused", "queued"].map(|name| count(&line, name)), [2, 0], "{line}");
    local.sshd.authorize(key, Access::Read, &local.host.serve()).unwrap();

    // One request is enough to learn that a host is down. Twice in a row, somebody is told.
    let error = reconcile(account, &resources, &run(1)).await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.9 in 2 runs"), "{error}");
    let line = first(told(account, "127.0.0.9").await);
    assert_eq!(["asked", "requests", "skipped"].map(|name| count(&line, name)), [1, 1, 9], "{line}");
    assert!(field(&line, "failure").is_some(), "{line}");
    let zip = Artifact::wait(account, bucket, MAIN, &commit, PATIENCE).await.unwrap();
    zip.same_tree(&clone.archive(&commit).await.unwrap()).unwrap();
    let line = first(told(account, "127.0.0.1").await);
    assert_eq!(["asked", "refused", "queued"].map(|name| count(&line, name)), [2, 1, 1], "{line}");
}
