//! A row of the table: a measurement, compared with its rival and its goal.

use serde::Serialize;

use crate::sample::{Pair, Sample, median};

/// The unit of a row's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Bytes.
    #[serde(rename = "B")]
    Bytes,
    /// How many.
    #[serde(rename = "1")]
    Count,
    /// US dollars.
    #[serde(rename = "USD")]
    Dollars,
}

/// What a goal applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Measure {
    /// Our result divided by the rival's.
    Ratio,
    /// Our result, in the row's unit.
    Ours,
}

/// A row of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) case: String,
    /// Our result.
    pub(crate) ours: f64,
    /// The rival's result.
    pub(crate) rival: Option<f64>,
    /// The unit of both.
    pub(crate) unit: Unit,
    /// Our result divided by the rival's.
    pub(crate) ratio: Option<f64>,
    /// The goal: the largest acceptable value.
    pub(crate) goal: Option<f64>,
    /// What the goal applies to.
    pub(crate) measure: Measure,
    /// How many bytes ours created or received.
    pub(crate) bytes: Option<u64>,
    /// The peak memory of ours, in bytes.
    pub(crate) memory: Option<u64>,
    /// The number of runs of the medians. Zero if it is calculated.
    pub(crate) runs: usize,
}

impl Row {
    /// A row of two numbers.
    pub(crate) fn new(case: &str, unit: Unit, ours: f64, rival: Option<f64>) -> Self {
        let ratio = rival.filter(|rival| *rival > 0.0).map(|rival| ours / rival);
        let (goal, measure) = (None, Measure::Ratio);
        Self { case: case.to_owned(), ours, rival, unit, ratio, goal, measure, bytes: None, memory: None, runs: 0 }
    }

    /// The medians of one number of all runs.
    pub(crate) fn of(case: &str, unit: Unit, pair: &Pair, number: impl Fn(&Sample) -> f64) -> Self {
        let rival = (!pair.rival.is_empty()).then(|| median(&pair.rival, &number));
        let mut row = Self::new(case, unit, median(&pair.ours, &number), rival);
        row.runs = pair.ours.len();
        row.bytes = pair.ours.iter().map(|sample| sample.bytes).max().filter(|bytes| *bytes > 0);
        row.memory = pair.ours.iter().map(|sample| sample.memory).max().filter(|memory| *memory > 0);
        row
    }

    /// The medians of the duration.
    pub(crate) fn wall(case: &str, pair: &Pair) -> Self {
        Self::of(case, Unit::Seconds, pair, |sample| sample.wall)
    }

    /// Sets the goal for the ratio.
    pub(crate) fn goal(mut self, ratio: f64) -> Self {
        (self.goal, self.measure) = (Some(ratio), Measure::Ratio);
        self
    }

    /// Sets the goal for our result.
    pub(crate) fn at_most(mut self, ours: f64) -> Self {
        (self.goal, self.measure) = (Some(ours), Measure::Ours);
        self
    }
}
