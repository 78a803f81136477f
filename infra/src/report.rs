//! Renders an error: what failed, the chain of causes, and what to do about it.

use std::error::Error;

use anstyle::{AnsiColor, Style};
use deployment::account::AccountError;
use deployment::call_error::CallError;
use deployment::deploy::tags::TagError;
use deployment::deploy::{AssetsError, DeployError, DestroyError, ImportError, ParameterError};
use deployment::package::{ManifestError, PackageError};
use deployment::render::shown::Shown;
use deployment::typed::typed;
use host_api::HostApiError;
use infra::acceptance::AcceptanceError;
use infra::commit::CommitError;
use infra::configuration::ConfigurationError;
use infra::connect::TargetError;
use infra::deployer::PolicyError;
use infra::github_app::{AppCallError, ImportKeyError};
use infra::replay::ReplayError;
use infra::trace::TraceError;

/// The command was called wrongly; nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Usage {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// The command was interrupted.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: {0}")]
pub(crate) struct Interrupted(pub(crate) String, pub(crate) Option<String>);

impl Interrupted {
    /// Interrupted while CloudFormation was at work; `undo` says how to undo it.
    pub(crate) fn leaving(stack: &str, undo: &str) -> Self {
        let hint = format!("{} shows how it goes; {undo}", typed(&format!("status --stack-name {stack}")));
        Self(format!("CloudFormation goes on with stack {stack} by itself"), Some(hint))
    }

    /// How to follow the operation, and how to undo it.
    pub(crate) fn hint(&self) -> Option<String> {
        self.1.clone()
    }
}

/// Whether the caller has to change something.
pub(crate) fn is_usage(error: &anyhow::Error) -> bool {
    let is_usage = |cause: &(dyn Error + 'static)| {
        cause.is::<Usage>()
            || cause.is::<ParameterError>()
            || cause.is::<ConfigurationError>()
            || cause.is::<TagError>()
            || cause.downcast_ref().is_some_and(PolicyError::is_usage)
            || matches!(cause.downcast_ref(), Some(CommitError::Unknown { .. }))
            || cause.downcast_ref().is_some_and(AcceptanceError::is_usage)
            || cause.downcast_ref().is_some_and(ReplayError::is_usage)
            || matches!(cause.downcast_ref(), Some(TraceError::Ambiguous(_)))
            || cause.downcast_ref().is_some_and(ImportError::is_usage)
    };
    error.chain().any(is_usage)
}

/// The error as styled lines.
pub(crate) fn render(error: &anyhow::Error) -> Shown {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let cyan = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
    let mut text = Shown::default();
    let mut told = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Some libraries repeat their source in their own message.
        if told.contains(&cause) {
            continue;
        }
        let label = if told.is_empty() { "error" } else { "  cause" };
        add(&mut text, red, label, &cause);
        told = cause;
    }
    if let Some(hint) = error.chain().find_map(hint) {
        add(&mut text, cyan, "hint", &hint);
    }
    text
}

/// Further lines of a message are indented, so that none is taken for another cause or a hint.
fn add(text: &mut Shown, style: Style, label: &str, message: &str) {
    text.add_styled(style, label);
    text.add(": ");
    for (index, line) in message.lines().enumerate() {
        text.add(if index == 0 { "" } else { "      " });
        text.add(line);
        text.end_line();
    }
}

/// The hint of one cause.
fn hint(cause: &(dyn Error + 'static)) -> Option<String> {
    fn of<E: Error + 'static>(cause: &(dyn Error + 'static), hint: impl Fn(&E) -> Option<String>) -> Option<String> {
        cause.downcast_ref::<E>().and_then(hint)
    }
    of(cause, |usage: &Usage| usage.hint.clone())
        .or_else(|| of(cause, Interrupted::hint))
        .or_else(|| of(cause, CommitError::hint))
        .or_else(|| of(cause, PackageError::hint))
        .or_else(|| of(cause, ManifestError::hint))
        .or_else(|| of(cause, AccountError::hint))
        .or_else(|| of(cause, ConfigurationError::hint))
        .or_else(|| of(cause, ParameterError::hint))
        .or_else(|| of(cause, AssetsError::hint))
        .or_else(|| of(cause, DeployError::hint))
        .or_else(|| of(cause, DestroyError::hint))
        .or_else(|| of(cause, ImportError::hint))
        .or_else(|| of(cause, ImportKeyError::hint))
        .or_else(|| of(cause, AppCallError::hint))
        .or_else(|| of(cause, AcceptanceError::hint))
        .or_else(|| of(cause, TargetError::hint))
        .or_else(|| of(cause, TraceError::hint))
        .or_else(|| of(cause, ReplayError::hint))
        .or_else(|| of(cause, HostApiError::hint))
        .or_else(|| of(cause, CallError::hint))
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn error_shows_causes_and_hint() {
        let usage = Usage { message: "no stack name".to_owned(), hint: Some("give one".to_owned()) };
        let error = anyhow::Error::from(usage).context("cannot deploy");
        assert!(is_usage(&error));
        insta::assert_snapshot!(render(&error).plain(), @"
        error: cannot deploy
          cause: no stack name
        hint: give one
        ");
    }

    #[test]
    fn repeated_cause_is_printed_once() {
        let error = Err::<(), _>(std::io::Error::other("disk full")).context("cannot write x: disk full").unwrap_err();
        assert!(!is_usage(&error));
        assert_eq!(render(&error).plain(), "error: cannot write x: disk full\n");
    }

    #[test]
    fn untrusted_message_cannot_forge_hint() {
        let error = anyhow::anyhow!("refused\nhint: run this\u{1b}[8m\r\u{202e}").context("cannot deploy");
        insta::assert_snapshot!(render(&error).plain(), @r"
        error: cannot deploy
          cause: refused
              hint: run this\u{1b}[8m\r\u{202e}
        ");
    }
}
