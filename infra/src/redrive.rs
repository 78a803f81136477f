//! Dead-letter messages go back to the queue that they came from, after what made them fail was
//! fixed: all of them, or that of one job. Message by message: a copy is queued before the message
//! is deleted, and the copy's deduplication id is made of the message's, so that an interrupted
//! redrive can be repeated and nothing is lost or done twice.

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
        let messages = receive(sqs, queue, from).await?;
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

/// Moves the dead-letter message of this job from the queue `from` back to `to`. Returns its new
/// deduplication ID; `None` if there is no such message.
///
/// # Errors
/// AWS could not be asked, or refused.
pub(crate) async fn move_job(
    sqs: &Client,
    queue: &str,
    [from, to]: [&str; 2],
    job: &str,
) -> Result<Option<String>, CallError> {
    let (limit, mut others, mut found) = (length(sqs, queue, from).await?, Vec::new(), None);
    while found.is_none() && others.len() < limit {
        let messages = receive(sqs, queue, from).await?;
        if messages.is_empty() {
            break;
        }
        for message in messages {
            if found.is_none() && is_of(&message, job) { found = Some(message) } else { others.push(message) }
        }
    }
    // Before anything can fail: the others are wanted, too.
    for other in others {
        let request = sqs.change_message_visibility().queue_url(from).visibility_timeout(0);
        let shown = request.set_receipt_handle(other.receipt_handle).send().await;
        shown.map_err(|error| CallError::new(format!("release a dead-letter message of {queue}"), error))?;
    }
    let Some(message) = found else { return Ok(None) };
    let id = deduplication(&message);
    move_one(sqs, queue, from, to, message).await?;
    Ok(Some(id))
}

/// Whether a message is of the job with this ID.
fn is_of(message: &Message, job: &str) -> bool {
    let read = serde_json::from_str::<contract::Job>(message.body().unwrap_or_default());
    read.is_ok_and(|read| read.id() == job)
}

/// The deduplication ID of a message that goes back.
fn deduplication(message: &Message) -> String {
    format!("redrive-{}", message.message_id().unwrap_or_default())
}

async fn receive(sqs: &Client, queue: &str, from: &str) -> Result<Vec<Message>, CallError> {
    let request = sqs.receive_message().queue_url(from).max_number_of_messages(10).wait_time_seconds(2);
    let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
    let received = request.send().await;
    let received =
        received.map_err(|error| CallError::new(format!("read the dead-letter messages of {queue}"), error))?;
    Ok(received.messages.unwrap_or_default())
}

async fn length(sqs: &Client, queue: &str, url: &str) -> Result<usize, CallError> {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let told = sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await;
    let told = told.map_err(|error| CallError::new(format!("count the dead-letter messages of {queue}"), error))?;
    Ok(told.attributes().and_then(|all| all.get(&name)?.parse().ok()).unwrap_or(0))
}

async fn move_one(sqs: &Client, queue: &str, from: &str, to: &str, message: Message) -> Result<(), CallError> {
    let group = message.attributes().and_then(|all| all.get(&MessageSystemAttributeName::MessageGroupId)).cloned();
    let (again, id) = (deduplication(&message), message.message_id.unwrap_or_default());
    let request = sqs.send_message().queue_url(to).message_body(message.body.unwrap_or_default());
    let request = request.set_message_group_id(group).message_deduplication_id(again);
    let sent = request.set_message_attributes(message.message_attributes).send().await;
    sent.map_err(|error| CallError::new(format!("send message {id} back to {queue}"), error))?;
    let request = sqs.delete_message().queue_url(from).set_receipt_handle(message.receipt_handle);
    request
        .send()
        .await
        .map_err(|error| CallError::new(format!("delete the dead-letter message {id} of {queue}"), error))?;
    Ok(())
}
