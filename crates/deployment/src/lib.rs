//! This stack and its life: what it is made of, and how it is packaged, deployed and deleted. The
//! `infra` command and the local cloud do it by this very code, and the local cloud builds nothing
//! else of the app.
//!
//! [`stack`] is the template; [`package`] builds the functions and writes `dist/assets.json`;
//! [`deploy`] uploads them, makes a change set of the template, executes it and deletes the stack
//! again; [`account`] says whose AWS account that is.

pub mod account;
pub mod call_error;
pub mod deploy;
pub mod diff;
pub mod package;
pub mod render;
pub mod stack;
pub mod synth;
pub mod typed;
