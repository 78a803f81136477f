//! The time, so that tests don't wait, and so that a command can say why it waits.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

/// Why the next request waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// To stay below a limit on requests that change something.
    Pace,
    /// Because the host requires it.
    Limit,
    /// After a failure that may pass.
    Retry,
}

/// A clock that can wait.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The time since some moment in the past.
    fn now(&self) -> Duration;

    /// The longest time that a request waits for a host's limit to end. After a longer one, the
    /// caller decides.
    fn longest_limit(&self) -> Duration {
        Duration::from_mins(15)
    }

    /// Waits. `why` is for people who watch.
    fn wait(&self, time: Duration, why: Pause) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The system's clock. It says nothing.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wait(&self, time: Duration, _: Pause) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(time))
    }
}
