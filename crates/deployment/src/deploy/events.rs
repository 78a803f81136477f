//! Follows a stack's events: in order, until the stack's own last one, and remembers the failure
//! that caused the others. CloudFormation lists newest first, so the cancelled resources come
//! before that failure.

use std::collections::{BTreeSet, HashMap, HashSet};

use anstyle::{AnsiColor, Style};
use aws_sdk_cloudformation::primitives::{DateTime, DateTimeFormat};
use aws_sdk_cloudformation::types::StackEvent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::pace::Pace;
use super::validation::{self, Subject};
use crate::account::Account;
use crate::call_error::CallError;
use crate::render::progress::Progress;
use crate::render::shown::Shown;

/// An event of a stack, as CloudFormation reported it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Its unique ID.
    pub id: String,
    /// When, in UTC.
    pub time: String,
    /// The resource's logical ID in the template, or the stack's name.
    pub logical_id: String,
    /// The resource's type.
    pub resource_type: String,
    /// Its status.
    pub status: String,
    /// A more detailed status, if there is one: `CONFIGURATION_COMPLETE` of a resource that others
    /// may use already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The reason, if CloudFormation gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// All events of a stack, oldest first. A deleted stack is found by its ARN.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn history(account: &Account, stack_id: &str) -> Result<Vec<Event>, CallError> {
    let mut pages = account.cloudformation.describe_stack_events().stack_name(stack_id).into_paginator().send();
    let mut events = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| CallError::new(format!("read the events of {stack_id}"), error))?;
        events.extend(page.stack_events.unwrap_or_default().into_iter().map(|event| Event {
            time: event.timestamp.and_then(|time| time.fmt(DateTimeFormat::DateTime).ok()).unwrap_or_default(),
            reason: reason(&event).map(str::to_owned),
            id: event.event_id.unwrap_or_default(),
            logical_id: event.logical_resource_id.unwrap_or_default(),
            resource_type: event.resource_type.unwrap_or_default(),
            status: event.resource_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            detail: event.detailed_status.map(|detail| detail.as_str().to_owned()),
        }));
    }
    events.reverse();
    Ok(events)
}

/// How an operation on a stack ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// The stack's status.
    pub(super) status: String,
    /// What failed first, or else the stack's own status reason.
    pub(super) failure: Failure,
}

/// The events of one operation on one stack.
#[derive(Debug)]
pub(super) struct Story {
    stack_id: String,
    token: String,
    seen: HashSet<String>,
    last_status: HashMap<String, String>,
    /// The resources in progress.
    busy: BTreeSet<String>,
    begun: Option<DateTime>,
    failure: Option<Failure>,
    own_failure: Option<Failure>,
    end: Option<End>,
}

impl Story {
    /// The events of the operation with the client request token `token`.
    pub(super) fn new(stack_id: &str, token: &str) -> Self {
        Self {
            stack_id: stack_id.to_owned(),
            token: token.to_owned(),
            seen: HashSet::new(),
            last_status: HashMap::new(),
            busy: BTreeSet::new(),
            begun: None,
            failure: None,
            own_failure: None,
            end: None,
        }
    }

    /// Reports the events until the stack's own last one.
    pub(super) async fn follow(mut self, account: &Account, progress: &mut dyn Progress) -> Result<End, CallError> {
        let mut pace = Pace::default();
        loop {
            let lines = self.fold(self.news(account).await?);
            if !lines.is_empty() {
                pace.hasten();
            }
            for line in lines {
                progress.show(&line);
            }
            if let Some(end) = self.end.take() {
                return Ok(self.explain(account, end).await);
            }
            progress.waiting(&self.waiting_for());
            pace.pause().await;
        }
    }

    fn waiting_for(&self) -> String {
        let mut names: Vec<&str> = self.busy.iter().map(String::as_str).take(3).collect();
        let more = self.busy.len() - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        if names.is_empty() {
            names.push("CloudFormation");
        }
        format!("waiting for {}{more}", names.join(", "))
    }

    /// A resource's failure is more specific than the stack's.
    async fn explain(self, account: &Account, end: End) -> End {
        let failure = match self.failure {
            None if is_trouble(&end.status) => validation::first_error(account, Subject::Stack(&self.stack_id)).await,
            failure => failure,
        };
        End { failure: failure.unwrap_or(end.failure), ..end }
    }

