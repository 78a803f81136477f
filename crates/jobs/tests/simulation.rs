//! Simulates both workers under every order of events that a queue, a host, a bucket and a failing
//! machine allow. It runs the real batch code in a small model world, whose clock and random events
//! depend on a seed. Deliveries come late, twice and in any order: somebody presses the host's
//! "Redeliver", or redrives dead-letter messages. Some receives never reach a worker, because the
//! function is throttled, and some reach it late.
#![cfg(test)]

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use contract::{
    Job, Retry,
    dead_letter::{RECEIVES, TRIES},
    visibility,
};
use jobs::{Failed, JobError, Run as LambdaRun};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// The function's timeout, in seconds.
const TIMEOUT: u64 = 300;
/// Longer than any visibility timeout, in seconds.
const ANY: u64 = u64::MAX;
/// The number of workers.
const WORKERS: usize = 3;
/// The number of pushes per simulation.
const PUSHES: u32 = 6;
/// How often an old push is redelivered.
const REDELIVERIES: u32 = 4;

#[derive(Debug, thiserror::Error)]
#[error("it failed")]
struct Failure(Retry);

impl JobError for Failure {
    fn retry(&self) -> Retry {
        self.0
    }

    fn hint(&self) -> Option<&'static str> {
        Some("fix it")
    }
}

/// How a worker determines the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It fetches the commit of the host's reference, in one session.
    GitPull,
    /// It asks the host for the reference's commit, then for that commit's archive.
    ZipDl,
    /// It requests the archive of the message's commit, as zipdl once did.
    Payload,
}

/// A message of the only group: a push to the only reference.
#[derive(Debug, Clone)]
struct Message {
    id: u32,
    push: u32,
    receives: u16,
    first_receive: Option<u64>,
    /// The number of receives that were throttled.
    throttled: u16,
    visible_at: u64,
}

/// One repository with one branch, one queue, one object.
#[derive(Debug)]
struct World {
    fate: RefCell<StdRng>,
    now: Cell<u64>,
    way: Way,
    /// The longest time that a message in progress is hidden, in seconds.
    most_hidden: u64,
    /// The commit of the branch. Pushes are numbered.
    host: Cell<u32>,
    /// The commit in the bucket.
    object: Cell<u32>,
    /// The push of each message so far, by message ID.
    sent: RefCell<Vec<u32>>,
    queue: RefCell<Vec<Message>>,
    /// Messages in the dead-letter queue, with the reason if the worker gave one.
    dead: RefCell<BTreeMap<u32, Option<String>>>,
    done: RefCell<Vec<u32>>,
    /// Messages that no retry can help.
    hopeless: RefCell<BTreeSet<u32>>,
    /// Messages that were given up too early.
    untried: RefCell<Vec<u32>>,
}

/// A violated invariant.
#[derive(Debug, PartialEq, Eq)]
enum Violation {
    /// A message is done, but the bucket has an older commit.
    Lost(u32),
    /// The bucket went back to an older commit.
    WentBack { from: u32, to: u32 },
    /// A message is neither done nor in the dead-letter queue.
    Stuck(u32),
    /// A message was given up before it had its tries.
    Untried(u32),
    /// Everything is done, but the bucket doesn't have the branch's commit.
    Stale { host: u32, object: u32 },
}

