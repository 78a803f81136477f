//! Sends jobs to the queues of the workers: what the webhook function and the reconciler have in
//! common. A crate of its own, without what a worker needs, because the webhook function faces the
//! internet.

use std::{ops::Deref, time::Duration};

use aws_names::QueueUrl;
use aws_sdk_sqs::{
    Client,
    error::{BuildError, DisplayErrorContext},
    types::SendMessageBatchRequestEntry,
};
use contract::{Job, Worker};
use tokio::time::sleep;

/// How many jobs [one
/// call](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html)
/// sends. Ten use a tenth of the allowed mebibyte.
pub const AT_ONCE: usize = 10;

/// How often jobs are sent again that SQS rejected from a batch, and the pause before each retry.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// Why not all jobs are in the queue.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// SQS doesn't serve the call.
    #[error("send {count} jobs to {queue}: {cause}")]
    Call {
        /// How many jobs it had.
        count: usize,
        /// The queue.
        queue: QueueUrl,
        /// What SQS said.
        cause: String,
    },
    /// It leaves some jobs out.
    #[error("{queue} rejected {rejected} of {count} jobs: {reason}")]
    Rejected {
        /// The queue.
        queue: QueueUrl,
        /// How many it rejected.
        rejected: usize,
        /// How many there were.
        count: usize,
        /// What it says of the first of them.
        reason: String,
    },
    /// A job can't be a message.
    #[error("write the job")]
    Write(#[source] serde_json::Error),
    /// Nor an entry of a batch.
    #[error("make a message of a job")]
    Entry(#[source] BuildError),
}

/// The queues of both workers.
#[derive(Debug)]
pub struct Queues {
    client: Client,
    gitpull: QueueUrl,
    zipdl: QueueUrl,
}

impl Queues {
    /// The queues with these URLs.
    pub fn new(client: Client, gitpull: QueueUrl, zipdl: QueueUrl) -> Self {
        Self { client, gitpull, zipdl }
    }

    /// Queues at most [`AT_ONCE`] jobs for a worker. A job that was queued in the last five minutes
    /// isn't queued again.
    ///
    /// # Errors
    /// They aren't all queued. Sending them again does no harm.
    pub async fn send<J: Deref<Target = Job>>(&self, worker: Worker, jobs: &[J]) -> Result<(), SendError> {
        let queue = match worker {
            Worker::GitPull => &self.gitpull,
            Worker::ZipDl => &self.zipdl,
        };
        match jobs {
            [] => Ok(()),
            [job] => self.send_one(queue, job).await,
            jobs => self.send_several(queue, jobs).await,
        }
    }

    async fn send_one(&self, queue: &QueueUrl, job: &Job) -> Result<(), SendError> {
        let message = self.client.send_message().queue_url(queue.as_str()).message_body(body(job)?);
        let message = message.message_group_id(job.group_id()).message_deduplication_id(job.id());
        message.send().await.map_err(|error| not_sent(1, queue, error))?;
        Ok(())
    }

    async fn send_several<J: Deref<Target = Job>>(&self, queue: &QueueUrl, jobs: &[J]) -> Result<(), SendError> {
        let mut entries = jobs.iter().map(|job| entry(job)).collect::<Result<Vec<_>, _>>()?;
        for tried in 1.. {
            let call = self.client.send_message_batch().queue_url(queue.as_str()).set_entries(Some(entries.clone()));
            let answer = call.send().await.map_err(|error| not_sent(entries.len(), queue, error))?;
            entries.retain(|entry| answer.successful.iter().all(|taken| taken.id != entry.id));
            if entries.is_empty() {
                break;
            }
            if tried == TRIES {
                let reason = answer.failed.first().map(|failed| (&failed.code, failed.message()));
                let (queue, reason) = (queue.clone(), format!("{reason:?}"));
                return Err(SendError::Rejected { queue, rejected: entries.len(), count: jobs.len(), reason });
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

fn not_sent(count: usize, queue: &QueueUrl, error: impl std::error::Error) -> SendError {
    SendError::Call { count, queue: queue.clone(), cause: DisplayErrorContext(error).to_string() }
}

fn entry(job: &Job) -> Result<SendMessageBatchRequestEntry, SendError> {
    let entry = SendMessageBatchRequestEntry::builder().id(job.id()).message_body(body(job)?);
    let entry = entry.message_group_id(job.group_id()).message_deduplication_id(job.id());
    entry.build().map_err(SendError::Entry)
}

fn body(job: &Job) -> Result<String, SendError> {
    serde_json::to_string(job).map_err(SendError::Write)
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
    use serde_json::{Value, json};
    use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::method};

    use super::*;

    const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/111122223333/jobs.fifo";

    /// A fake SQS that rejects all but this many messages of each call, by the call's number.
    async fn sqs(refused: impl Fn(usize) -> usize + Send + Sync + 'static) -> (MockServer, Queues) {
        let server = MockServer::start().await;
        let calls = std::sync::atomic::AtomicUsize::new(0);
        let answer = move |request: &Request| {
            let call: Value = request.body_json().unwrap();
            let Some(entries) = call["Entries"].as_array() else {
                return ResponseTemplate::new(200).set_body_json(json!({ "MessageId": "1", "MD5OfMessageBody": "" }));
            };
            let refused = refused(calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst)).min(entries.len());
            let id = |entry: &Value| entry["Id"].clone();
            let taken = entries
                .iter()
                .skip(refused)
                .map(|entry| json!({ "Id": id(entry), "MessageId": "1", "MD5OfMessageBody": "" }));
            let failed = entries.iter().take(refused).map(
                |entry| json!({ "Id": id(entry), "Code": "InternalError", "Message": "later", "SenderFault": false }),
            );
            let (taken, failed): (Vec<_>, Vec<_>) = (taken.collect(), failed.collect());
            ResponseTemplate::new(200).set_body_json(json!({ "Successful": taken, "Failed": failed }))
        };
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::for_tests())
            .endpoint_url(server.uri())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let queues = Queues::new(Client::from_conf(config), QUEUE.parse().unwrap(), QUEUE.parse().unwrap());
        (server, queues)
    }

    fn jobs(count: usize) -> Vec<Job> {
        let job = |n| {
            let job = json!({
                "delivery": "d-1", "repository": { "host": "github.com", "path": "octo/hello" },
                "reference": format!("refs/tags/v{n}"),
            });
            serde_json::from_value(job).unwrap()
        };
        (0..count).map(job).collect()
    }

    /// How many messages each call had.
    async fn calls(server: &MockServer) -> Vec<usize> {
        let requests = server.received_requests().await.unwrap();
        let messages = |request: &Request| {
            let call: Value = request.body_json().unwrap();
            call["Entries"].as_array().map_or(1, Vec::len)
        };
        requests.iter().map(messages).collect()
    }

    #[tokio::test]
    async fn jobs_left_by_sqs_are_resent() {
        let (server, queues) = sqs(|call| [3, 1, 0][call]).await;
        queues.send(Worker::GitPull, &jobs(10).iter().collect::<Vec<_>>()).await.unwrap();
        assert_eq!(calls(&server).await, [10, 3, 1]);
    }

    #[tokio::test]
    async fn jobs_never_accepted_cause_error() {
        let (server, queues) = sqs(|_| 2).await;
        let error = queues.send(Worker::ZipDl, &jobs(10).iter().collect::<Vec<_>>()).await.unwrap_err();
        assert_eq!(calls(&server).await, [10, 2, 2]);
        assert!(error.to_string().contains("rejected 2 of 10 jobs"), "{error}");
    }

    #[tokio::test]
    async fn one_job_is_one_message() {
        let (server, queues) = sqs(|_| 0).await;
        queues.send(Worker::GitPull, &jobs(1).iter().collect::<Vec<_>>()).await.unwrap();
        let [request] = &server.received_requests().await.unwrap()[..] else { panic!("not one call") };
        assert_eq!(request.headers["x-amz-target"], "AmazonSQS.SendMessage");
    }
}
