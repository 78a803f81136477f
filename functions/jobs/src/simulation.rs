//! The protocol of a worker under every order of events that a queue, a host, a bucket and a failing machine allow: the real
//! code of a batch, in a world of a few numbers, with a clock and a fate that a seed decides.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use contract::{Job, Retry, dead_letter::TRIES};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    batch::{self, tests::Failure},
    queue::Failed,
};

/// The longest run of a function, in seconds.
const TIMEOUT: u64 = 300;
/// For how long the template hides a message that is being worked on, in seconds.
const VISIBILITY: u64 = 360;
/// How many workers there are.
const WORKERS: usize = 3;
/// How many pushes a simulation sees.
const PUSHES: u32 = 6;

/// A message of the one group there is: a push of the one reference there is.
#[derive(Debug, Clone)]
struct Message {
    push: u32,
    receives: u16,
    visible_at: u64,
}

/// One repository with one branch, one queue, one object.
#[derive(Debug)]
struct World {
    fate: RefCell<StdRng>,
    now: Cell<u64>,
    /// How long a message is hidden.
    visibility: u64,
    /// The commit that the branch names: pushes are numbered.
    host: Cell<u32>,
    /// The commit in the bucket.
    object: Cell<u32>,
    queue: RefCell<Vec<Message>>,
    /// Pushes among the dead letters, with the reason if the worker told one.
    dead: RefCell<BTreeMap<u32, Option<String>>>,
    done: RefCell<Vec<u32>>,
}

/// What has to hold, and doesn't.
#[derive(Debug, PartialEq, Eq)]
enum Violation {
    /// A message is done with, and the bucket has something older.
    Lost(u32),
    /// The bucket went back to an older commit.
    WentBack { from: u32, to: u32 },
    /// A push is neither done nor dead.
    Stuck(u32),
    /// Nothing is left to do, and the bucket hasn't what the branch names.
    Stale { host: u32, object: u32 },
}

/// A moment at which anything may happen elsewhere.
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
        self.queue.borrow_mut().push(Message { push: self.host.get(), receives: 0, visible_at: 0 });
    }

    /// What SQS hands out: the first of the group, unless it is being worked on; after the last try it is a dead letter.
    fn receive(&self) -> Option<Message> {
        let mut queue = self.queue.borrow_mut();
        let now = self.now.get();
        let first = queue.first_mut().filter(|first| first.visible_at <= now)?;
        if first.receives >= TRIES {
            let dead = queue.remove(0);
            self.dead.borrow_mut().entry(dead.push).or_insert(None);
            return None;
        }
        first.receives += 1;
        first.visible_at = now + self.visibility;
        Some(first.clone())
    }

    /// A worker's way through a job, as `gitpull` goes it, with all that may fail on it.
    async fn work(&self) -> Result<(), Failure> {
        moment().await;
        self.may_fail()?;
        let fetched = self.host.get();
        moment().await;
        let there = self.object.get();
        moment().await;
        self.may_fail()?;
        if there != fetched {
            self.object.set(fetched);
        }
        moment().await;
        // The answer is lost, but what was stored is stored.
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

    /// What Lambda does with an answer.
    fn settle(&self, push: u32, response: &SqsBatchResponse) {
        if response.batch_item_failures.is_empty() {
            self.queue.borrow_mut().retain(|message| message.push != push);
            self.done.borrow_mut().push(push);
        }
    }
}

impl Failed for World {
    async fn redeliver(&self, receipt: &str, delay: Duration) {
        moment().await;
        // A receipt is of one reception.
        let mut queue = self.queue.borrow_mut();
        let own = queue.iter_mut().find(|message| receipt == format!("{}-{}", message.push, message.receives));
        if let Some(message) = own.filter(|_| !self.chance(8)) {
            message.visible_at = self.now.get() + delay.as_secs();
        }
    }

