//! What became of a push: its story by the logs of all functions and of the endpoint, and what the
//! bucket has of it. Nothing is stored for this, and nothing is changed by it.
//!
//! The logs are searched twice: for the deliveries that are meant, and for everything about these.
//! Then what only an ID connects with a delivery is searched: the endpoint's answers by API
//! Gateway's ID of the request, and a killed run by Lambda's.

mod bucket;
mod forgotten;
mod push;
mod shown;
#[cfg(test)]
mod tests;
mod wanted;

use std::time::{Duration, SystemTime};

use aws_sdk_sqs::types::QueueAttributeName;
use deployment::account::Account;
use deployment::call_error::CallError;
use deployment::deploy::{Description, Resource};
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::Serialize;

use crate::logs::{Condition, Groups, Kind, Record, Search};

pub use bucket::{Now, Stored};
pub use push::{Origin, Outcome, Push, Step};
pub use wanted::{Ambiguous, Wanted, WantedError};

/// How many pushes are looked for in the bucket: one delivery may have thousands.
const LOOKED_AT: usize = 20;

/// What a trace found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// What it is about.
    pub wanted: String,
    /// How far back it looked, in seconds.
    pub looked_back: u64,
    /// The pushes, newest delivery first; none if nothing is known.
    pub pushes: Vec<Push>,
    /// What else helps to understand them.
    pub notes: Vec<String>,
    /// Whether the logs have more lines than were read.
    pub more_lines: bool,
}

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// AWS couldn't be asked, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Several things have the name.
    #[error(transparent)]
    Ambiguous(#[from] Ambiguous),
}

impl TraceError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Call(error) => error.hint(),
            Self::Ambiguous(error) => error.hint(),
        }
    }
}

/// A stack whose pushes are traced.
#[derive(Debug, Clone, Copy)]
pub struct Stack<'a> {
    /// Its account.
    pub account: &'a Account,
    /// Its parameters and outputs.
    pub description: &'a Description,
    /// Its resources.
    pub resources: &'a [Resource],
}

impl Stack<'_> {
    /// The physical ID of a resource.
    pub(crate) fn resource(&self, id: &str) -> Option<&str> {
        let found = self.resources.iter().find(|resource| resource.logical_id == id && !resource.is_gone());
        found.map(|resource| resource.physical_id.as_str())
    }

    /// A parameter; empty if there is none.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.description.parameters.get(name).map(String::as_str).unwrap_or_default()
    }
}

impl Trace {
    /// Whether everything that was pushed is stored.
    pub fn is_stored(&self) -> bool {
        !self.pushes.is_empty() && self.pushes.iter().all(|push| push.outcome == Outcome::Stored)
    }
}

/// Traces what is wanted: the latest `last` deliveries of it in the logs of the time `back`.
///
/// # Errors
/// See [`TraceError`].
pub async fn trace(stack: Stack<'_>, wanted: &Wanted, back: Duration, last: usize) -> Result<Trace, TraceError> {
    let since = SystemTime::now().checked_sub(back).unwrap_or(SystemTime::UNIX_EPOCH);
    let search = Search::new(stack.account, Groups::of(stack.resources), since);
    let first = search.functions(&wanted.conditions()).await?;
    let deliveries = wanted.deliveries(&first.records, last)?;
    let is_complete = matches!(&deliveries[..], [only] if wanted.is_delivery(only));
    let commit = if is_complete { None } else { wanted.commit(&first.records)? };
    let (mut records, mut more_lines) = (first.records, first.is_cut);
    if !is_complete && !deliveries.is_empty() {
        let conditions: Vec<_> = deliveries.iter().map(|id| Condition::is("delivery", id)).collect();
        let found = search.functions(&conditions).await?;
        more_lines |= found.is_cut;
        records = found.records;
    }
    let is_one = |record: &Record| record.line.delivery.as_ref().is_some_and(|id| deliveries.contains(id));
    records.retain(is_one);
    add_connected(&search, &mut records).await?;
    let mut pushes: Vec<_> = deliveries.iter().flat_map(|delivery| push::pushes(delivery, &records)).collect();
    pushes.retain(|push| wanted.is_about(push, commit.as_deref()));
    let looks = pushes.iter_mut().take(LOOKED_AT).filter_map(|push| push.stored.as_mut());
    try_join_all(looks.map(|stored| stored.look(stack.account))).await?;
    let mut notes = Vec::new();
    if pushes.is_empty() {
        pushes.extend(forgotten::look(stack, wanted).await?);
        notes.extend(lost(&search).await?);
    }
    if pushes.iter().any(|push| push.outcome == Outcome::UnderWay) {
        notes.extend(waiting(stack).await?);
    }
    Ok(Trace { wanted: wanted.to_string(), looked_back: back.as_secs(), pushes, notes, more_lines })
}

