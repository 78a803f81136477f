//! What both workers do: take the jobs of a batch in their order, end before Lambda ends them, and say of each that failed
//! whether and when it comes again, or why it doesn't. What a job needs, gitpull and zipdl know each for itself.

mod batch;
mod queue;
#[cfg(test)]
mod simulation;

use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::sqs::SqsEvent;
use contract::{Job, Retry};
use lambda_runtime::{LambdaEvent, service_fn};

pub use batch::run;
pub use queue::{Failed, Queue};

/// Why a job failed.
pub trait JobError: std::error::Error + 'static {
    /// Whether doing the same again can help.
    fn retry(&self) -> Retry;

    /// What a person can do about it, where that is known.
    fn hint(&self) -> Option<&'static str>;
}

/// What is left of a run for saying that it failed.
const RESERVE: Duration = Duration::from_secs(5);

/// Serves the queue with `work`, which gets each job and when it has to be done.
///
/// # Errors
/// When Lambda's runtime can't be reached any more.
pub async fn serve<E: JobError>(
    queue: &Queue,
    work: impl AsyncFn(&Job, Instant) -> Result<(), E>,
) -> Result<(), lambda_runtime::Error> {
    let work = &work;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let deadline = deadline(event.context.deadline());
        let work = async |job: &Job| work(job, deadline).await;
        Ok::<_, lambda_runtime::Error>(run(event.payload.records, queue, work).await)
    }))
    .await
}

/// When a run has to be done, so that there is time left to say that it isn't.
fn deadline(of_lambda: SystemTime) -> Instant {
    let left = of_lambda.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left.saturating_sub(RESERVE)
}
