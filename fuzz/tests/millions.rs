//! `just prove --long`: ten million inputs with libFuzzer, divided among the targets.
#![cfg(test)]

use std::{path::Path, process::Command};

use fuzz::TARGETS;
use local::tally;

/// The promised total.
const EXECUTIONS: usize = 10_000_000;

/// Runs only if there is time: the other tests replay the same targets.
#[test]
fn ten_million_hostile_inputs() {
    if !tally::is_long() {
        tally::tried(0);
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let runs = EXECUTIONS.div_ceil(TARGETS.len()).to_string();
    let out = Command::new(root.join(".ci/fuzz")).arg(runs).output().unwrap();
    let (told, log) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{told}{log}");
    let counts =
        told.lines().filter_map(|line| line.split_once(": ")?.1.split_once(" executions")?.0.parse::<usize>().ok());
    let counts: Vec<_> = counts.collect();
    assert_eq!(counts.len(), TARGETS.len(), "{told}");
    let executed = counts.iter().sum();
    tally::tried(executed);
    assert!(executed >= EXECUTIONS, "{told}");
}
