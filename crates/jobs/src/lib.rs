//! The common part of both workers: they process the jobs of a batch in order, end before Lambda
//! kills them, and report for each failed job when it is retried or why it was given up.

mod batch;
mod queue;
mod run;

use std::time::{Duration, Instant};

use aws_lambda_events::sqs::SqsEvent;
use contract::{Job, Retry};
use lambda_runtime::{
    LambdaEvent, LambdaInvocation, Runtime,
    layers::TracingLayer,
    service_fn,
    tower::{ServiceExt, layer::layer_fn},
};

pub use batch::run;
pub use queue::{Failed, Queue};
pub use run::Run;

/// An error of a job.
pub trait JobError: std::error::Error + 'static {
    /// Whether a retry can help.
    fn retry(&self) -> Retry;

    /// What a person can do about it, if known.
    fn hint(&self) -> Option<&'static str>;
}

/// The part of a run that is reserved for reporting a failure.
const RESERVE: Duration = Duration::from_secs(5);
/// The part of that which is left for the response.
const ANSWER: Duration = Duration::from_secs(1);

/// Serves the queue with `work`, which gets each job and its deadline. `tell` is called for each
/// job that was given up, with its error if there was one, and a deadline of its own.
///
/// # Errors
/// Lambda's runtime API is unreachable.
pub async fn serve<E: JobError>(
    queue: &Queue,
    work: impl AsyncFn(&Job, Instant) -> Result<(), E>,
    tell: impl AsyncFn(&Job, Option<&E>, Instant),
) -> Result<(), lambda_runtime::Error> {
    let (work, tell) = (&work, &tell);
    let runtime = Runtime::new(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let this = Run::until(event.context.deadline());
        let now = Instant::now();
        let [deadline, last] = [RESERVE, ANSWER].map(|rest| now + this.left.saturating_sub(rest));
        let work = async |job: &Job| work(job, deadline).await;
        let tell = async |job: &Job, error: Option<&E>| tell(job, error, last).await;
        Ok::<_, lambda_runtime::Error>(run(event.payload.records, queue, this, work, tell).await)
    }));
    let runtime = runtime.layer(TracingLayer::new());
    // The outermost layer: its end comes after the response has been sent.
    runtime.layer(layer_fn(|service| ServiceExt::<LambdaInvocation>::then(service, leave_no_thread))).run().await
}

/// How long abandoned threads get to notice the interrupt.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// Ends the process if an abandoned thread still runs: it would keep its clone locked and slow down
/// the next job. Lambda starts a new process.
async fn leave_no_thread(answered: Result<(), lambda_runtime::Error>) -> Result<(), lambda_runtime::Error> {
    if !blocking::ended(LAST_CHANCE).await {
        tracing::error!("an abandoned thread still runs: ending the process");
        #[expect(clippy::exit, reason = "nothing else ends the process despite the thread")]
        std::process::exit(EXIT_CODE);
    }
    answered
}

/// The exit code after an abandoned thread: `EX_SOFTWARE` of sysexits.h.
const EXIT_CODE: i32 = 70;
