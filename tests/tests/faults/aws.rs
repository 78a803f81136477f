//! Faults of AWS and kills of the worker, at any moment: an accepted push arrives.

use local::event_source::Delivered;
use local::fault_proxy::{Fault, How};
use local::local::STACK;
use local::tally;

use super::world::World;

/// A zip that is uploaded with one request, and one in parts.
const SMALL: usize = 40_000;
const IN_PARTS: usize = 17 << 20;

/// Repository, size of the push, failing call, number of successes before, number of failures, and
/// their kind.
const CASES: &[(&str, usize, &str, usize, usize, How)] = &[
    ("killed-while-fetching", SMALL, "HeadObject", 0, 1, How::Kill),
    ("killed-before-put", SMALL, "PutObject", 0, 1, How::Kill),
    ("killed-after-put", SMALL, "PutObject", 0, 1, How::KillAfter),
    ("killed-twice", SMALL, "PutObject", 0, 2, How::Kill),
    ("killed-before-parts", IN_PARTS, "CreateMultipartUpload", 0, 1, How::Kill),
    ("killed-between-parts", IN_PARTS, "UploadPart", 1, 1, How::Kill),
    ("killed-before-completion", IN_PARTS, "CompleteMultipartUpload", 0, 1, How::Kill),
    ("killed-after-completion", IN_PARTS, "CompleteMultipartUpload", 0, 1, How::KillAfter),
    ("put-503-once", SMALL, "PutObject", 0, 1, How::Answer(503, "SlowDown")),
    ("put-503-long", SMALL, "PutObject", 0, 4, How::Answer(503, "SlowDown")),
    ("put-500-long", SMALL, "PutObject", 0, 4, How::Answer(500, "InternalError")),
    ("put-reset-once", SMALL, "PutObject", 0, 1, How::Reset),
    ("put-reset-long", SMALL, "PutObject", 0, 4, How::Reset),
    ("put-answer-lost", SMALL, "PutObject", 0, 3, How::Lost),
    ("head-503-long", SMALL, "HeadObject", 0, 4, How::Answer(503, "SlowDown")),
    ("part-503-long", IN_PARTS, "UploadPart", 1, 6, How::Answer(503, "SlowDown")),
    ("part-reset-long", IN_PARTS, "UploadPart", 0, 6, How::Reset),
    ("completion-503-long", IN_PARTS, "CompleteMultipartUpload", 0, 4, How::Answer(503, "SlowDown")),
    ("completion-answer-lost", IN_PARTS, "CompleteMultipartUpload", 0, 1, How::Lost),
    ("throttled", SMALL, "PutObject", 0, 2, How::Answer(429, "TooManyRequestsException")),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_survive_s3_faults_and_kills() {
    let mut world = World::new().await;
    let mut pushed = Vec::new();
    for &(name, bytes, action, skip, times, how) in CASES {
        let about = format!("/acme/{name}/");
        world.aws.add(Fault { action, about, skip, times, how });
        pushed.push(world.push(&format!("acme/{name}"), bytes).await);
    }
    let forgotten = "acme/killed-before-deletion";
    world.source.forgets.insert(forgotten.to_owned());
    pushed.push(world.push(forgotten, SMALL).await);

    let outcomes = world.drain().await;
    assert!(world.aws.left().is_empty(), "every fault has happened: {:?}; {outcomes:?}", world.aws.left());
    for accepted in &pushed {
        world.is_stored(accepted).await;
        let last = outcomes.iter().rfind(|(path, _)| *path == accepted.clone.path).unwrap();
        assert_eq!(last.1, Delivered::Done, "{last:?}");
    }
    let killed = outcomes.iter().filter(|(_, outcome)| *outcome == Delivered::Died).count();
    assert_eq!(killed, 8 + 1, "{outcomes:?}; the log: {:?}", world.source.account.log_lines().await);
    let versions = world.is_clean(2).await;
    for path in ["acme/killed-after-put", "acme/killed-after-completion", forgotten] {
        let of_path = versions.iter().filter(|key| key.starts_with(path)).count();
        assert_eq!(of_path, 1, "{path}: the zip that is there is found, and not written again");
    }
    tally::tried(pushed.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unanswered_call_delays_only_its_push() {
    let world = World::new().await;
    world.hurry().await;
    for (name, action) in [("put-unanswered", "PutObject"), ("head-unanswered", "HeadObject")] {
        world.aws.add(Fault { action, about: format!("/acme/{name}/"), skip: 0, times: 1, how: How::Silence });
    }
    let mut pushed = Vec::new();
    for name in ["put-unanswered", "head-unanswered", "undisturbed"] {
        pushed.push(world.push(&format!("acme/{name}"), SMALL).await);
    }

    let outcomes = world.drain().await;
    assert!(world.aws.left().is_empty(), "{:?}", world.aws.left());
    let first = outcomes.iter().find(|(_, outcome)| *outcome == Delivered::Done);
    assert_eq!(first.unwrap().0, "acme/undisturbed", "nobody waits for another's failure: {outcomes:?}");
    for accepted in &pushed {
        world.is_stored(accepted).await;
        assert_eq!(world.reason(&accepted.clone.path).await, None);
    }
    world.is_clean(0).await;
    tally::tried(pushed.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redrive_delivers_pushes_after_lasting_faults() {
    let world = World::new().await;
    let cases: &[(&str, &str, How, &str)] = &[
        ("put-denied", "PutObject", How::Answer(403, "AccessDenied"), "could not store the zip"),
        ("put-down", "PutObject", How::Answer(503, "SlowDown"), "could not store the zip"),
        ("bucket-gone", "HeadObject", How::Answer(403, "AccessDenied"), "could not store the zip"),
    ];
    let mut pushed = Vec::new();
    for &(name, action, how, _) in cases {
        // Three attempts of the client in each of three tries of the job. It checks two keys,
        // because it doesn't know the default branch yet.
        let times = match (action, how) {
            (_, How::Answer(503, _)) => 9,
            ("HeadObject", _) => 6,
            _ => 3,
        };
        world.aws.add(Fault { action, about: format!("/acme/{name}/"), skip: 0, times, how });
        pushed.push(world.push(&format!("acme/{name}"), SMALL).await);
    }
    world.drain().await;
    assert!(world.aws.left().is_empty(), "{:?}", world.aws.left());
    for (accepted, (.., said)) in pushed.iter().zip(cases) {
        let reason = world.reason(&accepted.clone.path).await.expect("it is in the dead-letter queue");
        assert!(reason.contains(said), "{reason}");
    }
    assert!(world.is_clean(0).await.is_empty());

    assert_eq!(world.redrive().await, cases.len());
    world.drain().await;
    for accepted in &pushed {
        world.is_stored(accepted).await;
    }
    assert_eq!(world.is_clean(0).await.len(), cases.len());
    tally::tried(cases.len());
}

/// A value that `infra` refuses, set by a deployment without it.
const BROKEN: &str = "github.com=gitlub";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_configuration_loses_no_push() {
    let world = World::new().await;
    let (account, worker) = (&world.source.account, &world.source.function);
    let good = account.set_variable(worker, "ALLOWED_HOSTS", BROKEN).await.unwrap();
    let accepted = world.push("acme/rocket", SMALL).await;
    world.drain().await;
    let reason = world.reason("acme/rocket").await.expect("it is in the dead-letter queue");
    assert!(reason.contains("cannot read the function's configuration") && reason.contains(BROKEN), "{reason}");

    let webhook = account.resources(STACK).await.unwrap().id("WebhookFunction").unwrap().to_owned();
    account.set_variable(&webhook, "ALLOWED_HOSTS", BROKEN).await.unwrap();
    accepted.clone.git(&["commit", "--quiet", "--allow-empty", "--message", "Again"]).await.unwrap();
    let said = accepted.clone.push(&["main"]).await.unwrap();
    assert!(said.contains("refs/heads/main: 503"), "{said}");
    let log = format!("{:?}", account.log_lines().await.unwrap());
    assert!(log.matches("cannot read the function's configuration").count() > 1, "{log}");

    account.set_variable(worker, "ALLOWED_HOSTS", &good).await.unwrap();
    assert_eq!(world.redrive().await, 1);
    world.drain().await;
    let zip = world.zip_of(&accepted).await;
    zip.same_tree(&accepted.clone.archive(&accepted.commit).await.unwrap()).unwrap();
    tally::tried(2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_survive_kms_and_sqs_faults() {
    let world = World::new().await;
    let of_a_cold_worker: &[(&str, &str, usize, How)] = &[
        ("Decrypt", "CiphertextBlob", 1, How::Answer(500, "KMSInternalException")),
        ("Decrypt", "CiphertextBlob", 4, How::Answer(400, "ThrottlingException")),
        ("Decrypt", "CiphertextBlob", 4, How::Reset),
        ("Decrypt", "CiphertextBlob", 1, How::Kill),
        ("GetObject", "/ssh-key/", 4, How::Answer(503, "SlowDown")),
        ("GetObject", "/ssh-key/", 1, How::Kill),
        ("GetObject", "/packs/", 3, How::Answer(503, "SlowDown")),
        ("GetObject", "/packs/", 1, How::Kill),
    ];
    for (number, &(action, about, times, how)) in of_a_cold_worker.iter().enumerate() {
        world.aws.add(Fault { action, about: about.to_owned(), skip: 0, times, how });
        world.renew_workers().await;
        let accepted = world.push(&format!("acme/cold-{number}"), SMALL).await;
        world.drain().await;
        assert!(world.aws.left().is_empty(), "{action} {how:?}: {:?}", world.aws.left());
        world.is_stored(&accepted).await;
    }

    // The call that schedules a retry, and the one that moves a job to the dead-letter queue.
    let of_the_queues =
        [("ChangeMessageVisibility", "could not store the zip"), ("SendMessage", "no try reported a reason")];
    for (number, (action, said)) in of_the_queues.into_iter().enumerate() {
        let path = format!("acme/queue-{number}");
        world.push(&path, SMALL).await;
        let denied = How::Answer(403, "AccessDenied");
        world.aws.add(Fault { action: "PutObject", about: format!("/{path}/"), skip: 0, times: 3, how: denied });
        let unavailable = How::Answer(500, "InternalError");
        world.aws.add(Fault { action, about: "GitPull".to_owned(), skip: 0, times: 3, how: unavailable });
        world.drain().await;
        assert!(world.aws.left().is_empty(), "{action}: {:?}", world.aws.left());
        let reason = world.reason(&path).await.expect("it is in the dead-letter queue");
        // A job that couldn't be moved to the dead-letter queue is retried. By then, its reason is
        // lost.
        assert!(reason.contains(said), "{action}: {reason}");
    }
    tally::tried(of_a_cold_worker.len() + 2);
}
