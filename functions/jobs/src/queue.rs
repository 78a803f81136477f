//! The queue that the jobs come from: when a failed one comes again.

use std::time::Duration;

use aws_names::QueueUrl;

/// The queue.
#[derive(Debug)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: QueueUrl,
}

impl Queue {
    /// The queue at this URL.
    pub fn new(client: aws_sdk_sqs::Client, url: QueueUrl) -> Self {
        Self { client, url }
    }
}

/// Says when a message comes again.
pub trait Redeliver {
    /// The message that this receipt is for becomes visible after `delay`.
    fn redeliver(&self, receipt: &str, delay: Duration) -> impl Future<Output = ()>;
}

impl Redeliver for Queue {
    /// Where this fails, the message comes again when its visibility timeout is over: later, but it does.
    async fn redeliver(&self, receipt: &str, delay: Duration) {
        let request = self.client.change_message_visibility().queue_url(self.url.as_str()).receipt_handle(receipt);
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        if let Err(error) = request.visibility_timeout(seconds).send().await {
            let error = aws_sdk_sqs::error::DisplayErrorContext(&error);
            tracing::warn!(%error, "could not say when the job comes again");
        }
    }
}
