//! `infra trace` and `infra replay`: the story of each push, and a job that runs once more.

use std::cell::RefCell;
use std::fs;
use std::time::{Duration, Instant};

use local::aws::{Account, REGION};
use local::local::{Local, STACK, Stack};
use local::reconcile::reconcile;
use local::tally;
use local::webhook::{Push, delivery_id, post, signature};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::desk::Desk;

/// Longer than three tries take with the pauses between them.
const PATIENCE: Duration = Duration::from_mins(2);

/// A stack, its Git host and a person.
struct Scene<'a> {
    local: &'a Local,
    stack: &'a Stack,
    desk: Desk<'a>,
    /// How long each trace took.
    took: RefCell<Vec<String>>,
}

impl Scene<'_> {
    fn account(&self) -> &Account {
        &self.local.cloud.account
    }

    /// Delivers a push of `main`, signed with `secret`, to this endpoint. Returns the delivery.
    async fn deliver(&self, repository: &str, commit: &str, secret: &str, url: &str) -> String {
        let push = Push {
            before: "0".repeat(40),
            after: commit.to_owned(),
            reference: "refs/heads/main".to_owned(),
            subject: "launch codes".to_owned(),
            repository: repository.to_owned(),
            ssh_url: format!("{}/{repository}.git", self.local.host.base_url),
            default_branch: "main".to_owned(),
        };
        let (id, body) = (delivery_id(), push.body());
        let signature = signature(secret, &body);
        let headers = [("x-github-event", "push"), ("x-github-delivery", &*id), ("x-hub-signature-256", &*signature)];
        post(url, &headers, body).await.unwrap();
        id
    }

    /// What `trace` prints as JSON, once it says that nothing more happens.
    async fn traced(&self, wanted: &str) -> Value {
        let begun = Instant::now();
        loop {
            let output = self.desk.infra(&["trace", "--json", wanted]).await;
            let read = serde_json::from_slice(&output.stdout);
            assert!(read.is_ok(), "{wanted}: {output:?}");
            let traced: Value = read.unwrap();
            let pushes = traced["pushes"].as_array().unwrap();
            if !pushes.is_empty() && pushes.iter().all(|push| push["outcome"] != "underWay") {
                return traced;
            }
            assert!(begun.elapsed() < PATIENCE, "{wanted}: {traced}");
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// What `trace` says to a person, and how long it takes.
    async fn told(&self, what: &str, wanted: &str, code: i32, expected: &[&str]) -> String {
        let begun = Instant::now();
        let told = self.desk.check(&["trace", wanted], code, expected).await;
        self.took.borrow_mut().push(format!("{what} {:.2} s", begun.elapsed().as_secs_f64()));
        told
    }
}

/// The kinds of the steps of the first push.
fn kinds(traced: &Value) -> Vec<&str> {
    traced["pushes"][0]["steps"].as_array().unwrap().iter().map(|step| step["kind"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trace_tells_each_story() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, stack) = Local::with_stack(&dir.path().join("cloud")).await.unwrap();
    let work = dir.path().join("work");
    let scene =
        Scene { local: &local, stack: &stack, desk: Desk::new(&local.cloud.account, &work), took: RefCell::default() };
    let desk = &scene.desk;
    desk.write("git2s3.toml", &format!("region = '{REGION}'\n"));
    desk.check(&["trace", "acme/rocket"], 1, &["Nothing is known of acme/rocket in the logs of the last 14 d"]).await;
    desk.check(&["trace", "x", "--stack-name", "other"], 4, &["there is no stack other"]).await;
    desk.check(&["trace", "acme/../rocket"], 2, &["expected the ID of a delivery"]).await;

    // Refused: the secret is wrong.
    let refused = scene.deliver("acme/rocket", &"a".repeat(40), "guess", &stack.webhook_url).await;
    assert_eq!(kinds(&scene.traced(&refused).await), ["refused", "answered"]);
    let said = ["refused: the request is not authenticated", "was answered with 401", "let the host deliver it again"];
    let told = scene.told("refused", &refused, 1, &said).await;
    assert!(!told.contains("guess") && !told.contains("launch codes"), "{told}");

    // Stored, and found by everything that names it.
    let clone = local.host.create("acme/rocket").await.unwrap();
    fs::write(clone.dir().join("a"), "x").unwrap();
    let first = clone.commit("First").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let traced = scene.traced("acme/rocket@main").await;
    let push = &traced["pushes"][0];
    assert_eq!(
        (&push["outcome"], &push["commit"], &push["origin"]),
        (&json!("stored"), &json!(first), &json!("webhook"))
    );
    let artifact = format!("s3://{}/acme/rocket/acme_rocket.zip", stack.output("OutputBucketName").unwrap());
    assert_eq!((&push["stored"]["artifact"], &push["stored"]["now"]["state"]), (&json!(artifact), &json!("current")));
    assert_eq!(kinds(&traced), ["received", "queued", "answered", "begun", "stored"], "{traced:#}");
    let delivery = push["delivery"].as_str().unwrap().to_owned();
    let said = [
        "127.0.0.1/acme/rocket main at ",
        "received from 127.0.0.1, authenticated by x-hub-signature-256",
        "queued for gitpull",
        "was answered with 202",
        "try 1 begins",
        &artifact,
        "it is the current one",
    ];
    for wanted in [&*delivery, &*first, &first[..8], "acme/rocket", "127.0.0.1/acme/rocket@refs/heads/main"] {
        scene.told("stored", wanted, 0, &said).await;
    }

    // Superseded: when the worker asks, the branch names a newer commit.
    local.host.report_to("http://127.0.0.1:9/nobody", "").unwrap();
    fs::write(clone.dir().join("a"), "y").unwrap();
    let second = clone.commit("Second").await.unwrap();
    fs::write(clone.dir().join("a"), "z").unwrap();
    let third = clone.commit("Third").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let superseded = scene.deliver("acme/rocket", &second, &stack.api_secret, &stack.webhook_url).await;
    let traced = scene.traced(&superseded).await;
    let push = &traced["pushes"][0];
    let commits = (&push["commit"], &push["stored"]["commit"]);
    assert_eq!((&push["outcome"], commits), (&json!("superseded"), (&json!(second), &json!(third))), "{traced:#}");
    scene.told("superseded", &second, 1, &[&format!("superseded, {} is stored instead", &third[..12])]).await;
    // The first zip is an older version now.
    scene.told("replaced", &delivery, 0, &["another one has replaced it"]).await;
    // Both deliveries are of the branch.
    let both: Value =
        serde_json::from_slice(&desk.infra(&["trace", "--json", "--last", "5", "acme/rocket"]).await.stdout).unwrap();
    assert_eq!(both["pushes"].as_array().unwrap().len(), 2);

    // Reconciled: the webhook was lost.
    reconcile(scene.account(), &scene.account().resources(STACK).await.unwrap(), "2026-11-30T12:00:00Z").await.unwrap();
    let before = scene.traced("acme/rocket@main").await;
    fs::write(clone.dir().join("a"), "found").unwrap();
    let found = clone.commit("Found").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    reconcile(scene.account(), &scene.account().resources(STACK).await.unwrap(), "2026-11-30T12:30:00Z").await.unwrap();
    let traced = scene.traced(&found).await;
    let push = &traced["pushes"][0];
    assert_ne!(before["pushes"][0]["delivery"], push["delivery"]);
    assert_eq!((&push["outcome"], &push["origin"]), (&json!("stored"), &json!("reconciler")), "{traced:#}");
    assert_eq!((&push["worker"], &push["stored"]["commit"]), (&json!("gitpull"), &json!(found)));
    assert_eq!(kinds(&traced), ["queued", "begun", "stored"], "{traced:#}");
    let delivery = push["delivery"].as_str().unwrap();
    let said = [
        "127.0.0.1/acme/rocket main at ",
        "missed by webhooks and found by the reconciler",
        "queued: the host has another commit than the bucket",
        "try 1 begins",
        &artifact,
        "it is the current one",
    ];
    for wanted in [delivery, &found[..10], "acme/rocket", "acme/rocket@main", "127.0.0.1/acme/rocket@refs/heads/main"] {
        scene.told("reconciled", wanted, 0, &said).await;
    }
    desk.check(&["logs", "--since", "1h"], 0, &["127.0.0.1: compared 1 repositories in 1 requests, 1 queued"]).await;

    tally::note(&format!("a trace took: {}", scene.took.borrow().join(", ")));

    // No delivery ID is a pattern.
    for hostile in [r#"a"||($.level="*"#, "{x}", "%x%"] {
        desk.check(&["trace", hostile], 1, &["Nothing is known of delivery"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_push_is_replayed_after_repair() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, stack) = Local::with_stack(&dir.path().join("cloud")).await.unwrap();
    let work = dir.path().join("work");
    let scene =
        Scene { local: &local, stack: &stack, desk: Desk::new(&local.cloud.account, &work), took: RefCell::default() };
    let desk = &scene.desk;
    desk.write("git2s3.toml", &format!("region = '{REGION}'\n"));

    // The host has neither repository yet.
    let failing = ["acme/ghost", "acme/phantom"];
    let mut deliveries = Vec::new();
    for repository in failing {
        deliveries.push(scene.deliver(repository, &"b".repeat(40), &scene.stack.api_secret, &stack.webhook_url).await);
    }
    let [ghost, phantom] = &deliveries[..] else { panic!("{deliveries:?}") };
    let traced = scene.traced(ghost).await;
    assert_eq!(traced["pushes"][0]["outcome"], "givenUp", "{traced:#}");
    let begun = kinds(&traced).iter().filter(|kind| **kind == "begun").count();
    assert_eq!(begun, 3, "{traced:#}");
    let said = ["given up: ", "moved to the dead-letter queue", &format!("replay {ghost}`")];
    scene.told("failed", ghost, 1, &said).await;
    assert_eq!(scene.traced(phantom).await["pushes"][0]["outcome"], "givenUp");
    let resources = scene.account().resources(STACK).await.unwrap();
    let dead = resources.id("GitPullDeadLetterQueue").unwrap();
    assert_eq!(scene.account().messages(dead).await.unwrap(), 2);

    // Nothing happens without a yes.
    let plan = ["acme/ghost refs/heads/main", "was given up: to GitPullQueue, from its dead-letter message"];
    desk.check(&["replay", ghost, "--dry-run"], 0, &[&plan[..], &["dry run: nothing was queued"]].concat()).await;
    desk.check(&["replay", ghost], 2, &["there is no terminal", "--yes"]).await;
    let (code, told) = desk.answered(&["replay", ghost], "n").await;
    assert!(code == Some(5) && told.contains("run this job again? [y/N]"), "{told}");
    assert_eq!(scene.account().messages(dead).await.unwrap(), 2);

    // The cause is repaired: the dead-letter message goes back, and only that one.
    local.host.report_to("http://127.0.0.1:9/nobody", "").unwrap();
    let clone = local.host.create("acme/ghost").await.unwrap();
    let commit = clone.commit("First").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    let output = desk.infra(&["replay", ghost, "--yes", "--json"]).await;
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let [one] = &replayed.as_array().unwrap()[..] else { panic!("{replayed}") };
    assert_eq!((&one["source"], &one["result"]["stored"]["commit"]), (&json!("deadLetterMessage"), &json!(commit)));
    // The commit that the sender named isn't there: that is not a success.
    assert_eq!((&one["result"]["outcome"], output.status.code()), (&json!("superseded"), Some(1)), "{replayed:#}");
    let [(left, _)] = &scene.account().dead_letters(dead).await.unwrap()[..] else { panic!("not one") };
    assert_eq!(left["delivery"], **phantom);
    scene.told("replayed", ghost, 1, &["given up", "redrive-", "superseded", "is stored instead"]).await;

    // A stored push: the job is made again of the log, and nothing is written twice.
    local.host.report_to(&stack.webhook_url, &stack.api_secret).unwrap();
    fs::write(clone.dir().join("a"), "x").unwrap();
    let second = clone.commit("Second").await.unwrap();
    clone.push(&["main"]).await.unwrap();
    assert_eq!(scene.traced(&second).await["pushes"][0]["outcome"], "stored");
    let bucket = stack.output("OutputBucketName").unwrap();
    let before = scene.account().versions(bucket).await.unwrap();
    let address = format!("s3://{bucket}/acme/ghost/acme_ghost.zip");
    let said = ["from the log", "queued in GitPullQueue as replay-", "unchanged", &address];
    desk.check(&["replay", &second[..10], "--yes"], 0, &said).await;
    assert_eq!(scene.account().versions(bucket).await.unwrap(), before);
    desk.check(&["replay", "acme/ghost@main", "--yes", "--no-wait"], 0, &["queued in GitPullQueue"]).await;

    // A deletion stays one, and is told once.
    clone.push(&["main:old"]).await.unwrap();
    assert_eq!(scene.traced("acme/ghost@old").await["pushes"][0]["outcome"], "stored");
    clone.push(&["--delete", "old"]).await.unwrap();
    let begun = Instant::now();
    let deleted = loop {
        let traced = scene.traced("acme/ghost@old").await;
        if traced["pushes"][0]["outcome"] == "gone" {
            break traced["pushes"][0]["delivery"].as_str().unwrap().to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "{traced:#}");
        sleep(Duration::from_millis(200)).await;
    };
    scene.told("deleted", &deleted, 1, &["gone: deleted: the zip stays"]).await;
    let output = desk.infra(&["replay", &deleted, "--yes", "--json"]).await;
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((&replayed[0]["job"]["deleted"], output.status.code()), (&json!(true), Some(0)), "{replayed:#}");
    let reason = replayed[0]["result"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("deleted: this was told before"), "{reason}");

    tally::note(&format!("a trace took: {}", scene.took.borrow().join(", ")));

    // What never became a job, or isn't known, can't run again.
    let refused = scene.deliver("acme/ghost", &commit, "guess", &stack.webhook_url).await;
    scene.traced(&refused).await;
    desk.check(&["replay", &refused, "--yes"], 2, &["became no job", "deliver it again"]).await;
    desk.check(&["replay", "acme/nowhere", "--yes"], 1, &["Nothing is known of acme/nowhere"]).await;
}