    async fn bury(&self, message: &str, _: &str, _: &Job, reason: &str) -> bool {
        moment().await;
        if self.chance(8) {
            return false;
        }
        let push = message.parse().unwrap();
        self.dead.borrow_mut().entry(push).or_insert_with(|| Some(reason.to_owned()));
        moment().await;
        true
    }
}

fn event(message: &Message) -> SqsMessage {
    let mut event = SqsMessage::default();
    event.message_id = Some(message.push.to_string());
    event.receipt_handle = Some(format!("{}-{}", message.push, message.receives));
    event.attributes.insert("ApproximateReceiveCount".to_owned(), message.receives.to_string());
    let job = serde_json::json!({
        "delivery": format!("d-{}", message.push),
        "repository": { "host": "github.com", "path": "o/r" },
        "reference": "refs/heads/main",
    });
    event.body = Some(job.to_string());
    event
}

struct Run<'w> {
    push: u32,
    ends_at: u64,
    work: Pin<Box<dyn Future<Output = SqsBatchResponse> + 'w>>,
}

/// One simulation; how many events it had.
fn simulate(seed: u64, visibility: u64) -> Result<usize, Violation> {
    let world = World {
        fate: RefCell::new(StdRng::seed_from_u64(seed)),
        now: Cell::new(0),
        visibility,
        host: Cell::new(0),
        object: Cell::new(0),
        queue: RefCell::default(),
        dead: RefCell::default(),
        done: RefCell::default(),
    };
    let mut workers: [Option<Run<'_>>; WORKERS] = std::array::from_fn(|_| None);
    for events in 0..100_000 {
        let before = world.object.get();
        if world.host.get() < PUSHES && world.chance(12) {
            world.push();
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
        if idle && world.host.get() == PUSHES {
            return judge(&world).map(|()| events);
        }
    }
    Err(Violation::Stuck(world.queue.borrow().first().map_or(0, |message| message.push)))
}

/// Lets one worker take a message, go on for a moment, or be killed.
fn step<'w>(world: &'w World, worker: &mut Option<Run<'w>>) -> Result<(), Violation> {
    let Some(run) = worker else {
        *worker = world.receive().map(|message| Run {
            push: message.push,
            ends_at: world.now.get() + TIMEOUT,
            work: Box::pin(batch::run(vec![event(&message)], world, async |_: &Job| world.work().await)),
        });
        return Ok(());
    };
    if world.now.get() >= run.ends_at || world.chance(40) {
        *worker = None;
        return Ok(());
    }
    if let Poll::Ready(response) = run.work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        let push = run.push;
        *worker = None;
        // Lambda may fail, too, before the message is deleted.
        if !world.chance(20) {
            world.settle(push, &response);
            let is_buried = world.dead.borrow().contains_key(&push);
            if response.batch_item_failures.is_empty() && !is_buried && world.object.get() < push {
                return Err(Violation::Lost(push));
            }
        }
    }
    Ok(())
}

fn judge(world: &World) -> Result<(), Violation> {
    let (dead, done) = (world.dead.borrow(), world.done.borrow());
    if let Some(push) = (1..=PUSHES).find(|push| !dead.contains_key(push) && !done.contains(push)) {
        return Err(Violation::Stuck(push));
    }
    let (host, object) = (world.host.get(), world.object.get());
    if object != host && !dead.contains_key(&host) {
        return Err(Violation::Stale { host, object });
    }
    Ok(())
}

#[test]
fn in_every_order_of_events_the_newest_commit_arrives_or_is_buried() {
    let events: usize = (0..5_000)
        .map(|seed| simulate(seed, VISIBILITY).unwrap_or_else(|broken| panic!("seed {seed}: {broken:?}")))
        .sum();
    assert!(events > 250_000, "{events}");
}

#[test]
fn a_message_that_came_again_while_its_worker_runs_would_bring_an_old_commit_back() {
    let broken = (0..2_000).filter_map(|seed| simulate(seed, TIMEOUT / 10).err()).collect::<Vec<_>>();
    assert!(broken.iter().any(|broken| matches!(broken, Violation::WentBack { .. })), "{broken:?}");
}
