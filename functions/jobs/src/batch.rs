//! From messages to jobs and back: what is done is deleted from the queue, what failed comes again, and what can't
//! succeed is told in the log and not tried again.

use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsMessage};
use contract::{Job, Retry, error_chain};

use crate::{JobError, queue::Redeliver};

/// How long a job waits after its first failure; after its second twice as long, and so on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Does the jobs of a batch in their order. After a failure the rest isn't touched, since it may be newer pushes of the
/// same reference ([partial batch responses](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting)).
pub async fn run<E: JobError>(
    messages: Vec<SqsMessage>,
    queue: &impl Redeliver,
    work: impl AsyncFn(&Job) -> Result<(), E>,
) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message in messages {
        let done = response.batch_item_failures.is_empty() && one(&message, queue, &work).await;
        if !done {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message.message_id.unwrap_or_default();
            response.batch_item_failures.push(failure);
        }
    }
    response
}

/// Whether the message is done with.
async fn one<E: JobError>(
    message: &SqsMessage,
    queue: &impl Redeliver,
    work: &impl AsyncFn(&Job) -> Result<(), E>,
) -> bool {
    let body = message.body.as_deref().unwrap_or_default();
    let job: Job = match serde_json::from_str(body) {
        Ok(job) => job,
        Err(error) => {
            tracing::error!(%error, message_id = message.message_id, "the message is no job");
            return false;
        }
    };
    let Err(error) = work(&job).await else { return true };
    let receives: u32 =
        message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1);
    let (id, delivery, repository, reference) = (job.id(), &job.delivery, &job.repository, &job.reference);
    let (chain, hint) = (error_chain(&error), error.hint());
    let delay = match error.retry() {
        Retry::Never => {
            tracing::error!(job = id, %delivery, %repository, %reference, error = chain, hint, "gave up: trying again can't help");
            return true;
        }
        Retry::Again => PATIENCE * receives,
        Retry::After(delay) => delay,
    };
    tracing::error!(
        job = id, %delivery, %repository, %reference, error = chain, hint, receives, retry_in_seconds = delay.as_secs(), "failed"
    );
    queue.redeliver(message.receipt_handle.as_deref().unwrap_or_default(), delay).await;
    false
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::HashMap};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it failed")]
    struct Failure(Retry);

    impl JobError for Failure {
        fn retry(&self) -> Retry {
            self.0
        }

        fn hint(&self) -> Option<&'static str> {
            None
        }
    }

    #[derive(Default)]
    struct Redeliveries(RefCell<Vec<(String, u64)>>);

    impl Redeliver for Redeliveries {
        async fn redeliver(&self, receipt: &str, delay: Duration) {
            self.0.borrow_mut().push((receipt.to_owned(), delay.as_secs()));
        }
    }

    fn message(id: &str, branch: &str, receives: u32) -> SqsMessage {
        let job = serde_json::json!({
            "delivery": "d-1",
            "repository": { "host": "github.com", "path": "o/r" },
            "reference": format!("refs/heads/{branch}"),
        });
        let mut message = SqsMessage::default();
        message.message_id = Some(id.to_owned());
        message.receipt_handle = Some(format!("receipt-{id}"));
        message.body = Some(job.to_string());
        message.attributes = HashMap::from([("ApproximateReceiveCount".to_owned(), receives.to_string())]);
        message
    }

    /// Which messages failed, and which come again after how many seconds, when the work on `bad` fails.
    async fn check(messages: Vec<SqsMessage>, retry: Retry) -> (Vec<String>, Vec<(String, u64)>) {
        let queue = Redeliveries::default();
        let work = async |job: &Job| if job.reference.branch() == Some("bad") { Err(Failure(retry)) } else { Ok(()) };
        let response = run(messages, &queue, work).await;
        let failures = response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        (failures, queue.0.into_inner())
    }

    #[tokio::test]
    async fn what_is_done_is_done() {
        let (failed, again) = check(vec![message("1", "main", 1)], Retry::Again).await;
        assert_eq!((failed.len(), again.len()), (0, 0));
    }

    #[tokio::test]
    async fn after_a_failure_the_rest_waits_its_turn() {
        let messages = vec![message("1", "main", 1), message("2", "bad", 2), message("3", "main", 1)];
        let (failed, again) = check(messages, Retry::Again).await;
        assert_eq!(failed, ["2", "3"]);
        assert_eq!(again, [("receipt-2".to_owned(), 10)]);
    }

    #[tokio::test]
    async fn what_can_not_succeed_is_not_tried_again() {
        let (failed, again) = check(vec![message("1", "bad", 1), message("2", "main", 1)], Retry::Never).await;
        assert_eq!((failed.len(), again.len()), (0, 0));
    }

    #[tokio::test]
    async fn what_is_no_job_ends_with_the_dead_letters() {
        let mut message = message("1", "main", 1);
        message.body = Some("{".to_owned());
        assert_eq!(check(vec![message], Retry::Again).await.0, ["1"]);
    }

    #[tokio::test]
    async fn a_server_that_says_when_is_taken_at_its_word() {
        let (failed, again) = check(vec![message("1", "bad", 2)], Retry::After(Duration::from_secs(77))).await;
        assert_eq!((failed.len(), again), (1, vec![("receipt-1".to_owned(), 77)]));
    }
}
