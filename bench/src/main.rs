//! `just bench`: measures git2s3 and its rivals, with both of them in the same run of each case.

mod account;
mod archive_host;
mod bench;
mod cases;
mod chart;
mod function;
mod generate;
mod git;
mod growth;
mod hosted;
mod inputs;
mod lambda;
mod machine;
mod program;
mod progress;
mod report;
mod row;
mod sample;
mod sizes;
mod stand_in;
mod watched;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::bench::Bench;
use crate::cases::Group;

/// Measures git2s3 and its rivals on this machine
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Only cases whose names contain one of these, or `growth`, which draws the charts
    names: Vec<String>,
    /// How often each case is run; the table shows medians
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Include cases that take many minutes and gigabytes
    #[arg(long)]
    long: bool,
    /// Print the results as JSON on the last line
    #[arg(long)]
    json: bool,
    /// Write the table to docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let bench = Bench::new(arguments.runs, arguments.long)?;
    if arguments.names == ["growth"] {
        return growth::run(&bench).await;
    }
    let wanted = |case: &str| arguments.names.is_empty() || arguments.names.iter().any(|name| case.contains(&**name));
    let mut rows = Vec::new();
    for group in Group::ALL {
        if group.names().iter().any(|name| wanted(name)) {
            let measured = group.run(&bench, &wanted, &rows).await?;
            rows.extend(measured);
        }
    }
    rows.retain(|row| wanted(&row.case));
    ensure!(!rows.is_empty(), "no case is called {}, or it needs --long", arguments.names.join(" or "));
    let below = sizes::table(&bench)?;
    report::print(&rows, bench.runs, &below);
    if arguments.write {
        report::write(&rows, bench.runs, &below, &bench.file("docs/benchmarks.md"))?;
    }
    if arguments.json {
        report::print_json(&rows)?;
    }
    Ok(())
}
