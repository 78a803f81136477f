//! Checks that `PyYAML`, which reads YAML 1.1 like CloudFormation, reads the template's YAML as the
//! same data as its JSON.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What `PyYAML` reads, as JSON. A date or another YAML-only type fails.
const READ: &str = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";

#[test]
fn yaml_1_1_output_equals_json() {
    let template = deployment::stack::template(None).unwrap();
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/py/bin/python3");
    let mut child = Command::new(&python)
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}: run .ci/tools", python.display()));
    child.stdin.take().unwrap().write_all(template.to_yaml().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read, *template.value());
}
