//! The record of a run as a file: every event and status, every answer and how long it took, and
//! nothing that identifies the account. Tests replay such files, so the format has a schema:
//! `infra schema acceptance`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_sdk_cloudformation::primitives::{DateTime, DateTimeFormat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::promises::{Row, Verdict};
use super::scrub::Scrub;
use deployment::deploy::Event;

/// The number of the format. It changes when an older reader would misunderstand.
pub const VERSION: u32 = 1;

/// One run of `infra acceptance`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The number of the format.
    pub version: u32,
    /// The release that was tried.
    pub product: String,
    /// The region.
    pub region: String,
    /// Whether it was AWS and not an emulator.
    pub is_aws: bool,
    /// When it began, in UTC.
    pub begun: String,
    /// When it ended, in UTC.
    pub ended: String,
    /// The promises and their results.
    pub rows: Vec<Row>,
    /// The operations on the stack, in order.
    pub operations: Vec<Operation>,
    /// What the endpoint answered, in order.
    pub answers: Vec<Answer>,
    /// Other observations, in order: of queues, alarms and objects.
    pub sightings: Vec<Sighting>,
}

/// The kind of an operation on a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Creation.
    Create,
    /// Update.
    Update,
    /// Deletion.
    Delete,
}

/// An operation on the stack, from the first event to the last; a deletion with all of its tries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Its kind.
    pub kind: Kind,
    /// Its purpose.
    pub what: String,
    /// The stack's status afterwards.
    pub status: String,
    /// How long it took.
    pub seconds: f64,
    /// What each resource of the template depends on, by the values that its parameters had.
    pub dependencies: BTreeMap<String, BTreeSet<String>>,
    /// The stack's events, oldest first.
    pub events: Vec<Event>,
}

/// What the endpoint answered to a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// When, in UTC.
    pub time: String,
    /// The path that it went to, `/zipdl` for example.
    pub path: String,
    /// How many bytes it had.
    pub bytes: usize,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The beginning of the answer, or why there was none.
    pub body: String,
    /// How long it took.
    pub milliseconds: u64,
}

/// An observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    /// When, in UTC.
    pub time: String,
    /// What.
    pub what: String,
}

/// The file can't be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct RecordError {
    path: PathBuf,
    source: io::Error,
}

impl Record {
    /// Whether nothing failed.
    pub fn passes(&self) -> bool {
        self.rows.iter().all(|row| row.result != Verdict::Fail)
    }

    /// The record without secrets and account data.
    pub(super) fn scrubbed(&self, scrub: &Scrub) -> serde_json::Result<Self> {
        let mut value = serde_json::to_value(self)?;
        scrub.value(&mut value);
        serde_json::from_value(value)
    }

    /// Writes the record to a file.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from);
        let written = text.and_then(|text| std::fs::write(path, text + "\n"));
        written.map_err(|source| RecordError { path: path.to_owned(), source })
    }
}

/// The time in UTC, as events have it.
pub(super) fn now() -> String {
    DateTime::from(SystemTime::now()).fmt(DateTimeFormat::DateTime).unwrap_or_default()
}
