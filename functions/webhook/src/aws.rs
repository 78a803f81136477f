//! What the function uses of AWS besides its secret: two queues.

use std::time::Duration;

use anyhow::Result;
use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_names::QueueUrl;
use contract::Worker;
use forge::AuthenticJob;

use webhook::JobSink;

/// The time limit of a call with all its attempts: senders wait ten seconds for the whole response.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// The AWS configuration with short timeouts.
pub(crate) async fn configuration() -> SdkConfig {
    lambda_init::aws().timeout_config(TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT).build()).load().await
}

/// The queues of both workers, for jobs of authenticated senders only.
pub(crate) struct Queues(job_queue::Queues);

impl Queues {
    pub(crate) fn new(config: &SdkConfig, gitpull: QueueUrl, zipdl: QueueUrl) -> Self {
        Self(job_queue::Queues::new(aws_sdk_sqs::Client::new(config), gitpull, zipdl))
    }
}

impl JobSink for Queues {
    async fn send(&self, worker: Worker, jobs: &[AuthenticJob]) -> Result<()> {
        Ok(self.0.send(worker, jobs).await?)
    }
}
