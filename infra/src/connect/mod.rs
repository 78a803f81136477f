//! Connects repositories to a stack: a deploy key and a webhook at the Git host, by its API and
//! with a person's token, which is used here and never stored.

mod by_hand;
mod disconnect;
mod replacement;
mod repository;
mod ssh_keys;
mod stack;
mod zips;

pub use by_hand::steps;
pub use disconnect::{Disconnected, disconnect};
pub use repository::{Connected, Connection, Endpoint, Failure, HostAccess, Step};
pub use ssh_keys::{SshKeys, SshKeysError};
pub use stack::{Refusal, Target, TargetError, secret_for, secret_for_all};
pub(crate) use zips::stored;
pub use zips::wait_for_zips;
