//! Tells the Git host what becomes of a push, with the `CommitStatus` parameter: a status beside
//! the commit, where whoever pushed looks. It is pending while the zip is made, then it leads to
//! the zip, or says why there is none.
//!
//! It is never a reason for a job to fail, or to take much longer: whatever goes wrong here is
//! logged, and a host that doesn't answer is given up soon.

#![warn(clippy::indexing_slicing)]

mod clock;
mod console;
mod error;
mod statuses;

pub use console::Bucket;
pub use error::StatusError;
pub use statuses::{Settings, Statuses, Zip};
