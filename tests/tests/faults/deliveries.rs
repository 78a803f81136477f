//! Faults of the queue: a job that is delivered twice, concurrently, later or out of order, and a
//! reference that moves meanwhile.

use local::event_source::EventSource;
use local::{peer, tally};
use rustix::process::{Resource, Rlimit, prlimit};

use super::world::{Accepted, PATIENCE, World};

const BYTES: usize = 100_000;

impl World {
    /// Queues a job again, as only SQS would: with its own ID and group, so that both can run
    /// concurrently.
    async fn queue_again(&self, accepted: &Accepted, id: &str) {
        let job = serde_json::json!({
            "delivery": id,
            "repository": { "host": "127.0.0.1", "path": accepted.clone.path },
            "reference": "refs/heads/main",
            "commit": accepted.commit,
            "default_branch": "main",
        });
        let request =
            self.source.account.sqs.send_message().queue_url(&self.source.queue).message_body(job.to_string());
        request.message_group_id(id).message_deduplication_id(id).send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicate_jobs_keep_newest_commit() {
    let world = World::new().await;
    // Later: nothing is left to do.
    let first = world.push("acme/rocket", BYTES).await;
    world.drain().await;
    world.queue_again(&first, "later").await;
    world.drain().await;
    world.is_stored(&first).await;
    assert_eq!(world.is_clean(0).await.len(), 1);

    // An old job after a new one: it finds the newest commit.
    let old = first.commit.clone();
    let second = world.push_again(first.clone, BYTES).await;
    world.drain().await;
    let stale = Accepted { commit: old, ..second };
    world.queue_again(&stale, "stale").await;
    world.drain().await;
    let newest = Accepted { commit: stale.clone.git(&["rev-parse", "HEAD"]).await.unwrap(), ..stale };
    world.is_stored(&newest).await;
    assert_eq!(world.is_clean(0).await.len(), 2);

    // Concurrently, by several workers with a shared and with separate clone directories.
    let third = world.push_again(newest.clone, BYTES).await;
    for number in 0..4 {
        world.queue_again(&third, &format!("at-once-{number}")).await;
    }
    world.drain().await;
    world.is_stored(&third).await;
    world.is_clean(0).await;
    // On this machine, all workers share a disk. One that finds the clone in use three times gives
    // up.
    let reason = world.reason("acme/rocket").await.unwrap_or_default();
    assert!(reason.is_empty() || reason.contains("in use"), "{reason}");

    // A reference that moves while it is fetched: one of both commits is stored, and finally the
    // newest.
    let mut moving = third;
    for _ in 0..5 {
        let pushed = world.push_again(moving.clone, BYTES).await;
        let source = world.source.clone();
        let working = tokio::spawn(async move { EventSource::drain(&source, PATIENCE).await });
        moving = world.push_again(pushed.clone, BYTES).await;
        working.await.unwrap().unwrap();
        world.drain().await;
        world.is_stored(&moving).await;
    }
    world.is_clean(0).await;
    tally::tried(3 + 4 + 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_at_limits_loses_no_push() {
    let world = World::new().await;
    // The worker's deadline: it reports that no time is left to fetch.
    let account = &world.source.account;
    account.limit(&world.source.function, 5).await.unwrap();
    let accepted = world.push("acme/no-time", BYTES).await;
    world.drain().await;
    let reason = world.reason("acme/no-time").await.unwrap();
    assert!(reason.contains("time"), "{reason}");
    account.limit(&world.source.function, 60).await.unwrap();
    world.redrive().await;
    world.drain().await;
    world.is_stored(&accepted).await;

    // A full disk, and too little memory: the kernel enforces the limits.
    let limits = [(Resource::Fsize, 50_000), (Resource::As, 150 << 20)];
    for (number, (resource, most)) in limits.into_iter().enumerate() {
        world.renew_workers().await;
        let warm = world.push(&format!("acme/warm-{number}"), 1_000).await;
        world.drain().await;
        world.is_stored(&warm).await;
        let workers = peer::of_function(&world.source.function, &world.aws.endpoint()).unwrap();
        assert!(!workers.is_empty());
        for worker in workers {
            let limit = Rlimit { current: Some(most), maximum: Some(most) };
            prlimit(Some(worker), resource, limit).unwrap();
        }
        let path = format!("acme/limited-{number}");
        let accepted = world.push(&path, 20 << 20).await;
        let outcomes = world.drain().await;
        assert!(outcomes.len() > 1, "{resource:?}: {outcomes:?}");
        if world.reason(&path).await.is_some() {
            world.renew_workers().await;
            world.redrive().await;
            world.drain().await;
        }
        world.is_stored(&accepted).await;
    }
    world.is_clean(0).await;
    tally::tried(1 + limits.len());
}