/// A point at which anything else may happen.
async fn moment() {
    let mut is_over = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut is_over, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl World {
    fn chance(&self, one_in: u32) -> bool {
        self.fate.borrow_mut().random_ratio(1, one_in)
    }

    fn push(&self) {
        self.host.set(self.host.get() + 1);
        self.deliver(self.host.get());
    }

    fn redeliver_old(&self) {
        let push = self.fate.borrow_mut().random_range(1..=self.host.get());
        self.deliver(push);
    }

    fn deliver(&self, push: u32) {
        let mut sent = self.sent.borrow_mut();
        let id = u32::try_from(sent.len()).unwrap();
        sent.push(push);
        self.queue.borrow_mut().push(Message {
            id,
            push,
            receives: 0,
            first_receive: None,
            throttled: 0,
            visible_at: 0,
        });
    }

    /// What SQS and Lambda deliver: the first message of the group, unless it is hidden. After the
    /// last receive it moves to the dead-letter queue.
    fn receive(&self) -> Option<Message> {
        let mut queue = self.queue.borrow_mut();
        let now = self.now.get();
        let first = queue.first_mut().filter(|first| first.visible_at <= now)?;
        if first.receives >= RECEIVES {
            let dead = queue.remove(0);
            self.dead.borrow_mut().entry(dead.id).or_insert(None);
            return None;
        }
        first.receives += 1;
        first.first_receive.get_or_insert(now);
        let hidden = self.hidden(visibility::of_queue(Duration::from_secs(TIMEOUT)));
        first.visible_at = now + hidden;
        if self.chance(6) {
            first.throttled += 1;
            return None;
        }
        if self.chance(6) {
            let late = self.fate.borrow_mut().random_range(0..hidden);
            self.now.set(now + late);
        }
        Some(first.clone())
    }

    /// This time in seconds, limited by this world's longest timeout.
    fn hidden(&self, time: Duration) -> u64 {
        time.as_secs().min(self.most_hidden)
    }

    /// Changes a message by its receipt, which is valid for one receive.
    fn of_receipt(&self, receipt: &str, change: impl FnOnce(&mut Message)) {
        let mut queue = self.queue.borrow_mut();
        let own = queue.iter_mut().find(|message| receipt == format!("{}-{}", message.id, message.receives));
        if let Some(message) = own.filter(|_| !self.chance(8)) {
            change(message);
        }
    }

    /// Whether a message has used up its tries, or SQS won't deliver it again.
    fn had_its_tries(&self, id: u32) -> bool {
        let queue = self.queue.borrow();
        let message = queue.iter().find(|message| message.id == id);
        message.is_none_or(|message| message.receives - message.throttled >= TRIES || message.receives >= RECEIVES)
    }

    /// Processes a job of this push, with everything that may fail.
    async fn work(&self, id: u32, push: u32) -> Result<(), Failure> {
        let done = self.try_to_work(push).await;
        if matches!(done, Err(Failure(Retry::Never))) {
            self.hopeless.borrow_mut().insert(id);
        }
        done
    }

    async fn try_to_work(&self, push: u32) -> Result<(), Failure> {
        moment().await;
        self.may_fail()?;
        let mut commit = if self.way == Way::Payload { push } else { self.host.get() };
        moment().await;
        let mut there = self.object.get();
        // Either the message is old, or the host lags behind: ask once more.
        if self.way == Way::ZipDl && commit != push && commit == there {
            moment().await;
            (commit, there) = (self.host.get(), self.object.get());
        }
        moment().await;
        if self.way == Way::ZipDl {
            // The archive takes a while.
            self.may_fail()?;
            moment().await;
        }
        self.may_fail()?;
        if there != commit {
            // Only the object that was found is replaced.
            if self.object.get() != there {
                return Err(Failure(Retry::Again));
            }
            self.object.set(commit);
        }
        moment().await;
        // The response is lost, but the object is stored.
        self.may_fail()
    }

    fn may_fail(&self) -> Result<(), Failure> {
        if !self.chance(8) {
            return Ok(());
        }
        Err(Failure(match self.fate.borrow_mut().random_range(0..8) {
            0 => Retry::Never,
            1 => Retry::After(Duration::from_secs(90)),
            _ => Retry::Again,
        }))
    }

    /// Handles a response as Lambda does.
    fn settle(&self, id: u32, response: &SqsBatchResponse) {
        if response.batch_item_failures.is_empty() {
            self.queue.borrow_mut().retain(|message| message.id != id);
            self.done.borrow_mut().push(id);
        }
    }
}

impl Failed for World {
    async fn hide(&self, receipt: &str, time: Duration) {
        moment().await;
        self.of_receipt(receipt, |message| message.visible_at = self.now.get() + self.hidden(time));
    }

    async fn redeliver(&self, receipt: &str, delay: Duration) {
        moment().await;
        self.of_receipt(receipt, |message| message.visible_at = self.now.get() + delay.as_secs());
    }

    async fn give_up(&self, message: &str, _: &str, _: &Job, reason: &str) -> bool {
        moment().await;
        if self.chance(8) {
            return false;
        }
        let id = message.parse().unwrap();
        if !self.hopeless.borrow().contains(&id) && !self.had_its_tries(id) {
            self.untried.borrow_mut().push(id);
        }
        self.dead.borrow_mut().entry(id).or_insert_with(|| Some(reason.to_owned()));
        moment().await;
        true
    }
}

fn event(message: &Message) -> SqsMessage {
    let mut event = SqsMessage::default();
    event.message_id = Some(message.id.to_string());
    event.receipt_handle = Some(format!("{}-{}", message.id, message.receives));
    event.attributes.insert("ApproximateReceiveCount".to_owned(), message.receives.to_string());
    let first = message.first_receive.unwrap() * 1000;
    event.attributes.insert("ApproximateFirstReceiveTimestamp".to_owned(), first.to_string());
    let job = serde_json::json!({
        "delivery": format!("d-{}", message.push),
        "repository": { "host": "github.com", "path": "o/r" },
        "reference": "refs/heads/main",
    });
    event.body = Some(job.to_string());
    event
}

struct Run<'w> {
    id: u32,
    push: u32,
    ends_at: u64,
    work: Pin<Box<dyn Future<Output = SqsBatchResponse> + 'w>>,
}

