//! `infra diff` as CI runs it: its inputs and its exit codes.
#![expect(clippy::unwrap_used, reason = "what surprises a test fails it")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

fn infra_diff(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_infra")).arg("diff").args(arguments).current_dir(directory).output().unwrap()
}

/// The exit code of a comparison under each `--fail-on`.
fn codes(directory: &Path, old: &str, new: &str) -> [Option<i32>; 4] {
    ["any", "replaced", "broadened", "never"].map(|fail_on| {
        infra_diff(directory, &["--against", old, "--template", new, "--fail-on", fail_on]).status.code()
    })
}

#[test]
fn fail_on_sets_diff_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, template: &Value| fs::write(directory.path().join(name), template.to_string()).unwrap();
    let original = deployment::stack::template(None).unwrap().into_value();
    write("original", &original);

    let mut larger = original.clone();
    larger["Resources"]["WebhookFunction"]["Properties"]["MemorySize"] = json!(512);
    write("larger", &larger);
    let mut renamed = original.clone();
    renamed["Resources"]["OutputBucket"]["Properties"]["BucketName"] = json!("other");
    write("renamed", &renamed);
    let mut broader = original.clone();
    broader["Resources"]["GitPullRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]["Resource"] =
        json!(["*"]);
    write("broader", &broader);

    let [fine, found] = [Some(0), Some(1)];
    assert_eq!(codes(directory.path(), "original", "original"), [fine; 4]);
    assert_eq!(codes(directory.path(), "original", "larger"), [found, fine, fine, fine]);
    assert_eq!(codes(directory.path(), "original", "renamed"), [found, found, fine, fine]);
    assert_eq!(codes(directory.path(), "original", "broader"), [found, fine, found, fine]);
    assert_eq!(codes(directory.path(), "broader", "original"), [found, fine, fine, fine]);

    let told = infra_diff(directory.path(), &["--against", "original", "--template", "broader", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["permissions"][0]["who"], "GitPullRole");
    assert_eq!(infra_diff(directory.path(), &["--against", "original"]).status.code(), Some(0));
}

#[test]
fn unknown_commit_is_a_usage_error() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for wrong in ["no-such-commit", "--output=x", "HEAD:README.md"] {
        let output = infra_diff(&here, &[&format!("--against={wrong}")]);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {output:?}");
    }
}
