//! A clock for requests that are better left out than late.

use std::{future::Future, pin::Pin, time::Duration};

use host_api::{Clock, Pause, SystemClock};

/// The system's clock, which waits for no limit of a host: the next push would meet it again.
#[derive(Debug, Default)]
pub(crate) struct Impatient(SystemClock);

impl Clock for Impatient {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn longest_limit(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, time: Duration, why: Pause) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.wait(time, why)
    }
}
