//! How a stack is doing, in one look: what it last stored, what waits, what failed for good, what the functions complain of.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Statistic};
use aws_sdk_sqs::types::QueueAttributeName;
use serde::Serialize;

use crate::account::Account;
use crate::call_error::CallError;
use crate::deploy;
use crate::render::shown::Shown;
use crate::render::table::{Align, Table};

/// Objects that are told of.
const OBJECTS: usize = 5;
/// Pages of a bucket's listing that are looked through for the newest, of 1,000 objects each.
const PAGES: usize = 10;
/// Errors that are told of, of each function.
const ERRORS: usize = 3;
/// How far back errors are looked for.
const RECENT: Duration = Duration::from_hours(24);

/// A stack, as it is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// CloudFormation's word for it.
    pub stack: String,
    /// The stack's outputs: endpoints, bucket, public key.
    pub outputs: BTreeMap<String, String>,
    /// The newest objects of the output bucket, newest first.
    pub objects: Vec<Object>,
    /// Whether the bucket has more objects than were looked at.
    pub more_objects: bool,
    /// The queues and their dead letters.
    pub queues: Vec<Queue>,
    /// What functions wrote as errors within a day, newest first.
    pub errors: Vec<LoggedError>,
}

/// An object of the output bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: i64,
    /// When it was stored, in seconds since 1970.
    pub stored: i64,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// Its logical id.
    pub id: String,
    /// How many jobs wait.
    pub waiting: u64,
    /// How many are being worked on.
    pub in_flight: u64,
    /// How old the oldest was, in seconds, when CloudWatch last looked; nothing if it didn't within an hour, or may not be asked.
    pub oldest: Option<f64>,
}

/// An error that a function wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedError {
    /// When, in seconds since 1970.
    pub time: i64,
    /// The log group.
    pub log: String,
    /// The line.
    pub message: String,
}

/// Looks at the stack of that name; none if there is none.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn status(account: &Account, stack: &str) -> Result<Option<Status>, CallError> {
    let Some((stack_status, outputs)) = deploy::described(account, stack).await? else { return Ok(None) };
    let resources = deploy::resources(account, stack).await?;
    let of = |kind: &'static str| resources.iter().filter(move |resource| resource.kind == kind);
    let (mut queues, mut errors) = (Vec::new(), Vec::new());
    for resource in of("AWS::SQS::Queue") {
        queues.push(queue(account, &resource.logical_id, &resource.physical_id).await?);
    }
    for resource in of("AWS::Logs::LogGroup").filter(|resource| resource.logical_id.ends_with("LogGroup")) {
        errors.extend(recent_errors(account, &resource.physical_id).await?);
    }
    errors.sort_by_key(|error| std::cmp::Reverse(error.time));
    queues.sort_by(|one, other| one.id.cmp(&other.id));
    let (objects, more_objects) = match outputs.get("OutputBucketName") {
        Some(bucket) => newest(account, bucket).await?,
        None => (Vec::new(), false),
    };
    Ok(Some(Status { stack: stack_status, outputs, objects, more_objects, queues, errors }))
}

async fn newest(account: &Account, bucket: &str) -> Result<(Vec<Object>, bool), CallError> {
    let mut pages = account.s3.list_objects_v2().bucket(bucket).into_paginator().send();
    let (mut objects, mut read) = (Vec::new(), 0);
    while read < PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|error| CallError::new(format!("list bucket {bucket}"), error))?;
        read += 1;
        objects.extend(page.contents.unwrap_or_default().into_iter().map(|object| Object {
            key: object.key.unwrap_or_default(),
            size: object.size.unwrap_or_default(),
            stored: object.last_modified.map(|time| time.secs()).unwrap_or_default(),
        }));
        objects.sort_by(|one, other| (other.stored, &one.key).cmp(&(one.stored, &other.key)));
        objects.truncate(OBJECTS);
    }
    Ok((objects, read == PAGES && pages.next().await.is_some()))
}

async fn queue(account: &Account, id: &str, url: &str) -> Result<Queue, CallError> {
    let request = account.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let told = request.send().await.map_err(|error| CallError::new(format!("look at queue {id}"), error))?;
    let attributes = told.attributes.unwrap_or_default();
    let count = |name| attributes.get(&name).and_then(|count| count.parse().ok()).unwrap_or(0);
    let waiting = count(QueueAttributeName::ApproximateNumberOfMessages);
    let in_flight = count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
    let oldest = if waiting == 0 { None } else { age(account, url).await };
    Ok(Queue { id: id.to_owned(), waiting, in_flight, oldest })
}

/// The age of the oldest job, which only CloudWatch knows. Whoever may not ask it still learns the rest.
async fn age(account: &Account, url: &str) -> Option<f64> {
    let name = url.rsplit('/').next().unwrap_or_default();
    let now = SystemTime::now();
    let request = account.cloudwatch.get_metric_statistics().namespace("AWS/SQS");
    let request = request.metric_name("ApproximateAgeOfOldestMessage").statistics(Statistic::Maximum).period(60);
    let request = request.dimensions(Dimension::builder().name("QueueName").value(name).build());
    let request = request.start_time((now - Duration::from_hours(1)).into()).end_time(now.into());
    let told = request.send().await.ok()?;
    let newest = told.datapoints().iter().max_by_key(|point| point.timestamp().map(DateTime::secs));
    newest?.maximum()
}

