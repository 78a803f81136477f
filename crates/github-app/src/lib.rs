//! A [GitHub App](https://docs.github.com/en/apps/creating-github-apps/about-creating-github-apps/about-creating-github-apps)
//! as a way of access: tokens for one repository each, which may only read its contents, or only
//! set the statuses of its commits, and end after an hour. Its private key is in KMS, which signs
//! and never shows it.
//!
//! Nothing here depends on a token's length: GitHub changes it.

#![warn(clippy::indexing_slicing)]

mod app;
mod deliveries;
mod error;
mod jwt;
mod kms;

pub use app::{GitHubApp, Installation};
pub use deliveries::{Delivery, Page};
pub use error::AppError;
pub use jwt::{SignError, Signer, jwt};
pub use kms::KmsKey;
