//! The local cloud refuses what AWS refuses, and is slow where AWS is: so its results say something
//! about AWS.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod deletions;
mod functions;
mod imports;
mod logs;
mod names;
mod networks;
mod requests;
mod rights;
mod shapes;
mod stack;
mod world;
