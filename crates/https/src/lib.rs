//! Asking over HTTPS where others have a say in whom: a Git host that redirects, a large-file store
//! that a Git host names.
//!
//! Certificates are always verified, and nothing is asked without TLS. Redirects are followed one
//! by one, and a credential is shown to the host that it is for and to no other. No address is
//! connected to that isn't on the internet, unless the host is configured as private.

#![warn(clippy::indexing_slicing)]

mod address;
mod client;
mod credential;
mod error;

pub use address::NoPublicAddress;
pub use client::{Client, MediaTypes, read_bytes, read_json, reader};
pub use credential::Credential;
pub use error::{CaBundleError, HttpsError};
pub use reqwest::Response;
