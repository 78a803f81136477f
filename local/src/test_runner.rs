//! Runs tests by name, like `just test`, and reads their results.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// A line of the runner's report.
#[derive(Deserialize)]
struct Reported {
    #[serde(rename = "type")]
    kind: String,
    event: String,
    name: Option<String>,
}

/// Runs the workspace's tests with these names and this `environment`. Returns whether each has
/// passed.
///
/// # Errors
/// The runner can't be started, or doesn't report one of them.
pub fn run(tests: &BTreeSet<&str>, environment: &[(&str, &str)]) -> Result<BTreeMap<String, bool>> {
    let filter: Vec<String> = tests.iter().map(|test| format!("test(={test})")).collect();
    let out = Command::new("cargo")
        .args(["nextest", "run", "--workspace", "--no-fail-fast", "--message-format", "libtest-json", "-E"])
        .arg(filter.join(" | "))
        .env("NEXTEST_EXPERIMENTAL_LIBTEST_JSON", "1")
        .envs(environment.iter().copied())
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo nextest: `just _programs` installs it")?;
    let text = String::from_utf8_lossy(&out.stdout);
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Reported>(line).ok());
    let ended = lines.filter(|line| line.kind == "test" && line.event != "started");
    let outcomes = ended.filter_map(|line| Some((line.name?.split_once('$')?.1.to_owned(), line.event == "ok")));
    let mut passed = BTreeMap::new();
    for (test, ok) in outcomes {
        // Two crates may have tests with the same name: then both must pass.
        *passed.entry(test).or_insert(true) &= ok;
    }
    let missing: Vec<_> = tests.iter().filter(|test| !passed.contains_key(**test)).collect();
    ensure!(missing.is_empty(), "the runner doesn't report {missing:?}");
    Ok(passed)
}