/// What became of a job since a message with this deduplication ID, which was sent after `since`;
/// `None` as long as no worker has begun.
///
/// # Errors
/// AWS could not be asked, or refused.
pub(crate) async fn repeated(
    stack: Stack<'_>,
    [again, delivery, job]: [&str; 3],
    since: SystemTime,
) -> Result<Option<Push>, CallError> {
    let search = Search::new(stack.account, Groups::of(stack.resources), since);
    let found = search.functions(&[Condition::is("delivery", delivery)]).await?;
    let Some(mut push) = push::since(again, delivery, job, &found.records) else { return Ok(None) };
    if push.outcome.is_final()
        && let Some(stored) = &mut push.stored
    {
        stored.look(stack.account).await?;
    }
    Ok(Some(push))
}

/// A push whose lines are recorded.
#[cfg(test)]
pub(crate) fn recorded(delivery: &str) -> Push {
    push::pushes(delivery, &tests::records(&tests::told())).remove(0)
}

/// Adds the endpoint's answers to the requests of these lines, and how runs ended that ended
/// without a word. Each gets the delivery that it belongs to.
async fn add_connected(search: &Search, records: &mut Vec<Record>) -> Result<(), CallError> {
    let requests = connected(records, |record| record.text("gateway_request"));
    let ids: Vec<_> = requests.iter().map(|(id, _)| id.as_str()).collect();
    let silent = silent_runs(records);
    let ends = try_join_all(silent.iter().map(async |begun| {
        let run = begun.run().unwrap_or_default();
        let ends = search.end_of_run(&begun.line.function, run).await?;
        Ok::<_, CallError>(ends.into_iter().map(|end| of_job(end, begun)).take(1).collect::<Vec<_>>())
    }));
    let (answers, ends) = tokio::try_join!(search.answers(&ids), ends)?;
    for mut answer in answers {
        let id = answer.text("requestId");
        let of = requests.iter().find(|(request, _)| Some(request.as_str()) == id);
        answer.line.delivery = of.map(|(_, delivery)| delivery.clone());
        // The function has said more about a refusal.
        answer.line.kind = Kind::Answered;
        records.push(answer);
    }
    records.extend(ends.into_iter().flatten());
    records.sort_by_key(|record| record.line.millis);
    Ok(())
}

/// The most requests whose answers are searched: each has 36 characters, and a pattern 1,024.
const REQUESTS: usize = 15;

/// An ID of each line, with its delivery.
fn connected(records: &[Record], id: impl Fn(&Record) -> Option<&str>) -> Vec<(String, String)> {
    let pair = |record: &Record| Some((id(record)?.to_owned(), record.line.delivery.clone()?));
    records.iter().filter_map(pair).take(REQUESTS).collect()
}

/// The most runs whose ends are searched.
const RUNS: usize = 5;

/// The begins of tries after which nothing was logged about their job.
fn silent_runs(records: &[Record]) -> Vec<Record> {
    let is_silent = |(at, begun): &(usize, &Record)| {
        let of_job = |later: &Record| later.text("job") == begun.text("job");
        let next = records.iter().skip(at + 1).find(|later| of_job(later));
        begun.line.kind == Kind::Begun && next.is_none_or(|next| next.line.kind == Kind::Begun)
    };
    let silent = records.iter().enumerate().filter(is_silent).filter(|(_, begun)| begun.run().is_some());
    silent.map(|(_, begun)| begun.clone()).take(RUNS).collect()
}

/// A line about the end of a run, as one of the job that the run has begun.
fn of_job(mut end: Record, begun: &Record) -> Record {
    end.line.delivery.clone_from(&begun.line.delivery);
    end.fields = serde_json::json!({ "job": begun.text("job") });
    end
}

/// What the endpoint answered without a function, which has no delivery.
async fn lost(search: &Search) -> Result<Option<String>, CallError> {
    let lost = search.lost().await?;
    let [Some(first), Some(newest)] = [lost.first(), lost.last()] else { return Ok(None) };
    let mut statuses: Vec<_> = lost.iter().filter_map(|record| record.line.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let statuses = statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let [first, newest] = [first, newest].map(|record| shown::minute(record.line.millis));
    Ok(Some(format!(
        "the endpoint itself answered {} requests with {statuses} from {first} to {newest} UTC: it may be among them, as the \
         host's page of the delivery tells",
        lost.len()
    )))
}

/// How many jobs wait, for one that isn't done.
async fn waiting(stack: Stack<'_>) -> Result<Vec<String>, CallError> {
    let sqs = aws_sdk_sqs::Client::new(&stack.account.config);
    let queues = crate::redrive::WORKERS
        .iter()
        .flat_map(|worker| [format!("{worker}Queue"), format!("{worker}DeadLetterQueue")]);
    let count = async |id: String| {
        let Some(url) = stack.resource(&id) else { return Ok(None) };
        let request = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let told = request.send().await.map_err(|error| CallError::new(format!("look at queue {id}"), error))?;
        let attributes = told.attributes.unwrap_or_default();
        let count = |name| attributes.get(&name).and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        let waiting = count(QueueAttributeName::ApproximateNumberOfMessages);
        let in_flight = count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
        Ok((waiting + in_flight > 0).then(|| format!("{id}: {waiting} waiting, {in_flight} in flight")))
    };
    let counts: Vec<Option<String>> = try_join_all(queues.map(count)).await?;
    Ok(counts.into_iter().flatten().collect())
}
