//! One push of many references: `git push --all --tags` is one event of Bitbucket Data Center, and
//! one message per reference. This tests the path from the endpoint to the bucket. The handler has
//! its own tests.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use deployment::{deploy::Parameters, render::progress::Silent};
use local::artifact::{Artifact, field};
use local::event_source::{Delivered, EventSource};
use local::local::{Local, Stack};
use local::tally;
use local::webhook::{delivery_id, post, signature};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than 5,000 zips take here.
const PATIENCE: Duration = Duration::from_mins(90);

/// The repository of the event.
const REPOSITORY: &str = "PROJ/repo";

/// The most messages in a call to SQS.
const BATCH: usize = 10;

/// A stack with a repository on Bitbucket Data Center. Messages stay in the queue until they are
/// drained.
struct World {
    _dir: TempDir,
    local: Local,
    stack: Stack,
    source: EventSource,
    commit: String,
    archive: Vec<u8>,
}

impl World {
    /// A repository with `main` and this many tags, all on one commit.
    async fn with_tags(tags: usize) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let local = Local::tied(dir.path()).await.unwrap();
        local.packaged().unwrap();
        let host = format!("{}@127.0.0.1:{}=bitbucket-dc", local.sshd.user, local.sshd.port);
        let adapt = |parameters: Parameters| parameters.with("AllowedGitHosts", host).with("Refs", "main,refs/tags/v*");
        let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
        let source = EventSource::of_gitpull(&local.cloud.account, &stack.name).await.unwrap();
        let source = EventSource { workers: 1, ..source };

