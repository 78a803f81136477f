//! Requests and responses of a local cloud that AWS's models don't allow: an end-to-end test with
//! any mismatch fails, whatever it tests.

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
    /// The mismatches that a cloud records in `file` while it runs.
    pub(crate) fn of(file: PathBuf, lifetime: Lifetime) -> Self {
        Self { file, lifetime }
    }
}

impl Drop for Mismatches {
    fn drop(&mut self) {
        // A detached cloud keeps running, and a failing test already has its own reason.
        if self.lifetime == Lifetime::Detached || std::thread::panicking() {
            return;
        }
        let mismatches = fs::read_to_string(&self.file).unwrap_or_default();
        assert!(mismatches.is_empty(), "requests or responses that AWS's models don't allow:\n{mismatches}");
    }
}
