//! The queue between the endpoint and the worker, and where the jobs go that fail.

use cfn::{
    Attributes, Handle, Stack,
    sqs::{Queue, QueuePolicy},
};

/// The queues of the stack.
pub(super) struct Queues {
    /// What gitpull works on.
    pub(super) gitpull: Handle<Queue>,
}

/// How often a job is tried before it goes to the dead letters.
const TRIES: u16 = 3;
/// How long a job that is being worked on is hidden, in seconds: the worker's longest run and a minute more. A worker that
/// was killed holds its reference up for so long and no longer, which is why this isn't six times the run, as for batches.
const VISIBILITY: u32 = super::workers::GITPULL_TIMEOUT as u32 + 60;
/// How long a job waits for a worker, in seconds: four days.
const RETENTION: u32 = 4 * 86_400;

/// Adds the queues.
pub(super) fn add(stack: &mut Stack) -> Queues {
    let attributes = Attributes::default().deleted_with_stack();
    let dead_letters = stack.add_with("GitPullDeadLetterQueue", Queue::fifo(), attributes.clone());
    stack.add("GitPullDeadLetterQueuePolicy", QueuePolicy::tls_only(&dead_letters));
    let mut queue = Queue::fifo().dead_letters_to(&dead_letters, TRIES);
    queue.visibility_timeout = VISIBILITY;
    queue.message_retention_period = RETENTION;
    let gitpull = stack.add_with("GitPullQueue", queue, attributes);
    stack.add("GitPullQueuePolicy", QueuePolicy::tls_only(&gitpull));
    Queues { gitpull }
}
