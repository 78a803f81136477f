//! Nothing waits forever: how long each step may take, and when all of it has to be over.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use contract::Repository;

use crate::FetchError;

/// How long a fetch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first packet to a session that is ready, host key and authentication included.
    pub connect: Duration,
    /// Between two answers of the server. Git itself reports every 5 seconds that it is still at
    /// work.
    pub idle: Duration,
    /// When all has to be over.
    pub deadline: Instant,
}

/// Which limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// That of the step.
    Step,
    /// That of the whole.
    Deadline,
}

impl Late {
    /// Of a conversation about a repository, whose host was given `step` to answer.
    pub(crate) fn into_error(self, repository: &Repository, step: Duration) -> FetchError {
        let repository = repository.clone();
        match self {
            Self::Step => FetchError::Silent { repository, after: step },
            Self::Deadline => FetchError::Deadline { repository },
        }
    }
}

impl Limits {
    /// 20 seconds to connect, 60 between two answers, and a deadline.
    pub fn until(deadline: Instant) -> Self {
        Self { connect: Duration::from_secs(20), idle: Duration::from_mins(1), deadline }
    }

    /// Lets `work` run for `step` at most, and never past the deadline.
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
