//! Processes a batch of messages: completed jobs are deleted from the queue, failed ones are
//! retried, and those that failed permanently are moved to the dead-letter queue with their reason.

use std::{pin::pin, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsMessage};
use contract::{Job, Retry, error_chain, visibility};

use crate::{
    JobError,
    queue::Failed,
    run::{Queued, Run, Try},
};

/// The reason of a job whose tries all ended without a report.
const UNTOLD: &str = "no try reported a reason: the worker was killed, ran out of time or memory, or could not move the job to \
                      the dead-letter queue (see its log)";

/// The delay after a job's first failure. It grows linearly.
const PATIENCE: Duration = Duration::from_secs(5);

/// Processes the jobs of a batch in order, and calls `tell` for each one that is in the
/// dead-letter queue now, with the error of its last try if that was reported. After a failure, the
/// rest isn't touched, because it may be newer pushes of the same reference ([partial batch
/// responses](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting)).
pub async fn run<E: JobError>(
    messages: Vec<SqsMessage>,
    queue: &impl Failed,
    run: Run,
    work: impl AsyncFn(&Job) -> Result<(), E>,
    tell: impl AsyncFn(&Job, Option<&E>),
) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message in messages {
        let done = response.batch_item_failures.is_empty() && one(&message, queue, run, &work, &tell).await;
        if !done {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message.message_id.unwrap_or_default();
            response.batch_item_failures.push(failure);
        }
    }
    response
}

