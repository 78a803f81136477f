//! The story of one push: what was logged about a reference of a delivery, in order, and how it
//! ended.

use aws_sdk_cloudwatchlogs::primitives::{DateTime, DateTimeFormat};
use schemars::JsonSchema;
use serde::Serialize;

use super::bucket::Stored;
use crate::logs::{Kind, Level, Line, Record};

/// For how long SQS drops a job that it has had already, in milliseconds: [five
/// minutes](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html).
const DROPPED: i64 = 300_000;

/// How a push ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The bucket has the zip of the commit.
    Stored,
    /// The reference had moved on: a newer commit is stored instead.
    Superseded,
    /// The request was refused.
    Refused,
    /// There was nothing to fetch.
    Ignored,
    /// The reference was gone.
    Gone,
    /// The job was given up, and is a dead-letter message.
    GivenUp,
    /// The request was answered with 503, before it became a job.
    Unqueued,
    /// The job waits, or is being worked on.
    UnderWay,
}

impl Outcome {
    /// Whether nothing more happens by itself.
    pub fn is_final(self) -> bool {
        self != Self::UnderWay
    }
}

/// Who reported the push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// The Git host, by a webhook.
    Webhook,
    /// The stack itself, which compared the host's references with the bucket.
    Reconciler,
    /// It is not known: the logs don't go back so far.
    Unknown,
}

/// What happened to a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// The delivery.
    pub delivery: Option<String>,
    /// Who reported it.
    pub origin: Origin,
    /// The repository, `host/owner/name`.
    pub repository: Option<String>,
    /// The full name of the branch or tag.
    pub reference: Option<String>,
    /// The commit that was pushed, if it is known.
    pub commit: Option<String>,
    /// The worker.
    pub worker: Option<String>,
    /// The ID of its job.
    pub job: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, unless it was stored.
    pub reason: Option<String>,
    /// What was stored, also if the push then failed.
    pub stored: Option<Stored>,
    /// What happened, oldest first.
    pub steps: Vec<Step>,
    /// What a job has from its sender.
    #[serde(skip)]
    pub(crate) sender: Sender,
}

/// What a job can have only from its sender, as the webhook logged it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    /// The lists of globs of repositories that the sender may request, as JSON.
    pub(crate) scope: Option<String>,
    /// How the host spells the path, as JSON.
    pub(crate) spelling: Option<String>,
    /// The trigger, if it isn't a push.
    pub(crate) trigger: Option<String>,
    /// Whether the job is about a deletion.
    pub(crate) deleted: bool,
}

/// Something that happened to a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// When, in UTC.
    pub time: String,
    /// When, in milliseconds since 1970.
    #[serde(skip)]
    pub millis: i64,
    /// Who says so: a function, `endpoint` or `bucket`.
    pub source: String,
    /// Its kind.
    pub kind: Kind,
    /// Its level.
    pub level: Level,
    /// What happened, in plain words.
    pub text: String,
}

impl Step {
    /// The step that a line tells.
    fn of(line: &Line) -> Self {
        let Line { millis, function, kind, level, text, .. } = line.clone();
        Self::new(millis, &function, kind, level, text)
    }

    pub(super) fn new(millis: i64, source: &str, kind: Kind, level: Level, text: String) -> Self {
        let time = DateTime::from_millis(millis).fmt(DateTimeFormat::DateTime).unwrap_or_default();
        Self { time, millis, source: source.to_owned(), kind, level, text }
    }
}

/// The pushes of a delivery, one for each reference, by its lines in the order of their times.
pub(super) fn pushes(delivery: &str, records: &[Record]) -> Vec<Push> {
    let of_delivery = |record: &&Record| record.line.delivery.as_deref() == Some(delivery);
    let records: Vec<_> = records.iter().filter(of_delivery).collect();
    let mut jobs: Vec<&str> = Vec::new();
    for job in records.iter().filter_map(|record| record.text("job")) {
        if !jobs.contains(&job) {
            jobs.push(job);
        }
    }
    if jobs.is_empty() && !records.is_empty() {
        return vec![push(delivery, None, &records)];
    }
    let of_job = |job: &str| {
        let is_told = |record: &&&Record| record.text("job").is_none_or(|of| of == job);
        let told: Vec<_> = records.iter().filter(is_told).copied().collect();
        push(delivery, Some(job), &told)
    };
    jobs.into_iter().map(of_job).collect()
}

/// The push of a job since the try by which a message with this deduplication ID began; `None` if
/// there was none yet.
pub(super) fn since(again: &str, delivery: &str, job: &str, records: &[Record]) -> Option<Push> {
    let of_job = |record: &&Record| {
        record.line.delivery.as_deref() == Some(delivery) && record.text("job").is_some_and(|of| of == job)
    };
    let records: Vec<_> = records.iter().filter(of_job).collect();
    let is_begin = |record: &&Record| record.line.kind == Kind::Begun && record.text("again") == Some(again);
    let begin = records.iter().position(is_begin)?;
    Some(push(delivery, Some(job), records.get(begin..).unwrap_or_default()))
}