/// Runs one simulation. Returns its number of events.
fn simulate(way: Way, seed: u64, most_hidden: u64) -> Result<usize, Violation> {
    let world = World {
        fate: RefCell::new(StdRng::seed_from_u64(seed)),
        now: Cell::new(0),
        way,
        most_hidden,
        host: Cell::new(0),
        object: Cell::new(0),
        sent: RefCell::default(),
        queue: RefCell::default(),
        dead: RefCell::default(),
        done: RefCell::default(),
        hopeless: RefCell::default(),
        untried: RefCell::default(),
    };
    let mut workers: [Option<Run<'_>>; WORKERS] = std::array::from_fn(|_| None);
    for events in 0..100_000 {
        let before = world.object.get();
        if world.host.get() < PUSHES && world.chance(12) {
            world.push();
        }
        let redelivered = world.sent.borrow().len() - usize::try_from(world.host.get()).unwrap();
        if world.host.get() > 0 && redelivered < REDELIVERIES as usize && world.chance(16) {
            world.redeliver_old();
        }
        if world.chance(4) {
            let seconds = world.fate.borrow_mut().random_range(1..120);
            world.now.set(world.now.get() + seconds);
        }
        let index = world.fate.borrow_mut().random_range(0..WORKERS);
        step(&world, &mut workers[index])?;
        if world.object.get() < before {
            return Err(Violation::WentBack { from: before, to: world.object.get() });
        }
        let idle = world.queue.borrow().is_empty() && workers.iter().all(Option::is_none);
        if idle && world.host.get() == PUSHES && redelivered == REDELIVERIES as usize {
            return verify(&world).map(|()| events);
        }
    }
    Err(Violation::Stuck(world.queue.borrow().first().map_or(0, |message| message.id)))
}

/// Lets one worker receive a message, run until its next pause, or be killed.
fn step<'w>(world: &'w World, worker: &mut Option<Run<'w>>) -> Result<(), Violation> {
    let Some(run) = worker else {
        *worker = world.receive().map(|message| {
            let Message { id, push, .. } = message;
            let (now, left) = (Duration::from_secs(world.now.get()), Duration::from_secs(TIMEOUT));
            let this = LambdaRun { began: SystemTime::UNIX_EPOCH + now, left };
            let work = jobs::run(
                vec![event(&message)],
                world,
                this,
                async move |_: &Job| world.work(id, push).await,
                async |_, _| {},
            );
            Run { id, push, ends_at: world.now.get() + TIMEOUT, work: Box::pin(work) }
        });
        return Ok(());
    };
    if world.now.get() >= run.ends_at || world.chance(40) {
        *worker = None;
        return Ok(());
    }
    if let Poll::Ready(response) = run.work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        let (id, push) = (run.id, run.push);
        *worker = None;
        // Lambda, too, may fail before it deletes the message.
        if !world.chance(20) {
            world.settle(id, &response);
            let is_given_up = world.dead.borrow().contains_key(&id);
            if response.batch_item_failures.is_empty() && !is_given_up && world.object.get() < push {
                return Err(Violation::Lost(push));
            }
        }
    }
    Ok(())
}

fn verify(world: &World) -> Result<(), Violation> {
    let (dead, done, sent) = (world.dead.borrow(), world.done.borrow(), world.sent.borrow());
    let ids = || 0..u32::try_from(sent.len()).unwrap();
    if let Some(id) = world.untried.borrow().first() {
        return Err(Violation::Untried(*id));
    }
    if let Some(id) = ids().find(|id| !dead.contains_key(id) && !done.contains(id)) {
        return Err(Violation::Stuck(id));
    }
    let (host, object) = (world.host.get(), world.object.get());
    let newest_is_dead = ids().zip(&*sent).any(|(id, push)| *push == host && dead.contains_key(&id));
    if object != host && !newest_is_dead {
        return Err(Violation::Stale { host, object });
    }
    Ok(())
}

#[test]
fn newest_commit_is_never_lost_silently() {
    for way in [Way::GitPull, Way::ZipDl] {
        let events: usize = (0..5_000)
            .map(|seed| simulate(way, seed, ANY).unwrap_or_else(|broken| panic!("{way:?}, seed {seed}: {broken:?}")))
            .sum();
        assert!(events > 250_000, "{way:?}: {events}");
    }
}

fn goes_back(way: Way, most_hidden: u64) -> bool {
    (0..2_000).any(|seed| matches!(simulate(way, seed, most_hidden), Err(Violation::WentBack { .. })))
}

#[test]
fn early_redelivery_would_restore_old_commit() {
    assert!(goes_back(Way::GitPull, TIMEOUT / 10));
    assert!(goes_back(Way::ZipDl, TIMEOUT / 10));
}

#[test]
fn trusting_message_would_restore_old_commit() {
    assert!(goes_back(Way::Payload, ANY));
}
