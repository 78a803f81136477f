//! How an error looks: what failed, the chain of causes, and what to do about it.

use std::error::Error;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use git2s3_infra::account::AccountError;
use git2s3_infra::call_error::CallError;
use git2s3_infra::configuration::ConfigurationError;
use git2s3_infra::deploy::{AssetsError, DeployError, ParameterError};
use git2s3_infra::package::{ManifestError, PackageError};

use crate::command::deploy::Interrupted;

/// The command was called in a way that can't work; nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Usage {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Whether the caller, not the world, has to change something.
pub(crate) fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<Usage>() || cause.is::<ParameterError>() || cause.is::<ConfigurationError>())
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

/// What one cause knows to do about itself.
fn hint(cause: &(dyn Error + 'static)) -> Option<String> {
    fn of<E: Error + 'static>(cause: &(dyn Error + 'static), hint: impl Fn(&E) -> Option<String>) -> Option<String> {
        cause.downcast_ref::<E>().and_then(hint)
    }
    of(cause, |usage: &Usage| usage.hint.clone())
        .or_else(|| of(cause, |interrupted: &Interrupted| Some(interrupted.hint())))
        .or_else(|| of(cause, PackageError::hint))
        .or_else(|| of(cause, ManifestError::hint))
        .or_else(|| of(cause, AccountError::hint))
        .or_else(|| of(cause, ConfigurationError::hint))
        .or_else(|| of(cause, ParameterError::hint))
        .or_else(|| of(cause, AssetsError::hint))
        .or_else(|| of(cause, DeployError::hint))
        .or_else(|| of(cause, CallError::hint))
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
        insta::assert_snapshot!(anstream::adapter::strip_str(&render(&error)), @"
        error: cannot deploy
          cause: no stack name
        hint: give one
        ");
    }

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let error = Err::<(), _>(std::io::Error::other("disk full")).context("cannot write x: disk full").unwrap_err();
        assert!(!is_usage(&error));
        assert_eq!(anstream::adapter::strip_str(&render(&error)).to_string(), "error: cannot write x: disk full\n");
    }
}