fn push(delivery: &str, job: Option<&str>, records: &[&Record]) -> Push {
    let first = |field: &str| records.iter().find_map(|record| record.text(field)).map(str::to_owned);
    let of_kind = |kind: Kind| records.iter().rev().find(move |record| record.line.kind == kind);
    let told = |kind, field: &str| of_kind(kind).and_then(|record| record.text(field)).map(str::to_owned);
    let mut end = End::default();
    for record in records {
        end.goes_on(record);
    }
    let stored = end.stored.as_ref().map(|stored| stored.commit.clone());
    Push {
        delivery: Some(delivery.to_owned()),
        origin: origin(records),
        repository: records.iter().find_map(|record| record.line.repository.clone()),
        reference: records.iter().find_map(|record| record.line.reference.clone()),
        commit: told(Kind::Queued, "commit").or_else(|| first("superseded")).or(stored),
        worker: told(Kind::Queued, "worker").or_else(|| worker(records)),
        job: job.map(str::to_owned),
        outcome: end.outcome,
        reason: end.reason,
        stored: end.stored,
        steps: records.iter().map(|record| Step::of(&record.line)).collect(),
        sender: Sender {
            scope: told(Kind::Received, "scope"),
            spelling: told(Kind::Received, "spelling"),
            trigger: told(Kind::Queued, "trigger"),
            deleted: of_kind(Kind::Queued).is_some_and(|record| record.fields["deleted"] == true),
        },
    }
}

/// Whoever queued the job, or didn't. The reconciler may only have asked the host to deliver again.
fn origin(records: &[&Record]) -> Origin {
    let is_worker = |record: &Record| contract::Worker::ALL.iter().any(|one| one.path_part() == record.line.function);
    let of_webhook = records.iter().find(|record| record.line.function == "webhook");
    match of_webhook.or_else(|| records.iter().find(|record| !is_worker(record))) {
        Some(record) if record.line.function == "webhook" => Origin::Webhook,
        Some(_) => Origin::Reconciler,
        None => Origin::Unknown,
    }
}

/// The worker that tried.
fn worker(records: &[&Record]) -> Option<String> {
    let names = contract::Worker::ALL.map(contract::Worker::path_part);
    records.iter().map(|record| &record.line.function).find(|name| names.contains(&name.as_str())).cloned()
}

/// How a push ended, as far as it was read.
struct End {
    outcome: Outcome,
    reason: Option<String>,
    stored: Option<Stored>,
    /// When it was last queued.
    queued: Option<i64>,
}

impl Default for End {
    fn default() -> Self {
        Self { outcome: Outcome::UnderWay, reason: None, stored: None, queued: None }
    }
}

impl End {
    fn goes_on(&mut self, record: &Record) {
        let line = &record.line;
        let of_webhook = line.function == "webhook";
        match line.kind {
            Kind::Queued => {
                let is_dropped = self.queued.is_some_and(|queued| line.millis - queued < DROPPED);
                self.queued = Some(if is_dropped { self.queued.unwrap_or(line.millis) } else { line.millis });
                if !is_dropped {
                    self.is(Outcome::UnderWay, None);
                }
            }
            Kind::Begun => self.is(Outcome::UnderWay, None),
            Kind::Failed | Kind::Died => self.is(Outcome::UnderWay, Some(cause(record))),
            Kind::GaveUp => self.is(Outcome::GivenUp, Some(cause(record))),
            Kind::Refused => self.is(Outcome::Refused, Some(cause(record))),
            Kind::Ignored => self.is(Outcome::Ignored, Some(cause(record))),
            // Of the delivery as a whole: some of its jobs may be queued all the same.
            Kind::Error if of_webhook && self.queued.is_none() => self.is(Outcome::Unqueued, Some(cause(record))),
            Kind::Stored | Kind::Unchanged => match Stored::told_by(record) {
                Some(stored) => {
                    let superseded = record.text("superseded").is_some();
                    self.stored = Some(stored);
                    self.is(if superseded { Outcome::Superseded } else { Outcome::Stored }, None);
                }
                None => self.is(Outcome::Gone, Some(cause(record))),
            },
            _ => {}
        }
    }

    fn is(&mut self, outcome: Outcome, reason: Option<String>) {
        (self.outcome, self.reason) = (outcome, reason);
    }
}

