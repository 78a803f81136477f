//! The measurements of a run, and the median of several.

use anyhow::{Context, Result};
use serde::Deserialize;

/// The measurements of a run.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) struct Sample {
    /// The duration in seconds.
    pub(crate) wall: f64,
    /// The processor time in seconds.
    pub(crate) processor: f64,
    /// The peak memory, in bytes.
    pub(crate) memory: u64,
    /// The peak memory without mapped files, in bytes, if measured.
    #[serde(default)]
    pub(crate) own_memory: u64,
    /// The bytes that it created or received.
    #[serde(default)]
    pub(crate) bytes: u64,
    /// The round trips to the Git host, if counted.
    #[serde(default)]
    pub(crate) trips: u64,
}

/// The median of one of the numbers.
pub(crate) fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut sorted: Vec<f64> = samples.iter().map(of).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), middle.checked_sub(1).and_then(|before| sorted.get(before))) {
        (Some(upper), Some(lower)) if sorted.len().is_multiple_of(2) => f64::midpoint(*lower, *upper),
        (Some(middle), _) => *middle,
        (None, _) => 0.0,
    }
}

/// The samples of ours and of its rival.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    /// Ours.
    pub(crate) ours: Vec<Sample>,
    /// The rival's.
    pub(crate) rival: Vec<Sample>,
}

impl Pair {
    /// Runs both alternately, so that other load on the machine affects both. The first run of each
    /// doesn't count.
    pub(crate) async fn warm(
        case: &str,
        runs: usize,
        ours: impl AsyncFnMut() -> Result<Sample>,
        rival: impl AsyncFnMut() -> Result<Sample>,
    ) -> Result<Self> {
        let mut pair = Self::cold(case, runs + 1, ours, rival).await?;
        pair.ours.remove(0);
        pair.rival.remove(0);
        Ok(pair)
    }

    /// The same, but every run is a first one.
    pub(crate) async fn cold(
        case: &str,
        runs: usize,
        mut ours: impl AsyncFnMut() -> Result<Sample>,
        mut rival: impl AsyncFnMut() -> Result<Sample>,
    ) -> Result<Self> {
        let mut pair = Self::default();
        for run in 1..=runs {
            crate::progress::progress(&format!("{case}, {run} of {runs}"));
            pair.ours.push(ours().await.with_context(|| format!("{case}: ours"))?);
            pair.rival.push(rival().await.with_context(|| format!("{case}: the rival"))?);
        }
        Ok(pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_handles_odd_and_even_counts() {
        let check = |walls: &[f64], expected: f64| {
            let samples: Vec<_> = walls.iter().map(|wall| Sample { wall: *wall, ..Sample::default() }).collect();
            assert!((median(&samples, |sample| sample.wall) - expected).abs() < 1e-9, "{walls:?}");
        };
        check(&[3.0, 1.0, 2.0], 2.0);
        check(&[4.0, 1.0, 2.0, 3.0], 2.5);
        check(&[7.0], 7.0);
        check(&[], 0.0);
    }
}
