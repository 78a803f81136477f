//! Every error of a worker answers one question: is it worth another try?

use std::time::Duration;

/// Whether doing the same again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It may: the network, a server that is down, a configuration that an operator is about to mend.
    Again,
    /// It can't: the thing that was asked for doesn't exist, or never will.
    Never,
    /// It may, but not before this time has passed: a server said so.
    After(Duration),
}