    /// The events not yet seen, newest first.
    async fn news(&self, account: &Account) -> Result<Vec<StackEvent>, CallError> {
        let mut pages =
            account.cloudformation.describe_stack_events().stack_name(&self.stack_id).into_paginator().send();
        let mut news = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::new(format!("read the events of {}", self.stack_id), error))?;
            for event in page.stack_events.unwrap_or_default() {
                if event.client_request_token() != Some(&self.token) || self.knows(&event) {
                    return Ok(news);
                }
                news.push(event);
            }
        }
        Ok(news)
    }

    fn knows(&self, event: &StackEvent) -> bool {
        event.event_id().is_some_and(|id| self.seen.contains(id))
    }

    /// Takes events, newest first, and returns the lines to show, oldest first.
    fn fold(&mut self, news: Vec<StackEvent>) -> Vec<Shown> {
        news.into_iter().rev().filter_map(|event| self.take(&event)).collect()
    }

    fn take(&mut self, event: &StackEvent) -> Option<Shown> {
        if !self.seen.insert(event.event_id().unwrap_or_default().to_owned()) {
            return None;
        }
        let status = event.resource_status().map(|status| status.as_str().to_owned()).unwrap_or_default();
        let logical_id = event.logical_resource_id().unwrap_or_default().to_owned();
        let failure = Failure {
            logical_id: logical_id.clone(),
            resource_type: event.resource_type().unwrap_or_default().to_owned(),
            reason: reason(event).unwrap_or("no reason given").to_owned(),
        };
        let line = self.line(event, &status);
        if event.physical_resource_id() == Some(&self.stack_id) {
            if is_last(&status) {
                self.end = Some(End { status: status.clone(), failure: self.own_failure.take().unwrap_or(failure) });
            } else if is_trouble(&status) && self.own_failure.is_none() {
                self.own_failure = Some(failure);
            }
        } else {
            if status.ends_with("_IN_PROGRESS") {
                self.busy.insert(logical_id.clone());
            } else {
                self.busy.remove(&logical_id);
            }
            if status.ends_with("_FAILED") && self.failure.is_none() && !is_cancelled(&failure.reason) {
                self.failure = Some(failure);
            }
        }
        // A resource is reported twice as in progress: before it has an ID, and after.
        let before = self.last_status.insert(logical_id, status.clone());
        (before.as_ref() != Some(&status)).then_some(line)
    }

    fn line(&mut self, event: &StackEvent, status: &str) -> Shown {
        let time = event.timestamp().copied();
        let begun = *self.begun.get_or_insert(time.unwrap_or(DateTime::from_secs(0)));
        let seconds = time.map_or(0.0, |time| time.as_secs_f64() - begun.as_secs_f64());
        let style = if status.ends_with("_FAILED") {
            Style::new().fg_color(Some(AnsiColor::Red.into()))
        } else if status.ends_with("_COMPLETE") {
            Style::new().fg_color(Some(AnsiColor::Green.into()))
        } else {
            Style::new()
        };
        let logical_id = event.logical_resource_id().unwrap_or_default();
        let kind = event.resource_type().unwrap_or_default();
        let is_told = |reason: &&str| is_trouble(status) || reason.starts_with(DNS_RECORD);
        let reason = reason(event).filter(is_told).map(|reason| format!("  {reason}")).unwrap_or_default();
        let mut line = Shown::text(&format!("{seconds:>7.1} s  "));
        line.add_styled(style, &format!("{status:<20}"));
        line.add(&format!(" {logical_id:<28}  {kind}{reason}"));
        line
    }
}

/// The beginning of a certificate's event that names the DNS record that ACM waits for.
const DNS_RECORD: &str = "Content of DNS Record is";

/// Whether a stack's status is its last of an operation. `CREATE_FAILED` and `UPDATE_FAILED` are
/// not: since rollback is never disabled here, it follows them.
fn is_last(status: &str) -> bool {
    status.ends_with("_COMPLETE") || ["ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"].contains(&status)
}

fn is_trouble(status: &str) -> bool {
    status.ends_with("_FAILED") || status.contains("ROLLBACK")
}

fn reason(event: &StackEvent) -> Option<&str> {
    event.resource_status_reason().filter(|reason| !reason.is_empty())
}

