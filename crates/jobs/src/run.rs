//! A run of a worker, and how often its message was tried before. SQS counts receives, but the
//! worker doesn't see throttled ones.

use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::SqsMessage;
use contract::{
    dead_letter::{RECEIVES, TRIES},
    visibility,
};

/// A run of the function.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// When it began.
    pub began: SystemTime,
    /// How much time it had then: the function's timeout.
    pub left: Duration,
}

impl Run {
    /// The run that has just begun, and that Lambda ends at `deadline`.
    pub(crate) fn until(deadline: SystemTime) -> Self {
        let began = SystemTime::now();
        Self { began, left: deadline.duration_since(began).unwrap_or_default() }
    }
}

/// The number of this try, at most: SQS doesn't say what happened after a receive. A throttled
/// invocation keeps a message hidden for the queue's visibility timeout, so the time since the
/// first receive limits how many of those there were. All other receives count as tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Try {
    /// How often SQS delivered the message, including this time.
    pub(crate) receives: u16,
    /// The number of this try, from 1.
    pub(crate) number: u16,
}

/// How a message came into the queue, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queued<'m> {
    /// How long ago, at the run's begin.
    pub(crate) waited: Option<Duration>,
    /// The message's deduplication ID if it isn't the job's: it was not the webhook that sent it,
    /// but a person, with a name for that.
    pub(crate) again: Option<&'m str>,
}

impl<'m> Queued<'m> {
    pub(crate) fn of(message: &'m SqsMessage, run: Run, job: &str) -> Self {
        let attribute = |name: &str| message.attributes.get(name).map(String::as_str);
        let sent = attribute("SentTimestamp").and_then(|sent| sent.parse().ok()).map(Duration::from_millis);
        let began = run.began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let again = attribute("MessageDeduplicationId").filter(|id| *id != job);
        Self { waited: sent.map(|sent| began.saturating_sub(sent)), again }
    }
}

impl Try {
    pub(crate) fn of(message: &SqsMessage, run: Run) -> Self {
        let number = |name: &str| message.attributes.get(name).and_then(|value| value.parse::<u64>().ok());
        let receives = number("ApproximateReceiveCount").and_then(|count| u16::try_from(count).ok()).unwrap_or(1);
        let first = number("ApproximateFirstReceiveTimestamp").map(Duration::from_millis);
        let began = run.began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let passed = first.map_or(Duration::ZERO, |first| began.saturating_sub(first));
        let throttled = passed.as_secs().checked_div(visibility::of_queue(run.left).as_secs()).unwrap_or_default();
        let throttled = u16::try_from(throttled).unwrap_or(u16::MAX);
        Self { receives, number: receives.saturating_sub(throttled).max(1) }
    }

    /// Whether this is the last try.
    pub(crate) fn is_last(self) -> bool {
        self.number >= TRIES || self.receives >= RECEIVES
    }

    /// Whether all tries are used up: those before this one ended without a report.
    pub(crate) fn is_too_many(self) -> bool {
        self.number > TRIES || self.receives > RECEIVES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Run = Run { began: SystemTime::UNIX_EPOCH, left: Duration::from_mins(5) };

    fn check(receives: u16, seconds_since_first: u64, expected: u16) {
        let run = Run { began: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000), ..RUN };
        let mut message = SqsMessage::default();
        let first = (1_000_000 - seconds_since_first) * 1000;
        message.attributes.insert("ApproximateReceiveCount".to_owned(), receives.to_string());
        message.attributes.insert("ApproximateFirstReceiveTimestamp".to_owned(), first.to_string());
        assert_eq!(Try::of(&message, run), Try { receives, number: expected });
    }

    #[test]
    fn receives_count_as_tries_unless_throttled() {
        check(1, 0, 1);
        check(3, 15, 3);
        // Killed each time: 360 s per try.
        check(4, 3 * 360, 4);
        // Hidden for 1,800 s, and never delivered to a worker.
        check(2, 1_799, 2);
        check(2, 1_800, 1);
        check(5, 4 * 1_800, 1);
        check(7, 4 * 1_800 + 700, 3);
        // A host that requested a pause of a day.
        check(2, 86_400, 1);
    }

    #[test]
    fn repeated_job_is_told_apart() {
        let run = Run { began: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000), ..RUN };
        let mut message = SqsMessage::default();
        assert_eq!(Queued::of(&message, run, "j1"), Queued { waited: None, again: None });
        for (name, value) in [("SentTimestamp", "998500"), ("MessageDeduplicationId", "j1")] {
            message.attributes.insert(name.to_owned(), value.to_owned());
        }
        let waited = Some(Duration::from_millis(1_500));
        assert_eq!(Queued::of(&message, run, "j1"), Queued { waited, again: None });
        assert_eq!(Queued::of(&message, run, "j2"), Queued { waited, again: Some("j1") });
    }

    #[test]
    fn message_without_attributes_is_first_try() {
        assert_eq!(Try::of(&SqsMessage::default(), RUN), Try { receives: 1, number: 1 });
    }

    #[test]
    fn last_receive_is_last_try() {
        assert!(!Try { receives: RECEIVES - 1, number: 1 }.is_last());
        assert!(Try { receives: RECEIVES, number: 1 }.is_last());
        assert!(Try { receives: 3, number: TRIES }.is_last());
        assert!(!Try { receives: RECEIVES, number: TRIES }.is_too_many());
        assert!(Try { receives: 4, number: TRIES + 1 }.is_too_many());
    }
}
