//! What the template and the workers share about jobs that fail permanently: such a job is moved to
//! the dead-letter queue of its worker, with the reason.

/// How often a job is tried. The worker gives up after the last try, or when it receives a job
/// whose tries all ended without a report.
pub const TRIES: u16 = 3;

/// After how many receives SQS itself moves a job to the dead-letter queue, without a reason.
/// Besides the tries, this allows five receives that the function never saw because it was
/// throttled, each [six runs](crate::visibility) long. AWS requires [at least
/// five](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html) in total.
pub const RECEIVES: u16 = TRIES + 5;

/// The message attribute with the reason: what happened, to what, and what to do.
pub const REASON: &str = "Reason";
