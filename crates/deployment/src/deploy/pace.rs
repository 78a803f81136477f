//! The polling interval: short at first, since a local cloud is done at once, then long enough for
//! AWS's limits. The SDK's own waiters begin with half a minute.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(2);

/// Pauses that grow from 300 ms to 2 s.
#[derive(Debug)]
pub struct Pace {
    next: Duration,
}

impl Default for Pace {
    /// Starts with the shortest pause.
    fn default() -> Self {
        Self { next: SHORTEST }
    }
}

impl Pace {
    /// Shortens the pauses again, since after one event others may follow soon.
    pub(super) fn hasten(&mut self) {
        self.next = SHORTEST;
    }

    /// Waits.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.take()).await;
    }

    fn take(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 3 / 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_limit_and_reset() {
        let mut pace = Pace::default();
        let pauses: Vec<_> = (0..7).map(|_| pace.take().as_millis()).collect();
        assert_eq!(pauses, [300, 450, 675, 1012, 1518, 2000, 2000]);
        pace.hasten();
        assert_eq!(pace.take(), SHORTEST);
    }
}
