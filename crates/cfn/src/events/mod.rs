//! EventBridge: rules that invoke a function by a schedule.

mod rule;

pub use rule::{Rule, TIME};
