//! Rights that come late. CloudFormation makes a function's role and calls the function seconds
//! later, and what IAM has been told takes seconds to be known everywhere
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>):
//! a refusal isn't the last word then.

use std::time::Duration;

use tokio::time::Instant;

use crate::CustomResource;

/// How long a refusal isn't believed. Rights are there after seconds as a rule, and who has really
/// forgotten one should learn it while they are looking.
const SPREAD: Duration = Duration::from_mins(1);

/// The pause after the first refusal; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What an attempt has to have left, or it would end without an answer.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Whether AWS's error code says that the caller has no right to do it, or that it isn't known who
/// the caller is.
pub fn is_lack_of_rights(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied"
            | "AccessDeniedException"
            | "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
    )
}

/// The time, which tests make pass.
pub(crate) trait Clock {
    fn now(&self) -> Instant;

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// The time as it is.
#[derive(Debug)]
pub(crate) struct RealTime;

impl Clock for RealTime {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }
}

/// Attempts for as long as the right to do it may still come; the last result, and for how long the
/// right was missing if it was to the end.
pub(crate) async fn attempted<R: CustomResource, T, F: Future<Output = Result<T, R::Error>>>(
    clock: &(impl Clock + Sync),
    deadline: Instant,
    attempt: impl Fn() -> F,
) -> Result<T, (R::Error, Option<Duration>)> {
    let (began, mut pause) = (clock.now(), FIRST_PAUSE);
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if R::lacks_rights(&error) => error,
            Err(error) => return Err((error, None)),
        };
        let next = clock.now() + pause;
        if next + ATTEMPT > deadline || next > began + SPREAD {
            return Err((error, Some(clock.now() - began)));
        }
        tracing::warn!(
            error = contract::error_chain(&error),
            again_in_seconds = pause.as_secs(),
            "the right may be on its way"
        );
        clock.sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests;
