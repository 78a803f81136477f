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
    // Nor does this checkout's next build take the commit's crates for its own.
    assert_eq!(sources_of_cfn().matches("against").count(), 0);
}

/// The paths from which Cargo believes that this checkout's `cfn` was built.
fn sources_of_cfn() -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--workspace", "--bin", "infra", "--message-format", "json"]).current_dir(here);
    let told = String::from_utf8(cargo.output().unwrap().stdout).unwrap();
    let mut messages = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let cfn = messages.find(|message| message["target"]["name"] == "cfn").unwrap();
    let files = cfn["filenames"].as_array().unwrap().iter().map(|file| Path::new(file.as_str().unwrap()));
    let built = files.into_iter().find(|file| file.extension().is_some_and(|end| end == "rmeta")).unwrap();
    let hash = built.file_stem().unwrap().to_str().unwrap().rsplit_once('-').unwrap().1;
    let folder = built.ancestors().nth(2).unwrap().join(".fingerprint").join(format!("git2s3-cfn-{hash}"));
    String::from_utf8_lossy(&std::fs::read(folder.join("dep-lib-cfn")).unwrap()).into_owned()
}
