//! The function that finds what no webhook has told: it asks the hosts what their references name
//! now, compares that with what the bucket has, and queues what differs as a job like any other.
//!
//! A run keeps nothing that it needs. What it [remembers](memory) only saves requests, so it may be
//! killed anywhere, run twice or run late: the next run finds the same differences.

pub mod difference;
pub mod hosts;
pub mod journal;
pub mod keys;
pub mod memory;
pub mod run;
pub mod schedule;
pub mod world;
