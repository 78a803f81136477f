//! A line of the table: what was measured, beside its rival, and what it should be.

use serde::Serialize;

use crate::sample::{Pair, Sample, median};

/// What a row's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Bytes.
    #[serde(rename = "B")]
    Bytes,
    /// Dollars of the United States.
    #[serde(rename = "USD")]
    Dollars,
}

/// What a goal is set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Measure {
    /// Ours divided by the rival's.
    Ratio,
    /// Ours, in the row's unit.
    Ours,
}

/// A line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) case: String,
    /// Ours.
    pub(crate) ours: f64,
    /// The rival's.
    pub(crate) rival: Option<f64>,
    /// What both are.
    pub(crate) unit: Unit,
    /// Ours divided by the rival's.
    pub(crate) ratio: Option<f64>,
    /// The most that is wanted.
    pub(crate) goal: Option<f64>,
    /// Of what.
    pub(crate) measure: Measure,
    /// How many bytes ours made or received.
    pub(crate) bytes: Option<u64>,
    /// The most memory that ours had at once, in bytes.
    pub(crate) memory: Option<u64>,
    /// How many runs the medians are of; none where it is calculated.
    pub(crate) runs: usize,
}

impl Row {
    /// A row of two numbers.
    pub(crate) fn new(case: &str, unit: Unit, ours: f64, rival: Option<f64>) -> Self {
        let ratio = rival.filter(|rival| *rival > 0.0).map(|rival| ours / rival);
        let (goal, measure) = (None, Measure::Ratio);
        Self { case: case.to_owned(), ours, rival, unit, ratio, goal, measure, bytes: None, memory: None, runs: 0 }
    }

    /// The medians of what all runs took by one number of each.
    pub(crate) fn of(case: &str, unit: Unit, pair: &Pair, number: impl Fn(&Sample) -> f64) -> Self {
        let rival = (!pair.rival.is_empty()).then(|| median(&pair.rival, &number));
        let mut row = Self::new(case, unit, median(&pair.ours, &number), rival);
        row.runs = pair.ours.len();
        row.bytes = pair.ours.iter().map(|sample| sample.bytes).max().filter(|bytes| *bytes > 0);
        row.memory = pair.ours.iter().map(|sample| sample.memory).max().filter(|memory| *memory > 0);
        row
    }

    /// The medians of the time from start to end.
    pub(crate) fn wall(case: &str, pair: &Pair) -> Self {
        Self::of(case, Unit::Seconds, pair, |sample| sample.wall)
    }

    /// With the most that is wanted of the ratio.
    pub(crate) fn goal(mut self, ratio: f64) -> Self {
        (self.goal, self.measure) = (Some(ratio), Measure::Ratio);
        self
    }

    /// With the most that is wanted of ours.
    pub(crate) fn at_most(mut self, ours: f64) -> Self {
        (self.goal, self.measure) = (Some(ours), Measure::Ours);
        self
    }
}
