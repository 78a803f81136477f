//! The sizes of the functions, which Lambda loads before a cold start.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use deployment::package::FUNCTIONS;

use crate::bench::Bench;
use crate::report::{count, number};
use crate::row::Unit;

/// The sizes of the stripped release binaries, one row each.
pub(crate) fn table(bench: &Bench) -> Result<String> {
    let mut table = String::from("\nfunction        stripped release binary\n");
    for name in FUNCTIONS {
        let file = bench.program(name);
        let size = std::fs::metadata(&file).with_context(|| format!("measure {}", file.display()))?.len();
        writeln!(table, "{name:14}  {:>23}", number(count(size), Unit::Bytes))?;
    }
    Ok(table)
}
