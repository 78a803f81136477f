//! Acts as Lambda's event source mapping under a test's control: it delivers messages of different
//! groups concurrently, as on AWS (the emulator delivers one after the other), and doesn't wait
//! before redeliveries.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::aws::Account;

/// The default number of workers.
const WORKERS: usize = 3;

/// The event source of one function.
#[derive(Clone, Debug)]
pub struct EventSource {
    /// The account of both.
    pub account: Account,
    /// The URL of the queue.
    pub queue: String,
    /// The name of the function.
    pub function: String,
    /// Repositories for which one success is ignored: the message isn't deleted, as if Lambda had
    /// failed before that.
    pub forgets: BTreeSet<String>,
    /// Whether a failed job is redelivered immediately, instead of when its worker requests it.
    pub hurries: bool,
    /// The number of workers. They share a disk, unlike on AWS: jobs of one repository would wait
    /// for its clone.
    pub workers: usize,
}

/// The outcome of a delivered message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It was deleted.
    Done,
    /// The function reported a failure, so it is redelivered.
    Failed,
    /// The function ended, so it is redelivered.
    Died,
}

impl EventSource {
    /// The event source of a stack's gitpull. Replaces Lambda's own, which are stopped.
    ///
    /// # Errors
    /// The stack has no such function, or Lambda refuses.
    pub async fn of_gitpull(account: &Account, stack: &str) -> Result<Self> {
        account.stop_event_sources().await?;
        let resources = account.resources(stack).await?;
        let id = |logical: &str| resources.id(logical).map(str::to_owned);
        let (queue, function) = (id("GitPullQueue")?, id("GitPullFunction")?);
        Ok(Self {
            account: account.clone(),
            queue,
            function,
            forgets: BTreeSet::new(),
            hurries: false,
            workers: WORKERS,
        })
    }

    /// Delivers messages until the queue is empty. Returns the outcomes by `owner/name`, in order.
    ///
    /// # Errors
    /// The queue isn't empty after `patience`.
    pub async fn drain(&self, patience: Duration) -> Result<Vec<(String, Delivered)>> {
        let deadline = Instant::now() + patience;
        let source = Arc::new(self.clone());
        let (mut forgets, mut working, mut outcomes) = (self.forgets.clone(), JoinSet::new(), Vec::new());
        loop {
            while working.len() < self.workers
                && let Some(message) = self.receive().await?
            {
                let repository = repository(&message);
                let is_forgotten = forgets.remove(&repository);
                let source = Arc::clone(&source);
                working.spawn(async move { (repository, source.work(&message, is_forgotten).await) });
            }
            let next = tokio::time::timeout(Duration::from_millis(50), working.join_next());
            match next.await {
                Ok(Some(ended)) => {
                    let (repository, outcome) = ended.context("process a message")?;
                    outcomes.push((repository, outcome?));
                }
                Ok(None) if self.account.messages(&self.queue).await? == 0 => return Ok(outcomes),
                Ok(None) => sleep(Duration::from_millis(50)).await,
                Err(_) => {}
            }
            ensure!(
                Instant::now() < deadline,
                "the queue isn't empty after {} s: {outcomes:?}; the log: {:?}",
                patience.as_secs(),
                self.account.log_lines().await?
            );
        }
    }

    async fn receive(&self) -> Result<Option<Message>> {
        let request = self.account.sqs.receive_message().queue_url(&self.queue).max_number_of_messages(1);
        let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
        let received = request.send().await.context("receive a message")?;
        Ok(received.messages.unwrap_or_default().pop())
    }

    async fn work(&self, message: &Message, is_forgotten: bool) -> Result<Delivered> {
        let (outcome, receipt) = (self.invoke(message).await?, message.receipt_handle().unwrap_or_default());
        if outcome == Delivered::Done && !is_forgotten {
            let deletion = self.account.sqs.delete_message().queue_url(&self.queue).receipt_handle(receipt);
            deletion.send().await.context("delete a message")?;
        } else if self.hurries || outcome != Delivered::Failed {
            // Skips its visibility timeout.
            let again = self.account.sqs.change_message_visibility().queue_url(&self.queue).receipt_handle(receipt);
            again.visibility_timeout(0).send().await.context("redeliver a message")?;
        }
        Ok(outcome)
    }

    async fn invoke(&self, message: &Message) -> Result<Delivered> {
        let attributes: serde_json::Map<_, _> = message
            .attributes
            .iter()
            .flatten()
            .map(|(name, value)| (name.as_str().to_owned(), Value::from(value.as_str())))
            .collect();
        let event = json!({ "Records": [{
            "messageId": message.message_id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": attributes,
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "awsRegion": crate::aws::REGION,
        }] });
        let answer = self.account.invoke(&self.function, &event).await?;
        Ok(match answer["batchItemFailures"].as_array().map(Vec::len) {
            Some(0) => Delivered::Done,
            Some(_) => Delivered::Failed,
            None => Delivered::Died,
        })
    }
}

/// The repository of a message.
fn repository(message: &Message) -> String {
    let body: Value = serde_json::from_str(message.body().unwrap_or_default()).unwrap_or_default();
    body["repository"]["path"].as_str().unwrap_or_default().to_owned()
}
