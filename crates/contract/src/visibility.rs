//! For how long a job is hidden from other workers: what the template says of the queue, and what
//! the worker says of its job.
//!
//! A queue that feeds Lambda hides a message for [six
//! times](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html) the time of the
//! function: while the function is throttled, Lambda has the message and [tries to deliver
//! it](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-backoff-strategy)
//! until that time is over. Nobody else sees it then, and nobody sees the jobs of the same
//! reference behind it. So a worker that has got the job says how long it may take itself: if it is
//! killed, its reference waits for that long and no longer, and if it got the job late, no second
//! worker gets it meanwhile.

use std::time::Duration;

/// How many times the function's time the queue hides a message.
const RUNS: u32 = 6;

/// The longest that SQS hides a message.
const LONGEST: Duration = Duration::from_hours(12);

/// For how much longer than its worker may run a job is hidden: for what Lambda has to do when the
/// worker is done.
pub const GRACE: Duration = Duration::from_mins(1);

/// For how long the queue hides a message whose function may run for `timeout`.
pub fn of_queue(timeout: Duration) -> Duration {
    (timeout * RUNS).min(LONGEST)
}

/// For how long a worker hides its job when it begins, and may take `left` for it.
pub fn of_job(left: Duration) -> Duration {
    (left + GRACE).min(LONGEST)
}
