//! The way to a repository: what shows its host who we are, read from where the stack keeps it. One
//! crate for the function that fetches and for the one that compares, so that what one of them can
//! reach, the other one can.

mod access;
mod error;
mod key_ring;
mod settings;
mod ssh_keys;

pub use access::{Access, Others};
pub use error::{AccessError, ReachError};
pub use key_ring::KeyObject;
pub use settings::{Settings, SettingsError};
pub use ssh_keys::SshKeys;
