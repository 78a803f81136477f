//! A worker for tests: its thread obeys the interrupt or runs forever, depending on the job's
//! branch.

use std::{sync::atomic::Ordering, thread, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use contract::{Job, Retry, Worker};
use events::Bus;
use jobs::{JobError, Queue};

/// The error of every job.
#[derive(Debug, thiserror::Error)]
#[error("the function ran out of time")]
struct Deadline;

impl JobError for Deadline {
    fn retry(&self) -> Retry {
        Retry::Again
    }

    fn hint(&self) -> Option<&'static str> {
        None
    }
}

async fn work(job: &Job) -> Result<(), Deadline> {
    let is_stubborn = job.reference.branch() == Some("stubborn");
    let (begun, begins) = tokio::sync::oneshot::channel();
    let work = blocking::spawn(move |interrupt| {
        begun.send(()).ok();
        while is_stubborn || !interrupt.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
    });
    drop(begins.await);
    // The thread is abandoned, as after a deadline.
    drop(work);
    Err(Deadline)
}

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .endpoint_url("http://127.0.0.1:9")
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/q.fifo";
    let queues = [url.parse()?, url.parse()?];
    let queue =
        Queue::new(aws_sdk_sqs::Client::new(&config), queues, Bus::new(&config), Worker::GitPull, "zips".parse()?);
    jobs::serve(&queue, async |job, _| work(job).await, async |_, _, _| {}).await
}
