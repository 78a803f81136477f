//! The status of a stack: its account and configuration, the last stored zips, waiting jobs,
//! refused requests, failures, and whether it needs attention.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anstyle::AnsiColor;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Statistic};
use aws_sdk_sqs::types::QueueAttributeName;
use serde::Serialize;

use crate::logs::{Extent, Groups, Kind, Level, Line, Reader};
use deployment::account::Account;
use deployment::call_error::CallError;
use deployment::deploy;
use deployment::render::shown::Shown;
use deployment::render::table::{Align, Table};

/// The number of objects shown.
const OBJECTS: usize = 5;
/// The maximum number of pages of a bucket's listing to search for the newest objects, of 1,000
/// objects each.
const PAGES: usize = 10;
/// The number of errors shown per function.
const ERRORS: usize = 3;
/// The number of reasons shown per status.
const REASONS: usize = 3;
/// CloudFormation's replacement for a secret, even an empty one.
const HIDDEN: &str = "****";

/// The current status of a stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its name.
    pub stack_name: String,
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// Its status in CloudFormation.
    pub stack: String,
    /// Why it needs attention; empty if all is well.
    pub attention: Vec<String>,
    /// The stack's parameters. Of secrets, only that they are hidden.
    pub parameters: BTreeMap<String, String>,
    /// The stack's outputs: endpoints, bucket, public key.
    pub outputs: BTreeMap<String, String>,
    /// The newest objects of the output bucket, newest first.
    pub objects: Vec<Object>,
    /// Whether the bucket has more objects than were searched.
    pub more_objects: bool,
    /// The queues and their dead-letter messages.
    pub queues: Vec<Queue>,
    /// How far back errors and refusals were looked for, in seconds.
    pub looked_back: u64,
    /// Whether the logs have more lines of that time than were read.
    pub more_lines: bool,
    /// Unsuccessful answers of the endpoint, by status.
    pub answers: Vec<Answers>,
    /// Failures of functions, newest first.
    pub errors: Vec<Trouble>,
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
    /// Its logical ID.
    pub id: String,
    /// How many jobs wait.
    pub waiting: u64,
    /// How many are being worked on.
    pub in_flight: u64,
    /// The age of the oldest in seconds, at CloudWatch's last measurement; `None` if there was none
    /// within an hour, or without the right to ask.
    pub oldest: Option<f64>,
}

/// Answers of the endpoint that have the same status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answers {
    /// The status.
    pub status: u16,
    /// How many there were.
    pub count: usize,
    /// When the last one was given, in seconds since 1970.
    pub last: i64,
    /// What it means.
    pub meaning: &'static str,
    /// The most frequent reasons, according to the functions.
    pub reasons: Vec<String>,
}

impl Answers {
    /// Whether honest pushes may be lost: anybody can cause refusals, but not failures of the
    /// endpoint.
    pub fn is_trouble(&self) -> bool {
        self.status == 429 || self.status >= 500
    }
}

/// A failure in a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// When it last happened, in seconds since 1970.
    pub time: i64,
    /// The function.
    pub function: String,
    /// What kind it is.
    pub kind: Kind,
    /// What happened, in plain words.
    pub message: String,
    /// The repository concerned, if known.
    pub repository: Option<String>,
    /// How often it was logged.
    pub count: usize,
}

impl Trouble {
    /// Whether nothing else shows it: a failed job is retried, and one that was given up is a
    /// dead-letter message.
    fn is_untold(&self) -> bool {
        ![Kind::Failed, Kind::GaveUp].contains(&self.kind)
    }
}

