//! Dead-letter messages go back to the queue that they came from, after what made them fail was
//! fixed. Message by message: a copy is queued before the message is deleted, and the copy's
//! deduplication id is made of the message's, so that an interrupted redrive can be repeated and
//! nothing is lost or done twice.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};

use deployment::account::Account;
use deployment::call_error::CallError;
use deployment::deploy;
use deployment::render::progress::Progress;

/// The workers, as prefixes of the queues' logical IDs.
pub const WORKERS: [&str; 2] = ["GitPull", "ZipDl"];

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Redriven {
    /// The queue's logical ID.
    pub queue: String,
    /// How many messages went back to it.
    pub count: usize,
}

/// Moves the dead-letter messages of each of these workers back; `None` if there is no such stack.
///
/// # Errors
/// AWS could not be asked, or refused. What was moved before stays moved.
pub async fn redrive(
    account: &Account,
    stack: &str,
    workers: &[&str],
    progress: &mut dyn Progress,
) -> Result<Option<Vec<Redriven>>, CallError> {
    if deploy::described(account, stack).await?.is_none() {
        return Ok(None);
    }
    let resources = deploy::resources(account, stack).await?;
    let url = |id: String| resources.iter().find(|resource| resource.logical_id == id).map(|found| &found.physical_id);
    let sqs = Client::new(&account.config);
    let mut moved = Vec::new();
    for worker in workers {
        let queue = format!("{worker}Queue");
        if let (Some(from), Some(to)) = (url(format!("{worker}DeadLetterQueue")), url(queue.clone())) {
            moved.push(Redriven { count: move_all(&sqs, &queue, from, to, progress).await?, queue });
        }
    }
    Ok(Some(moved))
}

async fn move_all(
    sqs: &Client,
    queue: &str,
    from: &str,
    to: &str,
    progress: &mut dyn Progress,
) -> Result<usize, CallError> {
    // Messages that arrive meanwhile have failed again, and wait for the next redrive.
    let limit = length(sqs, queue, from).await?;
    let mut count = 0;
    while count < limit {
        progress.waiting(&format!("{count} of {limit} messages are back in {queue}"));
        let request = sqs.receive_message().queue_url(from).max_number_of_messages(10).wait_time_seconds(2);
        let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
        let received = request.send().await;
        let received =
            received.map_err(|error| CallError::new(format!("read the dead-letter messages of {queue}"), error))?;
        let messages = received.messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            move_one(sqs, queue, from, to, message).await?;
            count += 1;
        }
    }
    Ok(count)
}

async fn length(sqs: &Client, queue: &str, url: &str) -> Result<usize, CallError> {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let told = sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await;
    let told = told.map_err(|error| CallError::new(format!("count the dead-letter messages of {queue}"), error))?;
    Ok(told.attributes().and_then(|all| all.get(&name)?.parse().ok()).unwrap_or(0))
}

async fn move_one(sqs: &Client, queue: &str, from: &str, to: &str, message: Message) -> Result<(), CallError> {
    let group = message.attributes().and_then(|all| all.get(&MessageSystemAttributeName::MessageGroupId)).cloned();
    let id = message.message_id.unwrap_or_default();
    let request = sqs.send_message().queue_url(to).message_body(message.body.unwrap_or_default());
    let request = request.set_message_group_id(group).message_deduplication_id(format!("redrive-{id}"));
    let sent = request.set_message_attributes(message.message_attributes).send().await;
    sent.map_err(|error| CallError::new(format!("send message {id} back to {queue}"), error))?;
    let request = sqs.delete_message().queue_url(from).set_receipt_handle(message.receipt_handle);
    request
        .send()
        .await
        .map_err(|error| CallError::new(format!("delete the dead-letter message {id} of {queue}"), error))?;
    Ok(())
}
