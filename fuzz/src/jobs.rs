//! Queue messages: a job's fields are validated like a payload's, and after a failed job, none is
//! touched.

use std::{
    cell::RefCell,
    time::{Duration, SystemTime},
};

use aws_lambda_events::sqs::SqsEvent;
use contract::{Job, Retry};
use jobs::{Failed, JobError, Run};
use tokio::runtime::{Builder, Runtime};

use crate::events::leads_astray;

thread_local! {
    static TOKIO: Runtime = Builder::new_current_thread().build().unwrap();
}

/// The error of some jobs.
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

/// How often a message was to be retried, and how many jobs were given up.
#[derive(Default)]
struct Fates {
    redelivered: RefCell<usize>,
    given_up: RefCell<usize>,
}

impl Failed for Fates {
    async fn hide(&self, _receipt: &str, _time: Duration) {}

    async fn redeliver(&self, _receipt: &str, _delay: Duration) {
        *self.redelivered.borrow_mut() += 1;
    }

    async fn give_up(&self, _message: &str, _body: &str, _job: &Job, reason: &str) -> bool {
        assert!(!reason.is_empty());
        *self.given_up.borrow_mut() += 1;
        reason.len().is_multiple_of(2)
    }
}

/// The input is the event.
pub fn jobs(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<SqsEvent>(data) else { return };
    let (messages, fates) = (event.records.len(), Fates::default());
    let done = RefCell::new(0);
    let work = async |job: &Job| {
        assert!(!leads_astray(job.repository.path.as_str()) && !leads_astray(job.reference.as_str()));
        *done.borrow_mut() += 1;
        match job.reference.as_str().len() % 4 {
            0 => Err(Failure(Retry::Again)),
            1 => Err(Failure(Retry::Never)),
            2 => Err(Failure(Retry::After(Duration::from_secs(7)))),
            _ => Ok(()),
        }
    };
    let this = Run { began: SystemTime::now(), left: Duration::from_mins(5) };
    let told = RefCell::new(0);
    let gave_up = async |_: &Job, _: Option<&Failure>| *told.borrow_mut() += 1;
    let response = TOKIO.with(|tokio| tokio.block_on(jobs::run(event.records, &fates, this, work, gave_up)));
    let (failed, given_up) = (response.batch_item_failures.len(), *fates.given_up.borrow());
    assert!(failed <= messages && *fates.redelivered.borrow() <= 1 && given_up <= messages);
    assert!(*told.borrow() <= given_up);
    assert!(*done.borrow() + failed + given_up >= messages && *done.borrow() <= messages);
}
