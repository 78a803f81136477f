//! What the template and the workers agree on about jobs that fail for good: such a job goes to the dead-letter queue of its
//! worker, with the reason beside it.

/// How often a job is tried. The worker buries it after the last try; a job whose worker was killed is moved by SQS, which
/// knows no reason.
pub const TRIES: u16 = 3;

/// The message attribute that holds the reason: what happened, to what, and what a person can do.
pub const REASON: &str = "Reason";
