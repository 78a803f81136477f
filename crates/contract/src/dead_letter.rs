//! What the template and the workers agree on about jobs that fail for good: such a job goes to the
//! dead-letter queue of its worker, with the reason beside it.

/// How often a job is tried. The worker buries it after the last try, and when it gets one back
/// whose tries all ended without a word.
pub const TRIES: u16 = 3;

/// How often SQS hands a job out before it makes a dead-letter message of it, for which it knows no
/// reason: after the tries there are five receives left for those that the function never saw since
/// it was throttled, each of them [six runs](crate::visibility) long. AWS wants [at least
/// five](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html) in all.
pub const RECEIVES: u16 = TRIES + 5;

/// The message attribute that holds the reason: what happened, to what, and what a person can do.
pub const REASON: &str = "Reason";