/// What a line gives as the reason, with what to do.
fn cause(record: &Record) -> String {
    let cause = ["error", "cause", "reason"].iter().find_map(|name| record.text(name)).unwrap_or(&record.line.text);
    let hint = record.text("hint").map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{cause}{hint}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{records, told};
    use super::*;

    fn story(delivery: &str) -> Vec<Push> {
        pushes(delivery, &records(&told()))
    }

    /// How the only push of a delivery ended, and why.
    fn end(delivery: &str) -> (Outcome, Option<String>) {
        let [push] = &story(delivery)[..] else { panic!("{delivery}: {:?}", story(delivery)) };
        (push.outcome, push.reason.clone())
    }

    #[test]
    fn each_story_has_its_end() {
        for (delivery, expected) in [
            ("d-stored", Outcome::Stored),
            ("d-superseded", Outcome::Superseded),
            ("d-newer", Outcome::Stored),
            ("d-behind", Outcome::Superseded),
            ("d-reconciled", Outcome::Stored),
            ("d-refused", Outcome::Refused),
            ("d-ignored", Outcome::Ignored),
            ("d-failed", Outcome::GivenUp),
            ("d-redriven", Outcome::Stored),
            ("d-gone", Outcome::Gone),
            ("d-deleted", Outcome::Gone),
            ("d-undeleted", Outcome::Gone),
            ("d-again", Outcome::Stored),
            ("d-unqueued", Outcome::Unqueued),
            ("d-waits", Outcome::UnderWay),
            ("d-killed", Outcome::UnderWay),
        ] {
            assert_eq!(end(delivery).0, expected, "{delivery}");
        }
        let reason = end("d-failed").1.unwrap();
        assert_eq!(reason, "github.com refused the SSH key (add the stack's PublicSSHKey as a deploy key)");
        assert_eq!(end("d-stored").1, None);
    }

    #[test]
    fn superseded_push_names_both_commits() {
        for delivery in ["d-superseded", "d-behind"] {
            let push = &story(delivery)[0];
            let stored = push.stored.as_ref().unwrap();
            let commits = (push.commit.as_deref().unwrap(), stored.commit.as_str());
            assert_eq!(commits, (&*"1a".repeat(20), &*"2b".repeat(20)), "{delivery}");
        }
    }

    #[test]
    fn reconciled_push_needs_no_webhook() {
        let push = &story("d-reconciled")[0];
        assert_eq!((push.origin, push.worker.as_deref()), (Origin::Reconciler, Some("gitpull")));
        assert_eq!(story("d-stored")[0].origin, Origin::Webhook);
        // It was delivered, if only when the host was asked to.
        assert_eq!(story("d-again")[0].origin, Origin::Webhook);
        assert_eq!(story("d-undeleted")[0].origin, Origin::Reconciler);
        // Queued before what the logs still have.
        let late: Vec<_> = records(&told()).into_iter().filter(|record| record.line.function == "gitpull").collect();
        let push = &pushes("d-stored", &late)[0];
        assert_eq!(
            (push.origin, push.worker.as_deref(), push.outcome),
            (Origin::Unknown, Some("gitpull"), Outcome::Stored)
        );
    }

    #[test]
    fn every_reference_has_own_story() {
        let pushes = story("d-several");
        let ends: Vec<_> = pushes.iter().map(|push| (push.reference.as_deref().unwrap(), push.outcome)).collect();
        assert_eq!(ends, [("refs/heads/a", Outcome::Stored), ("refs/heads/b", Outcome::GivenUp)]);
        let received = |push: &Push| push.steps.iter().filter(|step| step.kind == Kind::Received).count();
        assert!(pushes.iter().all(|push| received(push) == 1), "{pushes:?}");
    }

    #[test]
    fn repeated_job_is_told_alone() {
        let all = records(&told());
        let job = "d-redriven refs/heads/broken";
        let push = since("redrive-5f0e", "d-redriven", job, &all).unwrap();
        assert_eq!((push.outcome, push.steps.len()), (Outcome::Stored, 2));
        assert_eq!(since("replay-1", "d-redriven", job, &all), None);
        assert_eq!(since("redrive-5f0e", "d-failed", "d-failed refs/heads/broken", &all), None);
    }

    #[test]
    fn redelivery_within_minutes_changes_nothing() {
        let mut all = records(&told());
        let again = all
            .iter()
            .find(|record| record.line.delivery.as_deref() == Some("d-stored") && record.line.kind == Kind::Queued);
        let queued = again.unwrap().clone();
        let at = |after: i64| {
            let line = Line { millis: queued.line.millis + after, ..queued.line.clone() };
            Record { line, ..queued.clone() }
        };
        all.push(at(DROPPED - 1));
        assert_eq!(pushes("d-stored", &all)[0].outcome, Outcome::Stored);
        all.push(at(DROPPED));
        assert_eq!(pushes("d-stored", &all)[0].outcome, Outcome::UnderWay);
    }
}
