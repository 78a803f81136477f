//! `infra diff --against` a commit compares with the template that the commit's own code makes.
#![expect(clippy::unwrap_used, reason = "what surprises a test fails it")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The uncommitted differences to the commit that is checked out.
fn against_head() -> Output {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut infra = Command::new(env!("CARGO_BIN_EXE_infra"));
    infra.args(["diff", "--against", "HEAD", "--fail-on", "never", "--json"]).current_dir(here).output().unwrap()
}

#[test]
fn a_commit_knows_its_template() {
    let told = against_head();
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    // Whatever is being changed, most of the stack is not.
    let entries = told["entries"].as_array().unwrap();
    assert!(entries.iter().filter(|entry| entry["action"] == "added").count() < 20, "{told:#}");
    // The build is cached from then on.
    let again = against_head();
    assert!(again.stderr.is_empty(), "{again:?}");
    assert_eq!(serde_json::from_slice::<Value>(&again.stdout).unwrap(), told);
}