        let clone = local.host.create(REPOSITORY).await.unwrap();
        std::fs::write(clone.dir().join("README.md"), "# Many names\n").unwrap();
        let commit = clone.commit("Name it often").await.unwrap();
        let archive = clone.archive(&commit).await.unwrap();
        local.host.report_to("http://127.0.0.1:9/nobody", "").unwrap();
        clone.push(&["main"]).await.unwrap();
        let mut update = Command::new("git");
        update
            .arg("--git-dir")
            .arg(local.host.root().join(format!("{REPOSITORY}.git")))
            .args(["update-ref", "--stdin"]);
        let mut update = update.stdin(Stdio::piped()).spawn().unwrap();
        let mut lines = update.stdin.take().unwrap();
        for tag in 0..tags {
            writeln!(lines, "create refs/tags/v{tag} {commit}").unwrap();
        }
        drop(lines);
        assert!(update.wait().unwrap().success());
        Self { _dir: dir, local, stack, source, commit, archive }
    }

    /// The event of a push of `main`, the tags, and this many excluded branches.
    fn event(&self, tags: usize, unwanted: usize) -> Value {
        let mut event: Value =
            serde_json::from_str(include_str!("../../functions/webhook/src/bitbucket-dc-101-references.json")).unwrap();
        let changes = event["changes"].as_array_mut().unwrap();
        let of = |id: &str| changes.iter().find(|change| change["ref"]["id"] == id).unwrap().clone();
        let (branch, tag) = (of("refs/heads/main"), of("refs/tags/v0"));
        let named = |change: &Value, id: String| {
            let mut change = change.clone();
            change["ref"]["id"] = json!(id);
            change["toHash"] = json!(self.commit);
            change
        };
        *changes = vec![named(&branch, "refs/heads/main".to_owned())];
        changes.extend((0..unwanted).map(|n| named(&branch, format!("refs/heads/draft/{n}"))));
        changes.extend((0..tags).map(|n| named(&tag, format!("refs/tags/v{n}"))));
        event
    }

    /// Delivers the event. Returns the number of jobs in the response, and its duration.
    async fn deliver(&self, event: &Value, delivery: &str) -> (usize, Duration) {
        let body = event.to_string().into_bytes();
        let signature = signature(&self.stack.api_secret, &body);
        let headers =
            [("x-event-key", "repo:refs_changed"), ("x-request-id", delivery), ("x-hub-signature", &signature)];
        let begun = Instant::now();
        let answer = post(&self.stack.webhook_url, &headers, body).await.unwrap();
        let waited = begun.elapsed();
        assert_eq!(answer.status, 202, "{}: {:?}", answer.body, self.failures().await);
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        let jobs: BTreeSet<_> = answer["jobs"].as_array().unwrap().iter().map(|job| job.as_str().unwrap()).collect();
        (jobs.len(), waited)
    }

    async fn failures(&self) -> Vec<Value> {
        let lines = self.local.cloud.account.log_lines().await.unwrap();
        lines.into_iter().filter(|line| field(line, "cause").is_some()).collect()
    }

    /// How many calls of each kind SQS received.
    async fn calls(&self) -> [usize; 2] {
        let state = self.local.cloud.state().await.unwrap();
        ["sqs.SendMessageBatch", "sqs.SendMessage"]
            .map(|call| usize::try_from(state["validated"][call].as_u64().unwrap_or_default()).unwrap())
    }

    async fn waiting(&self) -> u64 {
        self.source.account.messages(&self.source.queue).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reference_of_a_push_arrives() {
    let tags = if tally::is_long() { 4_999 } else { 100 };
    let world = World::with_tags(tags).await;
    let (event, delivery) = (world.event(tags, 50), delivery_id());
    let wanted = tags + 1;
    let before = world.calls().await;
    let (queued, answered) = world.deliver(&event, &delivery).await;
    let after = world.calls().await;
    assert_eq!((queued, world.waiting().await), (wanted, wanted as u64));
    assert_eq!(after[0] - before[0], wanted / BATCH);
    assert_eq!(after[1] - before[1], usize::from(wanted % BATCH == 1));

    // A sender whose request timed out delivers the same again.
    assert_eq!(world.deliver(&event, &delivery).await.0, wanted);
    assert_eq!(world.waiting().await, wanted as u64, "the same delivery was queued twice");

    let begun = Instant::now();
    let outcomes = world.source.drain(PATIENCE).await.unwrap();
    let drained = begun.elapsed();
    assert_eq!(outcomes.len(), wanted);
    assert!(outcomes.iter().all(|(_, outcome)| *outcome == Delivered::Done), "{outcomes:?}");

    let (account, bucket) = (&world.local.cloud.account, world.stack.output("OutputBucketName").unwrap());
    let key = |tag: usize| format!("{REPOSITORY}/tag/v{tag}/PROJ_repo.zip");
    let expected: BTreeSet<_> = (0..tags).map(key).chain([format!("{REPOSITORY}/PROJ_repo.zip")]).collect();
    let versions = account.versions(bucket).await.unwrap();
    assert_eq!(versions.len(), wanted);
    assert_eq!(versions.into_iter().map(|(key, _)| key).collect::<BTreeSet<_>>(), expected);
    for (key, reference) in [
        (key(tags - 1), format!("refs/tags/v{}", tags - 1)),
        (format!("{REPOSITORY}/PROJ_repo.zip"), "refs/heads/main".to_owned()),
    ] {
        let zip = Artifact::get(account, bucket, &key).await.unwrap();
        zip.same_tree(&world.archive).unwrap();
        assert_eq!((&zip.metadata["ref"], &zip.metadata["commit"]), (&reference, &world.commit));
    }
    let dead = account.resources(&world.stack.name).await.unwrap().id("GitPullDeadLetterQueue").unwrap().to_owned();
    assert_eq!(account.dead_letters(&dead).await.unwrap(), []);
    tally::tried(wanted);
    tally::note(&format!("{wanted} references of one push answered within {answered:.1?}, drained in {drained:.0?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_references_queue_in_time() {
    let world = World::with_tags(0).await;
    let (queued, answered) = world.deliver(&world.event(4_999, 0), &delivery_id()).await;
    assert_eq!((queued, world.waiting().await), (5_000, 5_000));
    // Senders wait ten seconds.
    assert!(answered < Duration::from_secs(10), "{answered:?}");
    let told = world.local.cloud.account.log_lines().await.unwrap();
    let told = told.iter().filter(|line| field(line, "message").is_some_and(|message| message == "queued")).count();
    assert_eq!(told, 5_000, "the log names each");
    tally::tried(queued);
    tally::note(&format!("{queued} references of one push queued within {answered:.1?}"));
}
