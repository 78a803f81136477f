//! Output: data on stdout, messages on stderr, readable without colour and without hidden
//! characters.

pub mod print;
pub mod progress;
pub mod shown;
pub mod table;
pub mod visible;
