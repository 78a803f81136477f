//! The library of `infra`, without packaging and deploying: rules, review, status, logs, traces,
//! the acceptance test. [`deployment`] has the stack itself and its lifecycle.

pub mod acceptance;
pub mod check;
pub mod commit;
pub mod concurrency;
pub mod configuration;
pub mod connect;
pub mod deployer;
pub mod doctor;
pub mod github_app;
pub mod logs;
pub mod redrive;
pub mod replay;
pub mod review;
pub mod start;
pub mod status;
pub mod trace;
