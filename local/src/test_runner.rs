//! Runs tests by their names, as `just test` does, and reads what became of each.

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

/// Runs the tests of the workspace that have these names, with `environment`; whether each has
/// passed.
///
/// # Errors
/// When the runner can't be started, or says nothing of one of them.
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
        // Two crates may have tests of one name: then both have to pass.
        *passed.entry(test).or_insert(true) &= ok;
    }
    let missing: Vec<_> = tests.iter().filter(|test| !passed.contains_key(**test)).collect();
    ensure!(missing.is_empty(), "the runner knows nothing of {missing:?}");
    Ok(passed)
}
