//! How an error looks: what failed, the chain of causes, and what to do about it.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use git2s3_infra::account::AccountError;
use git2s3_infra::call_error::CallError;
use git2s3_infra::package::{ManifestError, PackageError};

/// The command was called in a way that can't work; nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Usage {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Whether the caller, not the world, has to change something.
pub(crate) fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<Usage>())
}

/// The error in lines, styled.
pub(crate) fn render(error: &anyhow::Error) -> String {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let cyan = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
    let mut text = String::new();
    let mut told = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Some libraries repeat their source in their own message.
        if told.contains(&cause) {
            continue;
        }
        let label = if told.is_empty() { "error" } else { "  cause" };
        let _ = writeln!(text, "{red}{label}{red:#}: {cause}");
        told = cause;
    }
    if let Some(hint) = error.chain().find_map(hint) {
        let _ = writeln!(text, "{cyan}hint{cyan:#}: {hint}");
    }
    text
}

fn hint(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<Usage>() {
        return error.hint.clone();
    }
    if let Some(error) = cause.downcast_ref::<PackageError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<ManifestError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<AccountError>() {
        return error.hint();
    }
    cause.downcast_ref::<CallError>()?.hint()
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes_and_its_hint() {
        let usage = Usage { message: "no stack name".to_owned(), hint: Some("give one".to_owned()) };
        let error = anyhow::Error::from(usage).context("cannot deploy");
        assert!(is_usage(&error));
        insta::assert_snapshot!(anstream::adapter::strip_str(&render(&error)), @"");
    }

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let error = Err::<(), _>(std::io::Error::other("disk full")).context("cannot write x: disk full").unwrap_err();
        assert!(!is_usage(&error));
        assert_eq!(anstream::adapter::strip_str(&render(&error)).to_string(), "error: cannot write x: disk full\n");
    }
}
