//! Every error of a worker answers one question: is it worth another try?

use std::time::Duration;

/// Whether doing the same again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It may: the network, a server that is down, a configuration that an operator is about to
    /// fix.
    Again,
    /// It can't: what was asked for stays what it is.
    Never,
    /// There is nothing left to do: what was asked for is gone.
    Obsolete,
    /// It may, but not before this time has passed: a server said so.
    After(Duration),
}
