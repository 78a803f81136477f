//! Formats an error with all its causes, for logs, stack events and responses.

use std::{error::Error, iter};

/// The error and its causes, outermost first, separated by colons.
///
/// ```
/// let error = "refs/heads/..".parse::<contract::RefName>().unwrap_err();
/// assert_eq!(contract::error_chain(&error), error.to_string());
/// ```
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(Some(error), |&cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