/// Reads the status of a stack, and its logs of the time `back`; `None` if there is no such stack.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn status(account: &Account, stack: &str, back: Duration) -> Result<Option<Status>, CallError> {
    let Some(described) = deploy::described(account, stack).await? else { return Ok(None) };
    let resources = deploy::resources(account, stack).await?;
    let (sqs, cloudwatch) =
        (aws_sdk_sqs::Client::new(&account.config), aws_sdk_cloudwatch::Client::new(&account.config));
    let mut queues = Vec::new();
    for resource in resources.iter().filter(|resource| resource.kind == "AWS::SQS::Queue" && !resource.is_gone()) {
        queues.push(queue(&sqs, &cloudwatch, &resource.logical_id, &resource.physical_id).await?);
    }
    queues.sort_by(|one, other| one.id.cmp(&other.id));
    let since = SystemTime::now().checked_sub(back).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut reader = Reader::new(account, Groups::of(&resources), Extent::Trouble, since);
    let lines = reader.read().await?;
    let (objects, more_objects) = match described.outputs.get("OutputBucketName") {
        Some(bucket) => newest(account, bucket).await?,
        None => (Vec::new(), false),
    };
    let mut status = Status {
        stack_name: stack.to_owned(),
        account: account.id.clone(),
        region: account.region.clone(),
        stack: described.status,
        attention: Vec::new(),
        parameters: described.parameters.into_iter().map(|(name, value)| (name, shown(value))).collect(),
        outputs: described.outputs,
        objects,
        more_objects,
        queues,
        looked_back: back.as_secs(),
        more_lines: reader.is_cut,
        answers: answers(&lines),
        errors: errors(&lines),
    };
    status.attention = status.needs();
    Ok(Some(status))
}

fn shown(value: String) -> String {
    if value == HIDDEN { "hidden, whether set or not".to_owned() } else { value }
}

/// The answers of one status so far.
#[derive(Default)]
struct Tally<'l> {
    counted: usize,
    explained: usize,
    last: i64,
    reasons: BTreeMap<&'l str, usize>,
}

/// The access log counts; the functions know why.
fn answers(lines: &[Line]) -> Vec<Answers> {
    let mut found: BTreeMap<u16, Tally<'_>> = BTreeMap::new();
    for line in lines {
        let Some(status) = line.status else { continue };
        let tally = found.entry(status).or_default();
        tally.last = tally.last.max(line.millis / 1_000);
        if line.function == "endpoint" {
            tally.counted += 1;
        } else {
            tally.explained += 1;
            let reason = line.text.split_once(": ").map_or(&*line.text, |(_, reason)| reason);
            *tally.reasons.entry(reason).or_default() += 1;
        }
    }
    let told = |(status, Tally { counted, explained, last, reasons }): (u16, Tally<'_>)| {
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let reasons = reasons.into_iter().take(REASONS).map(|(reason, _)| reason.to_owned()).collect();
        Answers { status, count: counted.max(explained), last, meaning: meaning(status), reasons }
    };
    found.into_iter().map(told).collect()
}

/// What an answer of the endpoint means for the operator.
fn meaning(status: u16) -> &'static str {
    match status {
        400 => "not understood",
        401 => "the signature or the secret doesn't fit",
        403 => "not allowed, or no such path",
        413 => "too large",
        415 => "no JSON",
        429 => "more came than the throttle lets in: pushes may be lost",
        500.. => "the endpoint failed: these pushes have no zip, unless the host delivers them again",
        _ => "refused",
    }
}

