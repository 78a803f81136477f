//! What Lambda does between a queue and a function, in a test's hands: several messages at once, of
//! different groups, as on AWS (the emulator hands out one after the other), and no waiting until a
//! message comes again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::aws::Account;

/// How many workers there are unless a test wants otherwise.
const WORKERS: usize = 3;

/// The event source of one function.
#[derive(Clone, Debug)]
pub struct EventSource {
    /// The account with both.
    pub account: Account,
    /// URL of the queue.
    pub queue: String,
    /// The function's name.
    pub function: String,
    /// Repositories of which one success is forgotten: its message isn't deleted, as if Lambda had
    /// failed before it was.
    pub forgets: BTreeSet<String>,
    /// Whether a job that failed comes again at once, instead of when its worker wants it to.
    pub hurries: bool,
    /// How many workers there are. They share a disk here, which no two have on AWS: jobs of one
    /// repository would wait for its clone.
    pub workers: usize,
}

/// What became of a message that was handed to the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was deleted.
    Done,
    /// The function says that it failed, and it comes again.
    Failed,
    /// The function ended, and it comes again.
    Died,
}

impl EventSource {
    /// That of a stack's gitpull, in place of Lambda's own, which are stopped.
    ///
    /// # Errors
    /// When the stack has no such function, or Lambda refuses.
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

    /// Hands out messages until the queue is empty; what became of each, by `owner/name`, in the
    /// order in which it did.
    ///
    /// # Errors
    /// When it isn't empty after `patience`.
    pub async fn drain(&self, patience: Duration) -> Result<Vec<(String, Outcome)>> {
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
                    let (repository, outcome) = ended.context("work on a message")?;
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

    async fn work(&self, message: &Message, is_forgotten: bool) -> Result<Outcome> {
        let (outcome, receipt) = (self.invoke(message).await?, message.receipt_handle().unwrap_or_default());
        if outcome == Outcome::Done && !is_forgotten {
            let deletion = self.account.sqs.delete_message().queue_url(&self.queue).receipt_handle(receipt);
            deletion.send().await.context("delete a message")?;
        } else if self.hurries || outcome != Outcome::Failed {
            // The time that it would be hidden for is over.
            let again = self.account.sqs.change_message_visibility().queue_url(&self.queue).receipt_handle(receipt);
            again.visibility_timeout(0).send().await.context("let a message come again")?;
        }
        Ok(outcome)
    }

    async fn invoke(&self, message: &Message) -> Result<Outcome> {
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
            Some(0) => Outcome::Done,
            Some(_) => Outcome::Failed,
            None => Outcome::Died,
        })
    }
}

/// The repository that a message is about.
fn repository(message: &Message) -> String {
    let body: Value = serde_json::from_str(message.body().unwrap_or_default()).unwrap_or_default();
    body["repository"]["path"].as_str().unwrap_or_default().to_owned()
}