/// Processes a message. Returns whether it can be deleted.
async fn one<E: JobError>(
    message: &SqsMessage,
    queue: &impl Failed,
    run: Run,
    work: &impl AsyncFn(&Job) -> Result<(), E>,
    tell: &impl AsyncFn(&Job, Option<&E>),
) -> bool {
    let body = message.body.as_deref().unwrap_or_default();
    let job: Job = match serde_json::from_str(body) {
        Ok(job) => job,
        Err(error) => {
            tracing::error!(%error, message_id = message.message_id, "the message isn't a job");
            // Retried soon, so that SQS soon moves it to the dead-letter queue.
            queue.redeliver(message.receipt_handle.as_deref().unwrap_or_default(), PATIENCE).await;
            return false;
        }
    };
    let (this, receipt) = (Try::of(message, run), message.receipt_handle.as_deref().unwrap_or_default());
    let (id, delivery, repository, reference) = (job.id(), &job.delivery, &job.repository, &job.reference);
    let Queued { waited, again } = Queued::of(message, run, &id);
    tracing::info!(
        job = id, %delivery, %repository, %reference, receives = this.receives, again,
        waited_ms = waited.map(|waited| u64::try_from(waited.as_millis()).unwrap_or(u64::MAX)), "begun"
    );
    let give_up = async |reason: &str, error: Option<&E>| {
        let is_there = queue.give_up(message.message_id.as_deref().unwrap_or_default(), body, &job, reason).await;
        if is_there {
            tell(&job, error).await;
        } else {
            queue.redeliver(receipt, PATIENCE).await;
        }
        is_there
    };
    if this.is_too_many() {
        tracing::error!(job = id, %delivery, %repository, %reference, receives = this.receives, error = UNTOLD, "gave up");
        return give_up(UNTOLD, None).await;
    }
    let (mut hide, mut work) = (pin!(queue.hide(receipt, visibility::of_job(run.left))), pin!(work(&job)));
    let done = tokio::select! {
        biased;
        () = &mut hide => work.await,
        done = &mut work => {
            // Finish hiding the message before changing its visibility again: the last call counts.
            if done.is_err() {
                hide.await;
            }
            done
        }
    };
    let Err(error) = done else { return true };
    let (chain, hint) = (error_chain(&error), error.hint());
    let delay = match error.retry() {
        Retry::Obsolete => {
            tracing::warn!(job = id, %delivery, %repository, %reference, error = chain, hint, "nothing left to do");
            return true;
        }
        Retry::Never => None,
        _ if this.is_last() => None,
        Retry::Again => Some(PATIENCE * this.number.into()),
        Retry::After(delay) => Some(delay),
    };
    tracing::error!(
        job = id, %delivery, %repository, %reference, error = chain, hint, receives = this.receives,
        retry_in_seconds = delay.map(|delay| delay.as_secs()),
        "{}",
        if delay.is_some() { "failed" } else { "gave up" }
    );
    let Some(delay) = delay else {
        let reason = hint.map_or_else(|| chain.clone(), |hint| format!("{chain} ({hint})"));
        return give_up(&reason, Some(&error)).await;
    };
    queue.redeliver(receipt, delay).await;
    false
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::HashMap, time::SystemTime};

    use contract::dead_letter::{RECEIVES, TRIES};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it failed")]
    struct Failure(Retry);

    impl JobError for Failure {
        fn retry(&self) -> Retry {
            self.0
        }

        fn hint(&self) -> Option<&'static str> {
            Some("fix it")
        }
    }

    /// Records what was done with failed messages.
    #[derive(Default)]
    struct Fates {
        hidden: RefCell<Vec<(String, u64)>>,
        redelivered: RefCell<Vec<(String, u64)>>,
        given_up: RefCell<Vec<(String, String)>>,
        /// Whether the last try of each job that was given up has reported an error.
        told: RefCell<Vec<bool>>,
        is_sealed: bool,
    }

    impl Failed for Fates {
        async fn hide(&self, receipt: &str, time: Duration) {
            self.hidden.borrow_mut().push((receipt.to_owned(), time.as_secs()));
        }

        async fn redeliver(&self, receipt: &str, delay: Duration) {
            self.redelivered.borrow_mut().push((receipt.to_owned(), delay.as_secs()));
        }

        async fn give_up(&self, message: &str, _: &str, _: &Job, reason: &str) -> bool {
            self.given_up.borrow_mut().push((message.to_owned(), reason.to_owned()));
            !self.is_sealed
        }
    }

    fn message(id: &str, branch: &str, receives: u16) -> SqsMessage {
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

    /// The messages that failed if jobs on the branch `bad` do.
    async fn check(messages: Vec<SqsMessage>, retry: Retry, fates: &Fates) -> Vec<String> {
        let work = async |job: &Job| if job.reference.branch() == Some("bad") { Err(Failure(retry)) } else { Ok(()) };
        let this = Run { began: SystemTime::now(), left: Duration::from_mins(5) };
        let tell = async |_: &Job, error: Option<&Failure>| fates.told.borrow_mut().push(error.is_some());
        let response = run(messages, fates, this, work, tell).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    #[tokio::test]
    async fn successful_job_leaves_queue() {
        let fates = Fates::default();
        assert!(check(vec![message("1", "main", 1)], Retry::Again, &fates).await.is_empty());
        assert!(fates.redelivered.into_inner().is_empty() && fates.given_up.into_inner().is_empty());
    }

    #[tokio::test]
    async fn messages_after_failure_wait() {
        let fates = Fates::default();
        let messages = vec![message("1", "main", 1), message("2", "bad", 2), message("3", "main", 1)];
        assert_eq!(check(messages, Retry::Again, &fates).await, ["2", "3"]);
        assert_eq!(fates.redelivered.into_inner(), [("receipt-2".to_owned(), 10)]);
    }

    #[tokio::test]
    async fn unsuccessful_job_reaches_dead_letter_queue() {
        let fates = Fates::default();
        let messages = vec![message("1", "bad", 1), message("2", "main", 1)];
        assert!(check(messages, Retry::Never, &fates).await.is_empty());
        assert!(check(vec![message("3", "bad", TRIES)], Retry::Again, &fates).await.is_empty());
        assert!(fates.redelivered.into_inner().is_empty());
        let given_up = ["1", "3"].map(|id| (id.to_owned(), "it failed (fix it)".to_owned()));
        assert_eq!((fates.given_up.into_inner(), fates.told.into_inner()), (given_up.into(), vec![true; 2]));
    }

    #[tokio::test]
    async fn job_is_hidden_for_worker_time() {
        let fates = Fates::default();
        check(vec![message("1", "main", 1), message("2", "bad", 1)], Retry::Again, &fates).await;
        assert_eq!(fates.hidden.into_inner(), ["1", "2"].map(|id| (format!("receipt-{id}"), 360)));
    }

    #[tokio::test]
    async fn killed_job_reaches_dead_letter_queue() {
        let fates = Fates::default();
        assert!(check(vec![message("1", "main", TRIES + 1)], Retry::Again, &fates).await.is_empty());
        assert!(fates.hidden.into_inner().is_empty());
        let given_up = vec![("1".to_owned(), UNTOLD.to_owned())];
        assert_eq!((fates.given_up.into_inner(), fates.told.into_inner()), (given_up, vec![false]));
    }

    #[tokio::test]
    async fn throttled_receives_are_not_tries() {
        let throttled = |receives: u16| {
            let mut message = message("1", "bad", receives);
            let first = SystemTime::now() - 7 * Duration::from_mins(30);
            let first = first.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
            message.attributes.insert("ApproximateFirstReceiveTimestamp".to_owned(), first.to_string());
            message
        };
        let fates = Fates::default();
        assert_eq!(check(vec![throttled(RECEIVES - 1)], Retry::Again, &fates).await, ["1"]);
        assert!(check(vec![throttled(RECEIVES)], Retry::Again, &fates).await.is_empty());
        assert_eq!((fates.redelivered.into_inner().len(), fates.given_up.into_inner().len()), (1, 1));
    }

    #[tokio::test]
    async fn failed_dead_letter_send_is_retried() {
        let fates = Fates { is_sealed: true, ..Fates::default() };
        assert_eq!(check(vec![message("1", "bad", 1)], Retry::Never, &fates).await, ["1"]);
        assert_eq!(check(vec![message("2", "bad", TRIES + 1)], Retry::Never, &fates).await, ["2"]);
        let soon = ["1", "2"].map(|id| (format!("receipt-{id}"), PATIENCE.as_secs()));
        assert_eq!((fates.redelivered.into_inner(), fates.told.into_inner()), (soon.into(), vec![]));
    }

    #[tokio::test]
    async fn obsolete_job_counts_as_done() {
        let fates = Fates::default();
        assert!(check(vec![message("1", "bad", 1)], Retry::Obsolete, &fates).await.is_empty());
        assert!(fates.given_up.into_inner().is_empty());
    }

    #[tokio::test]
    async fn malformed_message_is_returned_to_queue() {
        let mut message = message("1", "main", 1);
        message.body = Some("{".to_owned());
        let fates = Fates::default();
        assert_eq!(check(vec![message], Retry::Again, &fates).await, ["1"]);
        assert_eq!(fates.redelivered.into_inner().len(), 1);
    }

    #[tokio::test]
    async fn server_retry_delay_is_obeyed() {
        let fates = Fates::default();
        let failed = check(vec![message("1", "bad", 2)], Retry::After(Duration::from_secs(77)), &fates).await;
        assert_eq!((failed.len(), fates.redelivered.into_inner()), (1, vec![("receipt-1".to_owned(), 77)]));
    }
}
