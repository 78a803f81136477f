//! What a person sees while the cases run.
#![allow(clippy::print_stderr, reason = "progress goes to stderr")]

/// Prints what is being done.
pub(crate) fn progress(what: &str) {
    eprintln!("bench: {what}");
}
