//! git2s3's promises and the tests that show them: `just prove` runs them and prints how much was
//! tried and how much failed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use deployment::render::table::{Align, Table};
use serde::Serialize;

use crate::{tally, test_runner};

mod list;

pub use list::PROMISES;

/// Something that people may rely on.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// The area.
    pub chapter: &'static str,
    /// The promise as a sentence.
    pub promise: &'static str,
    /// The tests that show it, by their names in the runner.
    pub tests: &'static [&'static str],
}

/// The result of a promise's tests.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// The area.
    pub chapter: &'static str,
    /// The promise.
    pub promise: &'static str,
    /// How many cases were tried.
    pub tried: usize,
    /// The tests that failed.
    pub failed: Vec<&'static str>,
    /// Measurements of the tests.
    pub measured: Vec<String>,
}

/// Runs the tests of all promises, the long ones completely if `long`. Tallies go to `folder`,
/// which must exist.
///
/// # Errors
/// The tests can't be run, or one of them doesn't exist.
pub fn prove(long: bool, folder: &Path) -> Result<Vec<Shown>> {
    let tests: BTreeSet<&str> = PROMISES.iter().flat_map(|promise| promise.tests).copied().collect();
    let path = folder.to_string_lossy();
    let mut environment = vec![(tally::FOLDER, &*path)];
    if long {
        environment.extend([(tally::LONG, "1"), ("NEXTEST_PROFILE", "long")]);
    }
    let passed = test_runner::run(&tests, &environment)?;
    Ok(PROMISES.iter().map(|promise| shown(promise, &passed, folder)).collect())
}

fn shown(promise: &Promise, passed: &BTreeMap<String, bool>, folder: &Path) -> Shown {
    let failed = promise.tests.iter().copied().filter(|test| passed.get(*test) != Some(&true));
    Shown {
        chapter: promise.chapter,
        promise: promise.promise,
        tried: promise.tests.iter().map(|test| tally::of(folder, test)).sum(),
        failed: failed.collect(),
        measured: promise.tests.iter().filter_map(|test| tally::note_of(folder, test)).collect(),
    }
}

/// The table, for people.
pub fn table(all: &[Shown]) -> String {
    let mut table = Table::new([
        ("about", Align::Left),
        ("promise", Align::Left),
        ("tried", Align::Right),
        ("failed", Align::Right),
    ]);
    for Shown { chapter, promise, tried, failed, .. } in all {
        table.row([(*chapter).to_owned(), (*promise).to_owned(), tried.to_string(), failed.len().to_string()]);
    }
    let measured = all.iter().flat_map(|shown| &shown.measured);
    measured.fold(table.render().to_string(), |text, measured| text + measured + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_counts_all_its_tests() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b-c"), "40").unwrap();
        let promise = Promise { chapter: "x", promise: "y", tests: &["a", "b::c"] };
        let passed = BTreeMap::from([("a".to_owned(), true), ("b::c".to_owned(), false)]);
        let shown = shown(&promise, &passed, folder.path());
        assert_eq!((shown.tried, shown.failed.as_slice()), (41, ["b::c"].as_slice()));
        assert!(table(&[shown]).lines().last().unwrap().ends_with("41       1"));
    }

    #[test]
    fn promises_are_unique_and_name_tests() {
        let names: BTreeSet<_> = PROMISES.iter().map(|promise| promise.promise).collect();
        assert_eq!(names.len(), PROMISES.len());
        assert!(PROMISES.iter().all(|promise| !promise.tests.is_empty()));
    }
}