async fn recent_errors(account: &Account, log: &str) -> Result<Vec<LoggedError>, CallError> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().saturating_sub(RECENT);
    let since = i64::try_from(since.as_millis()).unwrap_or_default();
    // Functions write JSON; the runtime, when a function dies, does not.
    let pattern = r#"?"ERROR" ?"Task timed out" ?"Runtime exited""#;
    let request = account.logs.filter_log_events().log_group_name(log).start_time(since).filter_pattern(pattern);
    let mut pages = request.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| CallError::new(format!("search log {log}"), error))?;
        found.extend(page.events.unwrap_or_default().into_iter().map(|event| LoggedError {
            time: event.timestamp.unwrap_or_default() / 1_000,
            log: log.to_owned(),
            message: event.message.unwrap_or_default().trim().to_owned(),
        }));
    }
    found.sort_by_key(|error| std::cmp::Reverse(error.time));
    found.truncate(ERRORS);
    Ok(found)
}

impl Status {
    /// Whether somebody has to look: a stack that isn't complete, or dead letters.
    pub fn needs_attention(&self) -> bool {
        !self.stack.ends_with("_COMPLETE")
            || self.stack.contains("ROLLBACK")
            || self.queues.iter().any(|queue| queue.id.contains("DeadLetter") && queue.waiting > 0)
    }

    /// The status as a person reads it; `now` in seconds since 1970.
    pub fn text(&self, now: i64) -> Shown {
        let mut text = Shown::text(&format!("Stack: {}", self.stack));
        text.end_line();
        let mut tables = Vec::new();

        let mut outputs = Table::new(["Output", "Value"].map(|name| (name, Align::Left)));
        for (name, value) in &self.outputs {
            outputs.row([name.clone(), value.clone()]);
        }
        tables.push(outputs);

        let mut queues = Table::new([
            ("Queue", Align::Left),
            ("Waiting", Align::Right),
            ("In flight", Align::Right),
            ("Oldest", Align::Right),
        ]);
        for queue in &self.queues {
            #[expect(clippy::cast_possible_truncation, reason = "an age in seconds")]
            let oldest = queue.oldest.map(|seconds| ago(seconds as i64)).unwrap_or_default();
            queues.row([queue.id.clone(), queue.waiting.to_string(), queue.in_flight.to_string(), oldest]);
        }
        tables.push(queues);

        let mut objects = Table::new([("Last stored", Align::Left), ("Bytes", Align::Right), ("Ago", Align::Right)]);
        for object in &self.objects {
            objects.row([object.key.clone(), object.size.to_string(), ago(now - object.stored)]);
        }
        tables.push(objects);

        let mut errors = Table::new(["Ago", "Log", "Error"].map(|name| (name, Align::Left)));
        for error in &self.errors {
            errors.row([ago(now - error.time), error.log.clone(), error.message.clone()]);
        }
        tables.push(errors);
        for table in tables.iter().filter(|table| !table.is_empty()) {
            text.end_line();
            text.append(&table.render());
        }
        if self.more_objects {
            text.add("The bucket has more objects than were looked at: there may be newer ones.");
            text.end_line();
        }
        text
    }
}

/// A time that has passed, in its largest unit.
fn ago(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let queue = |id: &str, waiting, oldest| Queue { id: id.to_owned(), waiting, in_flight: 0, oldest };
        Status {
            stack: "UPDATE_COMPLETE".to_owned(),
            outputs: BTreeMap::from([("OutputBucketName".to_owned(), "zips".to_owned())]),
            objects: vec![Object { key: "acme/rocket/acme_rocket.zip".to_owned(), size: 264_434, stored: 1_000 }],
            more_objects: false,
            queues: vec![queue("GitPullDeadLetterQueue", 0, None), queue("GitPullQueue", 3, Some(190.0))],
            errors: vec![LoggedError { time: 500, log: "/git2s3/x/gitpull".to_owned(), message: "{}".to_owned() }],
        }
    }

    #[test]
    fn a_look_shows_what_waits_and_what_was_stored() {
        insta::assert_snapshot!(status().text(4_700).plain());
    }

    #[test]
    fn no_name_moves_the_cursor_or_turns_the_text() {
        let mut hostile = status();
        let name = "acme/\u{202e}gpj.zip\u{9b}2J\u{200b}\u{2028}\nStack: fine";
        hostile.stack = name.to_owned();
        hostile.outputs.insert(name.to_owned(), name.to_owned());
        hostile.objects[0].key = name.to_owned();
        hostile.queues[0].id = name.to_owned();
        hostile.errors[0].message = format!("\u{1b}[8m{name}");
        let text = hostile.text(4_700).plain();
        let expected = "acme/\\u{202e}gpj.zip\\u{9b}2J\\u{200b}\\u{2028}\\nStack: fine";
        assert_eq!(text.matches(expected).count(), 6, "{text}");
        assert_eq!(text.lines().count(), status().text(4_700).plain().lines().count() + 1, "{text}");
        assert_eq!(crate::render::visible::lines(&text), text);
    }

    #[test]
    fn dead_letters_and_unfinished_stacks_need_attention() {
        assert!(!status().needs_attention());
        let mut dead = status();
        dead.queues[0].waiting = 1;
        assert!(dead.needs_attention());
        for stack in ["UPDATE_ROLLBACK_COMPLETE", "CREATE_IN_PROGRESS", "ROLLBACK_FAILED"] {
            assert!(Status { stack: stack.to_owned(), ..status() }.needs_attention(), "{stack}");
        }
    }

    #[test]
    fn times_have_their_largest_unit() {
        let told = [-5, 59, 60, 3_599, 3_600, 172_799, 172_800].map(ago);
        assert_eq!(told, ["0 s", "59 s", "1 min", "59 min", "1 h", "47 h", "2 d"]);
    }
}
