//! Time limits for each step, and a deadline for everything.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use contract::Repository;

use crate::FetchError;

/// The time limits of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first packet to the authenticated session.
    pub connect: Duration,
    /// Between two messages of the server. Git itself sends a keepalive every 5 seconds.
    pub idle: Duration,
    /// The deadline of everything.
    pub deadline: Instant,
}

/// The exceeded limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// The limit of the step.
    Step,
    /// The deadline.
    Deadline,
}

impl Late {
    /// The error for an exchange about a repository, with the limit `step`.
    pub(crate) fn into_error(self, repository: &Repository, step: Duration) -> FetchError {
        let repository = repository.clone();
        match self {
            Self::Step => FetchError::Silent { repository, after: step },
            Self::Deadline => FetchError::Deadline { repository },
        }
    }
}

impl Limits {
    /// 20 seconds to connect, 60 between two messages, and a deadline.
    pub fn until(deadline: Instant) -> Self {
        Self { connect: Duration::from_secs(20), idle: Duration::from_mins(1), deadline }
    }

    /// Runs `work` for at most `step`, and never past the deadline.
    pub(crate) async fn keep<T>(&self, step: Duration, work: impl Future<Output = T>) -> Result<T, Late> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let late = if left <= step { Late::Deadline } else { Late::Step };
        tokio::time::timeout(step.min(left), work).await.map_err(|_| late)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn the_nearer_limit_is_named() {
        let (short, long) = (Duration::from_millis(5), Duration::from_mins(1));
        let check = async |step, whole, expected| {
            let limits = Limits::until(Instant::now() + whole);
            assert_eq!(limits.keep(step, pending::<()>()).await, Err(expected));
        };
        check(short, long, Late::Step).await;
        check(long, short, Late::Deadline).await;
        check(long, Duration::ZERO, Late::Deadline).await;
        assert_eq!(Limits::until(Instant::now() + long).keep(long, async { 1 }).await, Ok(1));
    }
}
