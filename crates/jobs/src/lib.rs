//! What both workers do: take the jobs of a batch in their order, end before Lambda ends them, and
//! say of each that failed whether and when it comes again, or why it doesn't. What a job needs,
//! gitpull and zipdl know each for itself.

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

/// Why a job failed.
pub trait JobError: std::error::Error + 'static {
    /// Whether doing the same again can help.
    fn retry(&self) -> Retry;

    /// What a person can do about it, where that is known.
    fn hint(&self) -> Option<&'static str>;
}

/// What is left of a run for saying that it failed: work has to be done by then.
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
    let runtime = Runtime::new(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let this = Run::until(event.context.deadline());
        let deadline = Instant::now() + this.left.saturating_sub(RESERVE);
        let work = async |job: &Job| work(job, deadline).await;
        Ok::<_, lambda_runtime::Error>(run(event.payload.records, queue, this, work).await)
    }));
    let runtime = runtime.layer(TracingLayer::new());
    // Around all others: what comes last here comes after the answer has been sent.
    runtime.layer(layer_fn(|service| ServiceExt::<LambdaInvocation>::then(service, leave_no_thread))).run().await
}

/// How long a thread is given to see that nobody waits for it any more.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// Ends the process if a thread goes on that nobody waits for: it would hold its clone's lock and
/// slow down whatever comes next. Lambda starts another one.
async fn leave_no_thread(answered: Result<(), lambda_runtime::Error>) -> Result<(), lambda_runtime::Error> {
    if !blocking::ended(LAST_CHANCE).await {
        tracing::error!("a thread goes on that nobody waits for: the process ends");
        #[expect(clippy::exit, reason = "no other way leads out past the thread")]
        std::process::exit(EXIT_CODE);
    }
    answered
}

/// What a process that a thread kept from going on ends with: `EX_SOFTWARE` of sysexits.h.
const EXIT_CODE: i32 = 70;
