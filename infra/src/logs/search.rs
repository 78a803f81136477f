//! Searches the logs for lines about named things: deliveries, commits, repositories. In contrast
//! to [`super::Reader`], which follows everything, a search keeps the fields that only some lines
//! have.
//!
//! A pattern is made of characters that CloudWatch gives no meaning: a name with any other
//! character is searched by its beginning. What is found is more than what was asked for, and the
//! caller compares the fields themselves.

use std::time::SystemTime;

use aws_sdk_cloudwatchlogs::Client;
use deployment::account::Account;
use deployment::call_error::CallError;
use futures_util::future::try_join_all;
use serde_json::Value;

use super::events::{Groups, millis};
use super::line::{Of, request};
use super::{Kind, Line};

/// The maximum number of pages read from a log. A page may be empty: CloudWatch returns one after
/// it has looked at some of the log.
const PAGES: usize = 1_000;
/// The maximum number of lines read from a log.
const LINES: usize = 50_000;
/// The longest part of a name that is searched, in characters. CloudWatch accepts [patterns of
/// 1,024](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html).
const LONGEST: usize = 150;

/// A line with all its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The line.
    pub line: Line,
    /// Its fields; null if it isn't JSON.
    pub fields: Value,
}

impl Record {
    /// A text field.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields[name].as_str()
    }

    /// Lambda's ID of the run that logged the line.
    pub fn run(&self) -> Option<&str> {
        self.fields["span"]["requestId"].as_str()
    }

    /// The lines of a function's log event.
    pub(crate) fn read(function: &str, text: &str, millis: i64) -> Vec<Self> {
        let record = |text: &str| {
            let line = Line::read(Of::Function(function), text, millis)?;
            Some(Self { line, fields: serde_json::from_str(text).unwrap_or_default() })
        };
        text.lines().filter_map(record).collect()
    }

    /// An answer in the endpoint's log.
    pub(crate) fn answer(text: &str, millis: i64) -> Option<Self> {
        let fields: Value = serde_json::from_str(text).ok()?;
        Some(Self { line: request(&fields, millis)?, fields })
    }
}

/// A condition on a field of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    field: &'static str,
    text: String,
}

impl Condition {
    /// The field is this text.
    pub fn is(field: &'static str, text: &str) -> Self {
        Self { field, text: quoted(text) }
    }

    /// The field begins with this text.
    pub fn begins(field: &'static str, text: &str) -> Self {
        let text = quoted(text);
        Self { field, text: if text.ends_with('*') { text } else { format!("{text}*") } }
    }

    /// The field ends in this text.
    pub fn ends(field: &'static str, text: &str) -> Self {
        Self { field, text: format!("*{}", quoted(text)) }
    }
}

/// A text for a pattern, or its beginning and a star.
fn quoted(text: &str) -> String {
    let is_plain = |character: &char| character.is_ascii_alphanumeric() || "-_.:/@+~ ".contains(*character);
    let plain: String = text.chars().take(LONGEST).take_while(is_plain).collect();
    if plain.len() == text.len() { plain } else { format!("{plain}*") }
}

/// The [pattern](https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html)
/// of lines that fulfil one of the conditions.
fn pattern(conditions: &[Condition]) -> String {
    let one = |Condition { field, text }: &Condition| format!("($.{field} = \"{text}\")");
    format!("{{ {} }}", conditions.iter().map(one).collect::<Vec<_>>().join(" || "))
}

/// The functions that pushes pass. The others log the stack's own life.
fn is_on_the_way(function: &str) -> bool {
    !["ssh-key", "bucket-cleaner"].contains(&function)
}

/// A search in the logs of a stack since a time.
#[derive(Debug)]
pub struct Search {
    client: Client,
    groups: Groups,
    since: i64,
}

/// What was found, oldest first.
#[derive(Debug, Default)]
pub struct Found {
    /// The lines.
    pub records: Vec<Record>,
    /// Whether there are more.
    pub is_cut: bool,
}

impl Search {
    /// A search in these logs since `since`.
    pub fn new(account: &Account, groups: Groups, since: SystemTime) -> Self {
        Self { client: Client::new(&account.config), groups, since: millis(since) }
    }

    /// Lines of all functions on the way of a push that fulfil one of the conditions.
    ///
    /// # Errors
    /// AWS could not be asked, or refused.
    pub async fn functions(&self, conditions: &[Condition]) -> Result<Found, CallError> {
        let pattern = pattern(conditions);
        let functions = self.groups.functions().filter(|(name, _)| is_on_the_way(name));
        let all =
            functions.map(|(name, group)| self.found(group, &pattern, |text, millis| Record::read(name, text, millis)));
        let mut found = Found::default();
        for one in try_join_all(all).await? {
            found.is_cut |= one.is_cut;
            found.records.extend(one.records);
        }
        found.records.sort_by_key(|record| record.line.millis);
        Ok(found)
    }

