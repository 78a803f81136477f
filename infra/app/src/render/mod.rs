//! How it looks: data on stdout, talk on stderr, readable without colour.

pub mod progress;
pub mod table;
