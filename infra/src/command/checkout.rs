//! What Git says of the sources that a page or a stack is made of.

use std::process::Command;

use infra::review::Checkout;

/// The commit, and how much differs from it; nothing where there is no Git, no repository or no
/// commit.
pub(crate) fn of_sources() -> Option<Checkout> {
    let commit = said(&["rev-parse", "--verify", "HEAD"])?.trim().to_owned();
    let changed = said(&["status", "--porcelain"])?.lines().count();
    Some(Checkout { commit, changed })
}

fn said(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}