    /// What Lambda says about the end of this run of a function.
    ///
    /// # Errors
    /// AWS could not be asked, or refused.
    pub async fn end_of_run(&self, function: &str, run: &str) -> Result<Vec<Record>, CallError> {
        let Some((_, group)) = self.groups.functions().find(|(name, _)| *name == function) else {
            return Ok(Vec::new());
        };
        let quoted = quoted(run);
        if quoted != run {
            return Ok(Vec::new());
        }
        let read = |text: &str, millis| Record::read(function, text, millis);
        let found = self.found(group, &format!("\"{quoted}\""), read).await?;
        let is_end = |record: &Record| record.line.kind == Kind::Died && record.line.request.as_deref() == Some(run);
        Ok(found.records.into_iter().filter(is_end).collect())
    }

    /// What the endpoint answered to these requests, by API Gateway's ID.
    ///
    /// # Errors
    /// AWS could not be asked, or refused.
    pub async fn answers(&self, requests: &[&str]) -> Result<Vec<Record>, CallError> {
        let Some(group) = self.groups.endpoint().filter(|_| !requests.is_empty()) else { return Ok(Vec::new()) };
        let conditions: Vec<_> = requests.iter().map(|id| Condition::is("requestId", id)).collect();
        let found = self.found(group, &pattern(&conditions), Record::answer).await?;
        let is_one = |record: &Record| record.text("requestId").is_some_and(|id| requests.contains(&id));
        Ok(found.records.into_iter().filter(is_one).collect())
    }

    /// Failures that the endpoint answered without a function.
    ///
    /// # Errors
    /// AWS could not be asked, or refused.
    pub async fn lost(&self) -> Result<Vec<Record>, CallError> {
        let Some(group) = self.groups.endpoint() else { return Ok(Vec::new()) };
        let conditions = [Condition::begins("status", "4"), Condition::begins("status", "5")];
        let found = self.found(group, &pattern(&conditions), Record::answer).await?;
        Ok(found.records.into_iter().filter(|record| record.line.kind == Kind::Answered).collect())
    }

    async fn found<I: IntoIterator<Item = Record>>(
        &self,
        group: &str,
        pattern: &str,
        read: impl Fn(&str, i64) -> I,
    ) -> Result<Found, CallError> {
        let request = self.client.filter_log_events().log_group_name(group).start_time(self.since);
        let mut pages = request.filter_pattern(pattern).into_paginator().send();
        let (mut records, mut count) = (Vec::new(), 0);
        while count < PAGES && records.len() < LINES {
            let Some(page) = pages.next().await else { return Ok(Found { records, is_cut: false }) };
            let page = page.map_err(|error| CallError::new(format!("search log {group}"), error))?;
            count += 1;
            for event in page.events.unwrap_or_default() {
                let (message, time) = (event.message.unwrap_or_default(), event.timestamp.unwrap_or_default());
                records.extend(read(&message, time));
            }
        }
        Ok(Found { records, is_cut: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusual_names_never_reach_pattern() {
        for (text, expected) in [
            ("72d3162e-ab12", "72d3162e-ab12"),
            ("github.com/acme/my repo", "github.com/acme/my repo"),
            ("a\" || ($.level = \"*", "a*"),
            ("{7f5e}", "*"),
            ("a*b", "a*"),
            ("a\\b", "a*"),
            ("größe", "gr*"),
            ("", ""),
        ] {
            assert_eq!(quoted(text), expected);
        }
        let long = "a".repeat(1_000);
        assert_eq!(quoted(&long).len(), LONGEST + 1);
        let five: Vec<_> = (0..5).map(|_| Condition::is("delivery", &"a".repeat(128))).collect();
        assert!(pattern(&five).len() <= 1_024);
    }

    #[test]
    fn pattern_joins_its_conditions() {
        let conditions = [
            Condition::is("delivery", "d-1"),
            Condition::begins("commit", "1a2b"),
            Condition::ends("repository", "/acme/rocket"),
        ];
        let expected = r#"{ ($.delivery = "d-1") || ($.commit = "1a2b*") || ($.repository = "*/acme/rocket") }"#;
        assert_eq!(pattern(&conditions), expected);
    }

    #[test]
    fn record_keeps_fields_and_run() {
        let text = r#"{"timestamp":"2026-11-30T03:37:31.920412Z","level":"INFO","message":"begun","job":"j1","delivery":"d1","receives":1,"span":{"requestId":"8f5e","name":"Lambda runtime invoke"}}"#;
        let records = Record::read("gitpull", text, 7);
        assert_eq!((records[0].text("job"), records[0].run()), (Some("j1"), Some("8f5e")));
        assert_eq!(Record::read("gitpull", "START RequestId: 8f5e Version: $LATEST", 7), []);
    }
}
