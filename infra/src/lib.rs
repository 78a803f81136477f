//! This stack and the life of it: what `infra` does, as a library, so that the local cloud of the
//! tests packages, deploys and deletes through the very code that a person runs.
//!
//! [`package`] builds the functions and writes `dist/assets.json`; [`deploy`] uploads them, makes a
//! change set of a template, executes it and deletes the stack again; [`account`] says whose AWS
//! account that is.

pub mod acceptance;
pub mod account;
pub mod call_error;
pub mod check;
pub mod commit;
pub mod configuration;
pub mod connect;
pub mod deploy;
pub mod deployer;
pub mod diff;
pub mod logs;
pub mod package;
pub mod redrive;
pub mod render;
pub mod review;
pub mod stack;
pub mod start;
pub mod status;
pub mod synth;
pub mod typed;
