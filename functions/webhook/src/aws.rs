//! What the function may touch of AWS beside its secret: two queues to send to.

use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_names::QueueUrl;
use contract::{Job, Worker};

use webhook::JobSink;

/// How long one call may take with all its attempts: senders wait ten seconds for the whole answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// How AWS is reached, with little patience.
pub(crate) async fn configuration() -> SdkConfig {
    init::aws().timeout_config(TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT).build()).load().await
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

impl JobSink for Queues {
    async fn send(&self, worker: Worker, job: &Job) -> Result<()> {
        let url = match worker {
            Worker::GitPull => &self.gitpull,
            Worker::ZipDl => &self.zipdl,
        };
        let body = serde_json::to_string(job).context("write the job")?;
        let message = self.client.send_message().queue_url(url.as_str()).message_body(body);
        let message = message.message_group_id(job.group_id()).message_deduplication_id(job.id());
        message.send().await.with_context(|| format!("send a job to {url}"))?;
        Ok(())
    }
}
