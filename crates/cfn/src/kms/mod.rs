//! KMS: keys and their aliases.

mod alias;
mod key;

pub use alias::Alias;
pub use key::Key;