/// The newest failures of each function, merged if equal and for the same repository.
fn errors(lines: &[Line]) -> Vec<Trouble> {
    let mut all: Vec<Trouble> = Vec::new();
    let failures = lines.iter().filter(|line| line.level == Level::Error && line.function != "endpoint");
    for line in failures.rev() {
        let same = |one: &&mut Trouble| {
            one.function == line.function && one.message == line.text && one.repository == line.repository
        };
        if let Some(same) = all.iter_mut().find(same) {
            same.count += 1;
            continue;
        }
        all.push(Trouble {
            time: line.millis / 1_000,
            function: line.function.clone(),
            kind: line.kind,
            message: line.text.clone(),
            repository: line.repository.clone(),
            count: 1,
        });
    }
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    // A failure that nothing else shows must not be displaced by frequent ones.
    all.sort_by_key(|one| !one.is_untold());
    all.retain(|one| {
        let of_function = told.entry(one.function.clone()).or_default();
        *of_function += 1;
        *of_function <= ERRORS
    });
    all.sort_by_key(|one| std::cmp::Reverse(one.time));
    all
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

async fn queue(
    sqs: &aws_sdk_sqs::Client,
    cloudwatch: &aws_sdk_cloudwatch::Client,
    id: &str,
    url: &str,
) -> Result<Queue, CallError> {
    let request = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let told = request.send().await.map_err(|error| CallError::new(format!("look at queue {id}"), error))?;
    let attributes = told.attributes.unwrap_or_default();
    let count = |name| attributes.get(&name).and_then(|count| count.parse().ok()).unwrap_or(0);
    let waiting = count(QueueAttributeName::ApproximateNumberOfMessages);
    let in_flight = count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
    let oldest = if waiting == 0 { None } else { age(cloudwatch, url).await };
    Ok(Queue { id: id.to_owned(), waiting, in_flight, oldest })
}

/// The age of the oldest job, which only CloudWatch knows. Without the right to ask it, the rest is
/// still shown.
async fn age(cloudwatch: &aws_sdk_cloudwatch::Client, url: &str) -> Option<f64> {
    let name = url.rsplit('/').next().unwrap_or_default();
    let now = SystemTime::now();
    let request = cloudwatch.get_metric_statistics().namespace("AWS/SQS");
    let request = request.metric_name("ApproximateAgeOfOldestMessage").statistics(Statistic::Maximum).period(60);
    let request = request.dimensions(Dimension::builder().name("QueueName").value(name).build());
    let request = request.start_time((now - Duration::from_hours(1)).into()).end_time(now.into());
    let told = request.send().await.ok()?;
    let newest = told.datapoints().iter().max_by_key(|point| point.timestamp().map(DateTime::secs));
    newest?.maximum()
}

impl Status {
    /// Whether it needs attention.
    pub fn needs_attention(&self) -> bool {
        !self.attention.is_empty()
    }

    /// Why it needs attention: a stack that isn't complete, dead-letter messages, a failing
    /// endpoint, functions that end or complain. Not because of what the endpoint refused: anybody
    /// who knows its URL can cause that.
    fn needs(&self) -> Vec<String> {
        let mut needs = Vec::new();
        if !self.stack.ends_with("_COMPLETE") || self.stack.contains("ROLLBACK") {
            needs.push(format!("the stack is {}", self.stack));
        }
        for queue in self.queues.iter().filter(|queue| queue.id.contains("DeadLetter") && queue.waiting > 0) {
            let Queue { id, waiting, .. } = queue;
            needs.push(format!("{} in {id}: these pushes have no zip", number(*waiting, "job waits", "jobs wait")));
        }
        for answers in self.answers.iter().filter(|answers| answers.is_trouble()) {
            let Answers { status, count, meaning, .. } = answers;
            needs.push(format!(
                "the endpoint answered {status} to {}: {meaning}",
                number(*count, "request", "requests")
            ));
        }
        let mut functions: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for error in self.errors.iter().filter(|error| error.is_untold()) {
            let (died, complained) = functions.entry(&error.function).or_default();
            *(if error.kind == Kind::Died { died } else { complained }) += error.count;
        }
        for (function, (died, complained)) in functions {
            if died > 0 {
                needs.push(format!("{function} ended without a word {}", number(died, "time", "times")));
            }
            if complained > 0 {
                needs.push(format!("{function} tells of {}", number(complained, "error", "errors")));
            }
        }
        needs
    }

    /// The status as text; `now` in seconds since 1970.
    pub fn text(&self, now: i64) -> Shown {
        let Self { stack_name, account, region, stack, .. } = self;
        let mut text = Shown::text(&format!("Stack {stack_name} in account {account}, {region}: {stack}"));
        text.end_line();
        if self.attention.is_empty() {
            text.add("Nothing needs attention.");
            text.end_line();
        }
        for reason in &self.attention {
            text.add_styled(AnsiColor::Red.on_default(), &format!("Needs attention: {reason}"));
            text.end_line();
        }
        let mut tables = Vec::new();

        let mut parameters = Table::new(["Parameter", "Value"].map(|name| (name, Align::Left)));
        for (name, value) in self.parameters.iter().filter(|(_, value)| !value.is_empty()) {
            parameters.row([name.clone(), value.clone()]);
        }
        tables.push(parameters);

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

        let mut answers = Table::new([
            ("Answered", Align::Left),
            ("Times", Align::Right),
            ("Last ago", Align::Right),
            ("Meaning", Align::Left),
        ]);
        for one in &self.answers {
            let meaning = std::iter::once(one.meaning).chain(one.reasons.iter().map(String::as_str));
            let meaning = meaning.collect::<Vec<_>>().join("; ");
            answers.row([one.status.to_string(), one.count.to_string(), ago(now - one.last), meaning]);
        }
        tables.push(answers);

        let mut errors = Table::new([
            ("Ago", Align::Right),
            ("Times", Align::Right),
            ("Function", Align::Left),
            ("Error", Align::Left),
        ]);
        for Trouble { time, function, message, repository, count, .. } in &self.errors {
            let whose = repository.as_deref().map(|repository| format!("{repository}: ")).unwrap_or_default();
            errors.row([ago(now - time), count.to_string(), function.clone(), format!("{whose}{message}")]);
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
        if self.more_lines {
            text.add("The logs have more of this time than was looked at: --since looks at less of it.");
            text.end_line();
        }
        text
    }
}

fn number(count: impl std::fmt::Display, one: &str, many: &str) -> String {
    let count = count.to_string();
    format!("{count} {}", if count == "1" { one } else { many })
}

/// A duration in its largest unit.
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

    fn line(function: &str, kind: Kind, status: Option<u16>, text: &str) -> Line {
        let level = if kind == Kind::Refused { Level::Warn } else { Level::Error };
        Line {
            millis: 500_000,
            function: function.to_owned(),
            level,
            kind,
            delivery: None,
            repository: (function == "gitpull").then(|| "github.com/acme/rocket".to_owned()),
            reference: None,
            status,
            request: None,
            text: text.to_owned(),
        }
    }

    fn status() -> Status {
        let queue = |id: &str, waiting, oldest| Queue { id: id.to_owned(), waiting, in_flight: 0, oldest };
        let texts = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), shown((*value).to_owned()))).collect()
        };
        Status {
            stack_name: "git2s3".to_owned(),
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            stack: "UPDATE_COMPLETE".to_owned(),
            attention: Vec::new(),
            parameters: texts(&[("ApiSecret", "****"), ("Refs", "main"), ("VPCId", "")]),
            outputs: texts(&[("OutputBucketName", "zips")]),
            objects: vec![Object { key: "acme/rocket/acme_rocket.zip".to_owned(), size: 264_434, stored: 1_000 }],
            more_objects: false,
            queues: vec![queue("GitPullDeadLetterQueue", 0, None), queue("GitPullQueue", 3, Some(190.0))],
            looked_back: 86_400,
            more_lines: false,
            answers: answers(&[
                line("endpoint", Kind::Refused, Some(401), "POST"),
                line("endpoint", Kind::Refused, Some(401), "POST"),
                line("webhook", Kind::Refused, Some(401), "refused with 401: the signature doesn't verify"),
            ]),
            errors: errors(&[
                line("gitpull", Kind::Failed, None, "try 1 failed, the next one in 5 s: the host refuses the key"),
                line("gitpull", Kind::Failed, None, "try 1 failed, the next one in 5 s: the host refuses the key"),
            ]),
        }
    }

    #[test]
    fn status_shows_queues_and_stored_zips() {
        insta::assert_snapshot!(status().text(4_700).plain());
    }

    #[test]
    fn hostile_names_cannot_alter_status_text() {
        let mut hostile = status();
        let name = "acme/\u{202e}gpj.zip\u{9b}2J\u{200b}\u{2028}\nStack: fine";
        hostile.stack = name.to_owned();
        hostile.parameters.insert(name.to_owned(), name.to_owned());
        hostile.outputs.insert(name.to_owned(), name.to_owned());
        hostile.objects[0].key = name.to_owned();
        hostile.queues[0].id = name.to_owned();
        hostile.answers[0].reasons = vec![name.to_owned()];
        hostile.errors[0].message = format!("\u{1b}[8m{name}");
        let text = hostile.text(4_700).plain();
        let expected = "acme/\\u{202e}gpj.zip\\u{9b}2J\\u{200b}\\u{2028}\\nStack: fine";
        assert_eq!(text.matches(expected).count(), 9, "{text}");
        assert_eq!(text.lines().count(), status().text(4_700).plain().lines().count() + 2, "{text}");
        assert_eq!(deployment::render::visible::lines(&text), text);
    }

    #[test]
    fn silent_problems_need_attention() {
        assert_eq!(status().needs(), [""; 0]);
        let needs = |change: &dyn Fn(&mut Status)| {
            let mut status = status();
            change(&mut status);
            status.needs().join("\n")
        };
        let dead = needs(&|status| status.queues[0].waiting = 1);
        assert_eq!(dead, "1 job waits in GitPullDeadLetterQueue: these pushes have no zip");
        for stack in ["UPDATE_ROLLBACK_COMPLETE", "CREATE_IN_PROGRESS", "ROLLBACK_FAILED"] {
            assert_eq!(needs(&|status| stack.clone_into(&mut status.stack)), format!("the stack is {stack}"));
        }
        for (code, expected) in
            [(429, "pushes may be lost"), (503, "the endpoint failed"), (502, "the endpoint failed")]
        {
            let lines = [line("endpoint", Kind::Answered, Some(code), "POST")];
            let told = needs(&|status| status.answers = answers(&lines));
            assert!(
                told.starts_with(&format!("the endpoint answered {code} to 1 request: ")) && told.contains(expected),
                "{told}"
            );
        }
        for code in [400, 401, 403, 413, 415] {
            let lines = [line("endpoint", Kind::Refused, Some(code), "POST")];
            assert_eq!(needs(&|status| status.answers = answers(&lines)), "", "{code}");
        }
        let ends = [line("zipdl", Kind::Died, None, "it ran out of time"), line("zipdl", Kind::Died, None, "killed")];
        assert_eq!(needs(&|status| status.errors = errors(&ends)), "zipdl ended without a word 2 times");
        let complains = [line("webhook", Kind::Error, Some(503), "an entry of ApiSecret is refused")];
        assert_eq!(needs(&|status| status.errors = errors(&complains)), "webhook tells of 1 error");
        let told = [line("gitpull", Kind::GaveUp, None, "given up")];
        assert_eq!(needs(&|status| status.errors = errors(&told)), "");
    }

    #[test]
    fn crash_stays_visible_among_failures() {
        let failed = (0..9).map(|number| line("gitpull", Kind::Failed, None, &format!("try {number}")));
        let lines: Vec<_> = std::iter::once(line("gitpull", Kind::Died, None, "killed")).chain(failed).collect();
        let told = errors(&lines);
        assert!(told.len() == ERRORS && told.iter().any(|one| one.kind == Kind::Died), "{told:?}");
    }

    #[test]
    fn times_have_their_largest_unit() {
        let told = [-5, 59, 60, 3_599, 3_600, 172_799, 172_800].map(ago);
        assert_eq!(told, ["0 s", "59 s", "1 min", "59 min", "1 h", "47 h", "2 d"]);
    }
}
