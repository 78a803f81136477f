//! Trips between the two ends of a proxied connection: how long each takes, and how many follow
//! each other.
//!
//! A *trip* is the way of some bytes from one end to the other. An end can only react to what has
//! arrived, so what it sends makes one trip more than what it has received. Two trips are a *round
//! trip*. The number of round trips of an exchange is the length of its longest chain of such
//! reactions, halved; at a great distance, nothing else takes time. A new TCP connection begins
//! with a round trip of its own (SYN and SYN-ACK).
//!
//! Without a delay, an end may receive something before it sends what didn't depend on it, and the
//! chain seems longer. [`Latency::UntilIdle`] excludes that: everything that was sent arrives at
//! once, and only when nobody has anything more to send. So it counts exactly, without a clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::idle::wait_until_idle;

/// How long a trip takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latency {
    /// No longer than on this machine. The count of trips is an upper limit.
    #[default]
    None,
    /// This long. Bytes that are sent together arrive together: their delays don't add up.
    Time(Duration),
    /// Until this process and all its children sleep. Both ends must be among them.
    UntilIdle,
}

/// An end of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Those that connect.
    Client,
    /// The server that the proxy is for.
    Server,
}

/// The trips of all connections of a proxy.
#[derive(Clone, Debug)]
pub(crate) struct Trips {
    latency: Latency,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    made: Mutex<Made>,
    /// How often everybody has been idle.
    steps: watch::Sender<u64>,
    under_way: Mutex<usize>,
    changed: Condvar,
    ended: AtomicBool,
}

/// The length of the longest chain of trips that has reached each end.
#[derive(Debug, Default)]
struct Made {
    client: u64,
    server: u64,
}

impl Made {
    fn at(&mut self, end: End) -> &mut u64 {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }
}

/// A trip that isn't over.
#[derive(Debug)]
pub(crate) struct Trip {
    to: End,
    /// The length of the chain with it.
    number: u64,
    over: Over,
    _under_way: UnderWay,
}

/// When a trip is over.
#[derive(Debug)]
enum Over {
    Now,
    At(Instant),
    /// At this step.
    Step(u64),
}

/// Counts a trip until it is dropped.
#[derive(Debug)]
struct UnderWay(Arc<Shared>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        *lock(&self.0.under_way) -= 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Trips {
    pub(crate) fn new(latency: Latency) -> Self {
        let shared = Arc::new(Shared {
            made: Mutex::default(),
            steps: watch::Sender::new(0),
            under_way: Mutex::default(),
            changed: Condvar::new(),
            ended: AtomicBool::new(false),
        });
        if latency == Latency::UntilIdle {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.step());
        }
        Self { latency, shared }
    }

    /// No trip follows.
    pub(crate) fn end(&self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
    }

    /// The round trips of the longest chain that has reached a client.
    pub(crate) fn round_trips(&self) -> u64 {
        lock(&self.shared.made).client / 2
    }

    /// Something leaves one end for the other.
    pub(crate) fn start(&self, to: End) -> Trip {
        let from = if to == End::Server { End::Client } else { End::Server };
        let number = *lock(&self.shared.made).at(from) + 1;
        let over = match self.latency {
            Latency::None => Over::Now,
            Latency::Time(delay) => Over::At(Instant::now() + delay),
            Latency::UntilIdle => Over::Step(*self.shared.steps.borrow() + 1),
        };
        *lock(&self.shared.under_way) += 1;
        self.shared.changed.notify_all();
        Trip { to, number, over, _under_way: UnderWay(Arc::clone(&self.shared)) }
    }

    /// Waits until a trip is over.
    pub(crate) async fn finish(&self, trip: Trip) {
        match trip.over {
            Over::Now => {}
            Over::At(time) => sleep_until(time).await,
            Over::Step(step) => {
                // The sender lives as long as this.
                drop(self.shared.steps.subscribe().wait_for(|now| *now >= step).await);
            }
        }
        let mut made = lock(&self.shared.made);
        let longest = made.at(trip.to);
        *longest = trip.number.max(*longest);
    }

    /// A trip with nothing to carry.
    pub(crate) async fn make(&self, to: End) {
        self.finish(self.start(to)).await;
    }
}

impl Shared {
    /// Ends the trips under way whenever everybody is idle.
    fn step(&self) {
        loop {
            let under_way = lock(&self.under_way);
            let waits = |under_way: &mut usize| *under_way == 0 && !self.ended.load(Ordering::SeqCst);
            drop(self.changed.wait_while(under_way, waits).unwrap_or_else(PoisonError::into_inner));
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            wait_until_idle();
            self.steps.send_modify(|steps| *steps += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_reactions_make_chain_longer() {
        let trips = Trips::new(Latency::None);
        for end in [End::Server, End::Client] {
            trips.make(end).await;
        }
        assert_eq!(trips.round_trips(), 1);
        let asked = [(); 3].map(|()| trips.start(End::Server));
        for trip in asked {
            trips.finish(trip).await;
        }
        let answered = [(); 2].map(|()| trips.start(End::Client));
        for trip in answered {
            trips.finish(trip).await;
            assert_eq!(trips.round_trips(), 2);
        }
    }

    #[tokio::test]
    async fn delays_of_pieces_never_add_up() {
        let delay = Duration::from_mins(1);
        let trips = Trips::new(Latency::Time(delay));
        let begun = Instant::now();
        let due = [(); 100].map(|()| match trips.start(End::Server).over {
            Over::At(time) => time,
            over => panic!("{over:?}"),
        });
        assert!(due.is_sorted() && due.iter().all(|time| (begun + delay..begun + 2 * delay).contains(time)));
    }

    #[tokio::test]
    async fn trips_end_when_all_are_idle() {
        let trips = Trips::new(Latency::UntilIdle);
        for expected in [1, 2] {
            trips.make(End::Server).await;
            trips.make(End::Client).await;
            assert_eq!(trips.round_trips(), expected);
        }
        trips.end();
    }
}
