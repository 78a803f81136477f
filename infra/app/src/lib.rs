//! This stack and the life of it: what `infra` does, as a library, so that the local cloud of the tests packages,
//! deploys and deletes through the very code that a person runs.
//!
//! [`package`] builds the functions and writes `dist/assets.json`; [`account`] says whose AWS account it is.

pub mod account;
pub mod call_error;
pub mod package;
pub mod render;
