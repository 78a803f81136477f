//! The queues between the endpoint and the workers, and their dead-letter queues.

use std::time::Duration;

use cfn::{
    Attributes, Handle, Stack, Value, pseudo,
    sqs::{Queue, QueuePolicy},
    sub,
};
use contract::{
    dead_letter::{RECEIVES, TRIES},
    visibility::{self, GRACE},
};

/// The queues of the stack.
pub(super) struct Queues {
    /// The jobs of gitpull.
    pub(super) gitpull: Jobs,
    /// The jobs of zipdl.
    pub(super) zipdl: Jobs,
}

/// The queues of a worker.
pub(super) struct Jobs {
    /// The job queue.
    pub(super) queue: Handle<Queue>,
    /// The dead-letter queue.
    pub(super) dead_letters: Handle<Queue>,
}

/// How long a job waits for a worker, in seconds: four days.
const RETENTION: u32 = 4 * 86_400;

/// Adds the queues, for workers that run for at most so many seconds: gitpull and zipdl.
pub(super) fn add(stack: &mut Stack, [gitpull, zipdl]: [u16; 2]) -> Queues {
    Queues { gitpull: pair(stack, "GitPull", gitpull), zipdl: pair(stack, "ZipDl", zipdl) }
}

/// How long a worker with the timeout `timeout` can be busy with one job, in seconds: all tries,
/// each timed out.
pub(super) fn longest_tries(timeout: u16) -> u32 {
    u32::from(TRIES) * seconds(Duration::from_secs(timeout.into()) + GRACE)
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// A queue for a worker that runs for at most `timeout` seconds, with its dead-letter queue.
fn pair(stack: &mut Stack, worker: &str, timeout: u16) -> Jobs {
    let attributes = Attributes::default().deleted_with_stack();
    let dead_letters = format!("{worker}DeadLetters");
    let dead_letters =
        stack.add_with(&format!("{worker}DeadLetterQueue"), Queue::fifo(name(&dead_letters)), attributes.clone());
    stack.add(&format!("{worker}DeadLetterQueuePolicy"), QueuePolicy::tls_only(&dead_letters));
    let mut queue = Queue::fifo(name(worker)).dead_letters_to(&dead_letters, RECEIVES);
    queue.visibility_timeout = seconds(visibility::of_queue(Duration::from_secs(timeout.into())));
    queue.message_retention_period = RETENTION;
    let queue = stack.add_with(&format!("{worker}Queue"), queue, attributes);
    stack.add(&format!("{worker}QueuePolicy"), QueuePolicy::tls_only(&queue));
    Jobs { queue, dead_letters }
}

/// A queue's name. It doesn't contain the stack's, which may be too long for a queue's.
fn name(part: &str) -> Value<String> {
    sub(["git2s3-".into(), part.into(), "-".into(), pseudo::stack_uuid().into(), ".fifo".into()])
}
