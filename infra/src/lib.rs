//! What `infra` does beside packaging and deploying, as a library: rules, review, status, logs, the
//! acceptance test. [`deployment`] holds the stack itself and its life.

pub mod acceptance;
pub mod check;
pub mod commit;
pub mod concurrency;
pub mod configuration;
pub mod connect;
pub mod deployer;
pub mod logs;
pub mod redrive;
pub mod review;
pub mod start;
pub mod status;
