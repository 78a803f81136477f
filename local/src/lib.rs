//! The environment of a git2s3 stack on one machine, as real as possible: an AWS account (MiniStack
//! with IAM enforcement), a Git host (OpenSSH and bare repositories with a webhook), and a
//! developer who pushes. The demo, `just local-up` and the end-to-end tests use it.

pub mod archives;
pub mod artifact;
pub mod aws;
pub mod call;
pub mod cloud;
pub mod custom_resource;
pub mod decisions;
pub mod demo;
pub mod empty_account;
pub mod event_source;
pub mod fault_proxy;
pub mod host;
pub mod host_api;
pub mod http_server;
mod idle;
pub mod local;
mod mismatches;
pub mod packaged;
pub mod peer;
pub mod process;
pub mod promises;
pub mod providers;
pub mod proxy;
pub mod reconcile;
mod references;
pub mod roles;
pub mod serve;
pub mod sshd;
pub mod standing;
pub mod test_runner;
pub mod tree;
pub mod trips;
pub mod webhook;

pub use tally;
