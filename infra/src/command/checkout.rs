//! The Git commit of the sources of a page or a stack.

use std::process::Command;

use infra::review::Checkout;

/// The commit, and how many files differ from it; `None` without Git, a repository or a commit.
pub(crate) fn of_sources() -> Option<Checkout> {
    let commit = said(&["rev-parse", "--verify", "HEAD"])?.trim().to_owned();
    let changed = said(&["status", "--porcelain"])?.lines().count();
    Some(Checkout { commit, changed })
}

fn said(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}
