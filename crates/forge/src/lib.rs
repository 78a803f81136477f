//! Webhooks of Git hosts: authenticates deliveries and finds out which references of which
//! repository changed. No AWS, no network, no clock, no environment.
//!
//! Everything goes through [`Endpoint::receive`]: it takes raw bytes, authenticates them, then
//! parses them. There is no other way to get an [`Event`] or an [`AuthenticJob`], so code that has
//! one needn't check whether it is authentic.
//!
//! ```
//! use contract::ApiSecrets;
//! use forge::{Delivery, Endpoint, Refusal};
//!
//! let endpoint = Endpoint { allowed_hosts: "github.com".parse()?, ..Endpoint::default() };
//! let mut delivery = Delivery::new("c6af6ac1".parse()?, br#"{"ref":"refs/heads/main"}"#.to_vec());
//! delivery.headers.insert("X-Hub-Signature-256", "sha256=00".parse()?);
//!
//! let refusal = endpoint.receive(&delivery, &ApiSecrets::parse(&"s3cret".into())).unwrap_err();
//! assert_eq!(refusal.status(), 401);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(clippy::indexing_slicing)]

mod archive_url;
mod authenticate;
mod clone_url;
mod content;
mod delivery;
mod delivery_id;
mod endpoint;
mod event;
mod event_error;
mod git_credential;
pub mod host;
mod place;
mod receive;
mod refusal;
mod scope;
#[cfg(test)]
mod sender;
mod signature;
mod tip;

pub use archive_url::ArchiveApi;
pub use authenticate::AuthenticationError;
pub use clone_url::{CloneUrlError, location};
pub use content::ContentError;
pub use delivery::Delivery;
pub use endpoint::Endpoint;
pub use event::{AuthenticJob, Event, Proof, Push, RefUpdate};
pub use event_error::EventError;
pub use git_credential::git_authorization;
pub use refusal::Refusal;
pub use signature::{MinimumSignature, MinimumSignatureError, SignatureError};
pub use tip::{AuthorTime, Tip, TipError};
