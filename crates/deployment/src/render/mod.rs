//! How it looks: data on stdout, talk on stderr, readable without colour, and nothing in it that
//! hides.

pub mod print;
pub mod progress;
pub mod shown;
pub mod table;
pub mod visible;
