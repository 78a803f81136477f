//! The promises to try, in this order, and the results.

use std::fmt;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use deployment::render::table::{Align, Table};

/// Something that the product promises and only AWS can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// A stack is created: of the last release if one was given, else of this one.
    Creation,
    /// The stack of the last release is updated to this one, and no push is lost meanwhile.
    Update,
    /// `/zipdl` with a public repository.
    Download,
    /// `/gitpull` with a repository that has the stack's key.
    Fetch,
    /// A body that fits in API Gateway's event for Lambda.
    LargeBody,
    /// A body that doesn't.
    TooLargeBody,
    /// A job that is given up.
    Alarm,
    /// An update that moves the workers into a VPC.
    VpcOn,
    /// An update that takes them out again.
    VpcOff,
    /// A certificate, a domain, and a webhook through it.
    Domain,
    /// The deletion of the stack during a job.
    Deletion,
    /// The same again.
    SecondDeletion,
    /// The account has nothing left afterwards.
    NothingLeft,
}

impl Promise {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 13] = [
        Self::Creation,
        Self::Update,
        Self::Download,
        Self::Fetch,
        Self::LargeBody,
        Self::TooLargeBody,
        Self::Alarm,
        Self::VpcOn,
        Self::VpcOff,
        Self::Domain,
        Self::Deletion,
        Self::SecondDeletion,
        Self::NothingLeft,
    ];
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creation => "a stack is created",
            Self::Update => "an update from the last release loses no push",
            Self::Download => "a push becomes a zip that is downloaded",
            Self::Fetch => "a push becomes a zip that is fetched over SSH",
            Self::LargeBody => "a webhook of 4.6 MB is accepted",
            Self::TooLargeBody => "a webhook of 4.8 MB is refused",
            Self::Alarm => "a job that fails for good raises its alarm",
            Self::VpcOn => "the workers move into a VPC, and work there",
            Self::VpcOff => "the workers leave the VPC, and work still",
            Self::Domain => "the endpoint answers under a domain of its own",
            Self::Deletion => "the stack is deleted while a download runs",
            Self::SecondDeletion => "a second deletion finds nothing left to do",
            Self::NothingLeft => "nothing is left in the account",
        })
    }
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The promise was kept.
    Pass,
    /// The promise was broken.
    Fail,
    /// It was not tried.
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        })
    }
}

/// One line of the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// What was tried.
    pub promise: Promise,
    /// How it went.
    pub result: Verdict,
    /// The observation, or why it failed or was skipped.
    pub reason: String,
    /// How long it took.
    pub seconds: f64,
}

impl Row {
    /// The result of a step.
    pub(super) fn new<E: std::error::Error + 'static>(
        promise: Promise,
        outcome: Result<Seen, E>,
        took: Duration,
    ) -> Self {
        let (result, reason) = match outcome {
            Ok(Seen::Pass(what)) => (Verdict::Pass, what),
            Ok(Seen::Skipped(why)) => (Verdict::Skipped, why.to_owned()),
            Err(error) => (Verdict::Fail, contract::error_chain(&error)),
        };
        Self { promise, result, reason, seconds: (took.as_secs_f64() * 10.0).round() / 10.0 }
    }
}

/// The result of a step that did not fail.
#[derive(Debug)]
pub(super) enum Seen {
    /// The promise was kept, with this observation.
    Pass(String),
    /// Skipped, for this reason.
    Skipped(&'static str),
}

/// The rows as a table.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new([
        ("Promise", Align::Left),
        ("Result", Align::Left),
        ("Seconds", Align::Right),
        ("What was seen", Align::Left),
    ]);
    for row in rows {
        let color = match row.result {
            Verdict::Pass => AnsiColor::Green,
            Verdict::Fail => AnsiColor::Red,
            Verdict::Skipped => AnsiColor::Yellow,
        };
        table.styled(
            Style::new().fg_color(Some(color.into())),
            [row.promise.to_string(), row.result.to_string(), format!("{:.1}", row.seconds), row.reason.clone()],
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_shows_each_promise_result() {
        let row =
            |outcome: Result<Seen, std::io::Error>| Row::new(Promise::Alarm, outcome, Duration::from_millis(1_260));
        let rows = [
            row(Ok(Seen::Pass("it rang".to_owned()))),
            row(Ok(Seen::Skipped("nobody asked"))),
            row(Err(std::io::Error::other("silence"))),
        ];
        insta::assert_snapshot!(table(&rows).render().plain(), @"
        Promise                                     Result   Seconds  What was seen
        a job that fails for good raises its alarm  pass         1.3  it rang
        a job that fails for good raises its alarm  skipped      1.3  nobody asked
        a job that fails for good raises its alarm  fail         1.3  silence
        ");
    }
}
