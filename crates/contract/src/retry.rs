//! Whether a worker's error is worth a retry.

use std::time::Duration;

/// What to do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Retry. The cause may pass: the network, a server that is down, a configuration that an
    /// operator will fix.
    Again,
    /// Don't retry. The result would be the same.
    Never,
    /// Don't retry. Nothing is left to do: the requested reference is gone.
    Obsolete,
    /// Retry, but not before this time, as the server requested.
    After(Duration),
}
