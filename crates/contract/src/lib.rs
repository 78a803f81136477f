//! The contract between the template and the functions, written once: environment variables, the
//! job on a queue, the properties of custom resources, and the Git names in them.
//!
//! The structs shared by the template and a function are generic over a [`Side`]. On the
//! [`Runtime`] side, a field holds its value. On the template's side, it holds a CloudFormation
//! expression that resolves to the value. A variable that one side forgets or misspells doesn't
//! compile.
//!
//! ```
//! use contract::{KeyLayout, PathSpelling, job::{DeliveryId, Job, Trigger}, repository::Repository};
//!
//! let job = Job {
//!     delivery: "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse::<DeliveryId>()?,
//!     repository: Repository::new("github.com".parse()?, "octo-org/hello".parse()?),
//!     reference: "refs/heads/main".parse()?,
//!     commit: None,
//!     trigger: Trigger::Push,
//!     summary: None,
//!     scope: None,
//!     spelling: PathSpelling::default(),
//!     deleted: false,
//! };
//! assert_eq!(job.artifact_key(KeyLayout::Path, Some("main")), "octo-org/hello/octo-org_hello.zip");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod allowed_host;
pub mod allowed_hosts;
pub mod allowed_ips;
pub mod body;
pub mod credentials;
pub mod custom;
pub mod dead_letter;
pub mod deleted_references;
pub mod environment;
mod error_chain;
pub mod events;
pub mod git;
pub mod host_entry;
pub mod job;
pub mod keep_commits;
pub mod key_layout;
pub mod manifest;
pub mod patterns;
mod permit;
pub mod refs;
pub mod repositories;
pub mod repository;
pub mod repository_keys;
pub mod retry;
pub mod secret;
pub mod side;
mod ssh_address;
pub mod switch;
mod text;
pub mod url_path;
pub mod visibility;
mod web_url;
pub mod worker;

pub use allowed_host::{AllowedHost, HostKind};
pub use allowed_hosts::AllowedHosts;
pub use allowed_ips::{AllowedIps, AllowedIpsError};
pub use credentials::{CredentialsError, ProviderCredentials};
pub use deleted_references::{DeletedReferences, DeletedReferencesError};
pub use error_chain::error_chain;
pub use git::{CommitId, RefName};
pub use host_entry::AllowedHostsError;
pub use job::{DeliveryId, Job, Trigger};
pub use keep_commits::{KeepCommits, KeepCommitsError};
pub use key_layout::{KeyLayout, KeyLayoutError};
pub use manifest::Manifest;
pub use patterns::{Patterns, PatternsError};
pub use permit::PermitError;
pub use refs::Refs;
pub use repositories::{NotPermitted, Repositories};
pub use repository::{HostName, Repository, RepositoryPath};
pub use retry::Retry;
pub use secret::{ApiSecret, ApiSecretError, ApiSecrets};
pub use side::{Runtime, Side};
pub use ssh_address::{Location, PathSpelling};
pub use switch::{Switch, SwitchError, Truth};
pub use worker::Worker;
