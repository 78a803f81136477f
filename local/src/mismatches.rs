//! What of the requests and answers of a local cloud AWS's own models don't allow: an end-to-end
//! test in which there is any has failed, whatever it was about.

use std::fs;
use std::path::PathBuf;

use crate::process::Lifetime;

/// Panics when it is dropped and the file isn't empty.
#[derive(Debug)]
pub(crate) struct Mismatches {
    file: PathBuf,
    lifetime: Lifetime,
}

impl Mismatches {
    /// Those that a cloud writes into `file` for as long as it lives.
    pub(crate) fn of(file: PathBuf, lifetime: Lifetime) -> Self {
        Self { file, lifetime }
    }
}

impl Drop for Mismatches {
    fn drop(&mut self) {
        // A detached cloud goes on, and what fails already has a reason of its own.
        if self.lifetime == Lifetime::Detached || std::thread::panicking() {
            return;
        }
        let mismatches = fs::read_to_string(&self.file).unwrap_or_default();
        assert!(mismatches.is_empty(), "requests or answers that AWS's models don't allow:\n{mismatches}");
    }
}
