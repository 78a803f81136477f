//! One file per command: its arguments, and what of the result is printed.

pub(crate) mod package;

/// How a command ended that did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing to object to.
    Fine,
    /// It found what it was looking for, and that is bad news.
    Findings,
}
