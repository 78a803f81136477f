//! Sets up a GitHub App for a stack: creates it by a manifest, imports its private key into KMS,
//! which never shows it, and makes its webhook send to the stack.

mod app;
mod import;
mod key;
mod manifest;

pub use app::{App, AppCallError, AppFacts, app_of, facts};
pub use import::{ImportKeyError, import};
pub use key::{KeyError, PrivateKey};
pub use manifest::{Manifest, ManifestError, Page};
