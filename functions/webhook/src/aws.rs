//! What the function uses of AWS besides its secret: two queues.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_names::QueueUrl;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use contract::Worker;
use forge::AuthenticJob;
use tokio::time::sleep;

use webhook::JobSink;

/// The time limit of a call with all its attempts: senders wait ten seconds for the whole response.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// The AWS configuration with short timeouts.
pub(crate) async fn configuration() -> SdkConfig {
    lambda_init::aws().timeout_config(TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT).build()).load().await
}

/// The queues of both workers.
pub(crate) struct Queues {
    client: aws_sdk_sqs::Client,
    gitpull: QueueUrl,
    zipdl: QueueUrl,
}

impl Queues {
    pub(crate) fn new(config: &SdkConfig, gitpull: QueueUrl, zipdl: QueueUrl) -> Self {
        Self { client: aws_sdk_sqs::Client::new(config), gitpull, zipdl }
    }
}

/// How often jobs are sent again that SQS rejected from a batch, and the pause before each retry.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

impl JobSink for Queues {
    async fn send(&self, worker: Worker, jobs: &[AuthenticJob]) -> Result<()> {
        let url = match worker {
            Worker::GitPull => &self.gitpull,
            Worker::ZipDl => &self.zipdl,
        };
        match jobs {
            [job] => self.send_one(url, job).await,
            jobs => self.send_several(url, jobs).await,
        }
    }
}

impl Queues {
    async fn send_one(&self, url: &QueueUrl, job: &AuthenticJob) -> Result<()> {
        let message = self.client.send_message().queue_url(url.as_str()).message_body(body(job)?);
        let message = message.message_group_id(job.group_id()).message_deduplication_id(job.id());
        message.send().await.with_context(|| format!("send a job to {url}"))?;
        Ok(())
    }

    async fn send_several(&self, url: &QueueUrl, jobs: &[AuthenticJob]) -> Result<()> {
        let mut entries = jobs.iter().map(entry).collect::<Result<Vec<_>>>()?;
        for tried in 1.. {
            let call = self.client.send_message_batch().queue_url(url.as_str()).set_entries(Some(entries.clone()));
            let answer = call.send().await.with_context(|| format!("send {} jobs to {url}", entries.len()))?;
            entries.retain(|entry| answer.successful.iter().all(|taken| taken.id != entry.id));
            if entries.is_empty() {
                break;
            }
            if tried == TRIES {
                let reason = answer.failed.first().map(|failed| (&failed.code, failed.message()));
                bail!("{url} rejected {} of {} jobs: {reason:?}", entries.len(), jobs.len());
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

fn entry(job: &AuthenticJob) -> Result<SendMessageBatchRequestEntry> {
    let entry = SendMessageBatchRequestEntry::builder().id(job.id()).message_body(body(job)?);
    entry.message_group_id(job.group_id()).message_deduplication_id(job.id()).build().context("make a message of a job")
}

fn body(job: &AuthenticJob) -> Result<String> {
    serde_json::to_string(job).context("write the job")
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
    use contract::ApiSecrets;
    use forge::{Delivery, Endpoint, Event};
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
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(aws_sdk_sqs::config::SharedCredentialsProvider::new(Credentials::for_tests()))
            .endpoint_url(server.uri())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let queues = Queues::new(&config, QUEUE.parse().unwrap(), QUEUE.parse().unwrap());
        (server, queues)
    }

    fn jobs(count: usize) -> Vec<AuthenticJob> {
        let endpoint = Endpoint { allowed_hosts: "github.com".parse().unwrap(), ..Endpoint::default() };
        let job = |n| {
            let push = json!({
                "ref": format!("refs/tags/v{n}"),
                "repository": { "full_name": "octo/hello", "ssh_url": "git@github.com:octo/hello.git" },
            });
            let mut delivery = Delivery::new("d-1".parse().unwrap(), push.to_string().into_bytes());
            for (name, value) in [("content-type", "application/json"), ("x-git-token", "s3cret")] {
                delivery.headers.insert(name, value.parse().unwrap());
            }
            match endpoint.receive(&delivery, &ApiSecrets::parse(&"s3cret".into())).unwrap() {
                Event::Push(push) => push.jobs().next().unwrap(),
                other => panic!("{other:?}"),
            }
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
        queues.send(Worker::GitPull, &jobs(10)).await.unwrap();
        assert_eq!(calls(&server).await, [10, 3, 1]);
    }

    #[tokio::test]
    async fn jobs_never_accepted_cause_error() {
        let (server, queues) = sqs(|_| 2).await;
        let error = queues.send(Worker::ZipDl, &jobs(10)).await.unwrap_err();
        assert_eq!(calls(&server).await, [10, 2, 2]);
        assert!(error.to_string().contains("rejected 2 of 10 jobs"), "{error}");
    }

    #[tokio::test]
    async fn one_job_is_one_message() {
        let (server, queues) = sqs(|_| 0).await;
        queues.send(Worker::GitPull, &jobs(1)).await.unwrap();
        let [request] = &server.received_requests().await.unwrap()[..] else { panic!("not one call") };
        assert_eq!(request.headers["x-amz-target"], "AmazonSQS.SendMessage");
    }
}
