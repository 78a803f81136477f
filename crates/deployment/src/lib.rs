//! The stack and its lifecycle: its template, and how it is packaged, deployed and deleted. The
//! `infra` command and the local cloud both use this code, and the local cloud builds nothing else
//! of the app.
//!
//! [`stack`] is the template; [`package`] builds the functions and writes `dist/assets.json`;
//! [`deploy`] uploads them, makes a change set of the template, executes it and deletes the stack;
//! [`account`] determines the AWS account.

pub mod account;
pub mod call_error;
pub mod deploy;
pub mod diff;
pub mod package;
pub mod render;
pub mod stack;
pub mod synth;
pub mod typed;
