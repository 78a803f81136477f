//! Waits for permissions. CloudFormation creates a function's role and calls the function seconds
//! later, but IAM changes take seconds to propagate
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>):
//! a refusal may be temporary.

use std::time::Duration;

use tokio::time::Instant;

use crate::CustomResource;

/// How long a refusal is retried. Permissions usually arrive within seconds, and a really missing
/// one should be reported while somebody is watching.
const SPREAD: Duration = Duration::from_mins(1);

/// The pause after the first refusal. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The time reserved for an attempt, so that it can still be answered.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Whether AWS's error code says that the caller lacks a permission or isn't known.
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

/// A clock, which tests control.
pub(crate) trait Clock {
    fn now(&self) -> Instant;

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// The real clock.
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

/// Retries while a permission may still arrive. Returns the last result, and how long the
/// permission was missing, if it was to the end.
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
            "the permission may not have propagated yet"
        );
        clock.sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests;
