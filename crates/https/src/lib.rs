//! HTTPS requests to hosts that others choose: a Git host that redirects, a large-file store that a
//! Git host names, the repository itself.
//!
//! Certificates are always verified, and nothing is sent without TLS. Redirects are followed one by
//! one, and a credential is sent only to its own host. Addresses outside the public internet are
//! refused, unless the host is configured as private.

#![warn(clippy::indexing_slicing)]

mod address;
mod client;
mod credential;
mod error;

pub use address::NoPublicAddress;
pub use client::{Client, MediaTypes, pause, read_bytes, read_json, reader};
pub use credential::Credential;
pub use error::{CaBundleError, HttpsError};
pub use reqwest::{
    Method, Response, StatusCode, Url,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
