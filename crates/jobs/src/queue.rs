//! The queue that jobs come from, the retry of failed jobs, and the dead-letter queue.

use std::time::Duration;

use aws_names::{BucketName, QueueUrl};
use aws_sdk_sqs::{error::DisplayErrorContext, types::MessageAttributeValue};
use contract::{Job, Worker, dead_letter::REASON, error_chain, events::Failure};
use events::{Bus, Event};
use tokio::time::timeout;

/// How long a worker waits for SQS to hide its job.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest reason, in characters.
const LONGEST_REASON: usize = 1_000;

/// A worker's queue.
#[derive(Debug)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: QueueUrl,
    dead_letters: QueueUrl,
    bus: Bus,
    worker: Worker,
    bucket: BucketName,
}

impl Queue {
    /// Creates a worker's queue from its URL and that of its dead-letter queue. `bus` is told of
    /// jobs that are given up, which would have put their zips into `bucket`.
    pub fn new(
        client: aws_sdk_sqs::Client,
        [url, dead_letters]: [QueueUrl; 2],
        bus: Bus,
        worker: Worker,
        bucket: BucketName,
    ) -> Self {
        Self { client, url, dead_letters, bus, worker, bucket }
    }
}

impl Queue {
    async fn shown_in(&self, receipt: &str, time: Duration) -> Result<(), aws_sdk_sqs::Error> {
        let request = self.client.change_message_visibility().queue_url(self.url.as_str()).receipt_handle(receipt);
        let seconds = i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
        request.visibility_timeout(seconds).send().await?;
        Ok(())
    }
}

/// What to do with a message in progress, and with one that failed.
pub trait Failed {
    /// Hides the message of this receipt from other receivers for this time.
    fn hide(&self, receipt: &str, time: Duration) -> impl Future<Output = ()>;

    /// Makes the message of this receipt visible after `delay`.
    fn redeliver(&self, receipt: &str, delay: Duration) -> impl Future<Output = ()>;

    /// Moves a job to the dead-letter queue with the reason. Returns whether it is there. `message`
    /// is the message's ID, which deduplicates it if the worker is killed before the message is
    /// deleted.
    fn give_up(&self, message: &str, body: &str, job: &Job, reason: &str) -> impl Future<Output = bool>;
}

impl Failed for Queue {
    /// If this fails, the queue's own timeout applies: a killed worker then only costs time.
    async fn hide(&self, receipt: &str, time: Duration) {
        match timeout(PATIENCE, self.shown_in(receipt, time)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = DisplayErrorContext(&error);
                tracing::warn!(%error, "could not set the job's visibility timeout");
            }
            Err(error) => tracing::warn!(%error, "could not set the job's visibility timeout"),
        }
    }

    /// If this fails, the message is retried after its visibility timeout: later, but not lost.
    async fn redeliver(&self, receipt: &str, delay: Duration) {
        if let Err(error) = self.shown_in(receipt, delay).await {
            let error = DisplayErrorContext(&error);
            tracing::warn!(%error, "could not set when the job is retried");
        }
    }

    /// The event is sent once the job is in the dead-letter queue. If that fails, it is only
    /// logged: nothing is lost, and the alarm of the dead-letter queue tells people.
    async fn give_up(&self, message: &str, body: &str, job: &Job, reason: &str) -> bool {
        let reason = &in_text(reason);
        let request = self.client.send_message().queue_url(self.dead_letters.as_str()).message_body(body);
        let request = request.message_group_id(job.group_id()).message_deduplication_id(message);
        let attribute = MessageAttributeValue::builder().data_type("String").string_value(reason).build();
        let sent = match attribute {
            Ok(attribute) => {
                request.message_attributes(REASON, attribute).send().await.map_err(aws_sdk_sqs::Error::from)
            }
            Err(error) => Err(aws_sdk_sqs::Error::from(error)),
        };
        if let Err(error) = &sent {
            let error = DisplayErrorContext(error);
            tracing::warn!(%error, job = job.id(), "could not send the job to the dead-letter queue");
            return false;
        }
        let failure = Failure::of(job, self.worker, &self.bucket, reason);
        if let Err(error) = self.bus.send(Event::Failed(&failure)).await {
            tracing::warn!(error = error_chain(&error), job = job.id(), "nobody was told that the job was given up");
        }
        true
    }
}

/// Text that SQS accepts: without control characters, and not too long.
fn in_text(reason: &str) -> String {
    reason.chars().map(|character| if character.is_control() { ' ' } else { character }).take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_valid_sqs_text() {
        assert_eq!(in_text("a\nb\0c \u{e9}"), "a b c \u{e9}");
        assert_eq!(in_text(&"\u{e9}".repeat(2_000)).chars().count(), LONGEST_REASON);
    }
}