/// Whether a resource failed only because another one did.
pub(super) fn is_cancelled(reason: &str) -> bool {
    reason.starts_with("Resource ") && reason.ends_with(" cancelled")
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::ResourceStatus;

    use super::*;

    const STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/git2s3/1";

    struct Events(Vec<StackEvent>);

    impl Events {
        fn add(mut self, logical_id: &str, status: &str, reason: Option<&str>) -> Self {
            let (physical_id, kind) = match logical_id {
                "git2s3" => (STACK, "AWS::CloudFormation::Stack"),
                _ => ("physical", "AWS::SQS::Queue"),
            };
            let number = i64::try_from(self.0.len()).unwrap();
            let event = StackEvent::builder()
                .event_id(number.to_string())
                .logical_resource_id(logical_id)
                .physical_resource_id(physical_id)
                .resource_type(kind)
                .resource_status(ResourceStatus::from(status))
                .set_resource_status_reason(reason.map(str::to_owned))
                .timestamp(DateTime::from_millis(1_700_000_000_000 + number * 700))
                .build();
            self.0.push(event);
            self
        }

        /// In CloudFormation's order.
        fn newest_first(&self) -> Vec<StackEvent> {
            self.0.iter().rev().cloned().collect()
        }
    }

    fn rollback() -> Events {
        Events(Vec::new())
            .add("git2s3", "CREATE_IN_PROGRESS", Some("User Initiated"))
            .add("Jobs", "CREATE_IN_PROGRESS", None)
            .add("Jobs", "CREATE_IN_PROGRESS", Some("Resource creation Initiated"))
            .add("Dead", "CREATE_IN_PROGRESS", None)
            .add("Other", "CREATE_FAILED", Some("Resource creation cancelled"))
            .add("Jobs", "CREATE_FAILED", Some("Queue name is taken"))
            .add("Dead", "CREATE_FAILED", Some("later and less interesting"))
            .add("git2s3", "ROLLBACK_IN_PROGRESS", Some("The following resource(s) failed to create: [Jobs, Dead]."))
            .add("Jobs", "DELETE_COMPLETE", None)
            .add("git2s3", "ROLLBACK_COMPLETE", None)
    }

    #[test]
    fn first_uncancelled_failure_is_kept() {
        let mut story = Story::new(STACK, "token");
        let lines = story.fold(rollback().newest_first());
        assert_eq!(story.end.unwrap().status, "ROLLBACK_COMPLETE");
        assert_eq!(story.failure.unwrap().to_string(), "Jobs (AWS::SQS::Queue) failed: Queue name is taken");
        let lines: Vec<_> = lines.iter().map(Shown::plain).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        0.0 s  CREATE_IN_PROGRESS   git2s3                        AWS::CloudFormation::Stack
        0.7 s  CREATE_IN_PROGRESS   Jobs                          AWS::SQS::Queue
        2.1 s  CREATE_IN_PROGRESS   Dead                          AWS::SQS::Queue
        2.8 s  CREATE_FAILED        Other                         AWS::SQS::Queue  Resource creation cancelled
        3.5 s  CREATE_FAILED        Jobs                          AWS::SQS::Queue  Queue name is taken
        4.2 s  CREATE_FAILED        Dead                          AWS::SQS::Queue  later and less interesting
        4.9 s  ROLLBACK_IN_PROGRESS git2s3                        AWS::CloudFormation::Stack  The following resource(s) failed to create: [Jobs, Dead].
        5.6 s  DELETE_COMPLETE      Jobs                          AWS::SQS::Queue
        6.3 s  ROLLBACK_COMPLETE    git2s3                        AWS::CloudFormation::Stack
        ");
    }

    #[test]
    fn a_reason_stays_on_its_line() {
        let events =
            Events(Vec::new()).add("Jobs", "CREATE_FAILED", Some("no\r\n  0.0 s  CREATE_COMPLETE\u{1b}[2K\u{202e}"));
        let [line] = &Story::new(STACK, "token").fold(events.newest_first())[..] else { panic!("one line") };
        assert!(line.plain().ends_with(r"  no\r\n  0.0 s  CREATE_COMPLETE\u{1b}[2K\u{202e}"), "{line}");
    }

    #[test]
    fn pages_that_overlap_tell_nothing_twice() {
        let events = rollback();
        let mut at_once = Story::new(STACK, "token");
        let whole = at_once.fold(events.newest_first());
        let mut piecewise = Story::new(STACK, "token");
        let mut pieces = Vec::new();
        for seen in 1..=events.0.len() {
            pieces.extend(piecewise.fold(events.newest_first().split_off(events.0.len() - seen)));
        }
        assert_eq!(pieces, whole);
        assert_eq!((piecewise.end, piecewise.failure), (at_once.end, at_once.failure));
    }

    #[test]
    fn resources_in_progress_are_named() {
        let started = ["git2s3", "E", "D", "C", "B", "A"];
        let events =
            started.into_iter().fold(Events(Vec::new()), |events, id| events.add(id, "CREATE_IN_PROGRESS", None));
        let mut story = Story::new(STACK, "token");
        assert_eq!(story.waiting_for(), "waiting for CloudFormation");
        story.fold(events.newest_first());
        assert_eq!(story.waiting_for(), "waiting for A, B, C and 2 more");
        let done = events.add("B", "CREATE_COMPLETE", None).add("A", "CREATE_COMPLETE", None);
        story.fold(done.newest_first());
        assert_eq!(story.waiting_for(), "waiting for C, D, E");
    }

    #[test]
    fn stack_gives_reason_without_failed_resource() {
        let events = Events(Vec::new())
            .add("git2s3", "CREATE_IN_PROGRESS", None)
            .add("git2s3", "CREATE_FAILED", Some("Quota exceeded"))
            .add("git2s3", "ROLLBACK_IN_PROGRESS", Some("Something failed"))
            .add("git2s3", "ROLLBACK_COMPLETE", Some(""));
        let mut story = Story::new(STACK, "token");
        story.fold(events.newest_first().split_off(2));
        assert_eq!(story.end, None);
        story.fold(events.newest_first());
        let end = story.end.unwrap();
        assert_eq!((end.status.as_str(), end.failure.reason.as_str()), ("ROLLBACK_COMPLETE", "Quota exceeded"));
        assert_eq!(story.failure, None);
    }

    #[test]
    fn cleanup_event_does_not_end_story() {
        let mut story = Story::new(STACK, "token");
        story.fold(Events(Vec::new()).add("git2s3", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None).newest_first());
        assert_eq!(story.end, None);
    }
}
