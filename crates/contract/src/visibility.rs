//! Visibility timeouts: the queue's, which the template sets, and the job's, which the worker sets.
//!
//! A queue that feeds Lambda must hide a message for [six
//! times](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html) the function's
//! timeout: while the function is throttled, Lambda holds the message and
//! [retries](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-backoff-strategy)
//! until that time is over. Meanwhile nobody else receives it, or the later jobs of the same
//! reference. So a worker that has received a job sets a shorter timeout from then on: if the
//! worker is killed, the reference waits no longer than that, and if it got the job late, no second
//! worker receives it meanwhile.

use std::time::Duration;

/// The queue's timeout as a multiple of the function's.
const RUNS: u32 = 6;

/// The maximum of SQS.
const LONGEST: Duration = Duration::from_hours(12);

/// The margin of a job's timeout beyond its worker's, for Lambda's work after the worker ends.
pub const GRACE: Duration = Duration::from_mins(1);

/// The queue's visibility timeout for a function with this `timeout`.
pub fn of_queue(timeout: Duration) -> Duration {
    (timeout * RUNS).min(LONGEST)
}

/// The visibility timeout that a worker sets for its job when it begins with `left` to run.
pub fn of_job(left: Duration) -> Duration {
    (left + GRACE).min(LONGEST)
}
