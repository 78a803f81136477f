//! Output: progress for the user, the table for readers, JSON for programs, and Markdown for the
//! documentation.
#![allow(clippy::print_stdout, reason = "the table goes to stdout")]

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine;
use crate::row::{Measure, Row, Unit};

const TITLES: [&str; 7] = ["case", "ours", "rival", "ratio", "goal", "bytes", "peak memory"];
const BEGIN: &str = "<!-- bench: begin -->\n";
const END: &str = "<!-- bench: end -->";

/// Prints the table and its footnotes.
pub(crate) fn print(rows: &[Row], runs: usize, below: &str) {
    let cells: Vec<[String; 7]> = rows.iter().map(|row| cells(row, runs)).collect();
    let width = |column: usize| {
        let cells = cells.iter().map(|cells| cells[column].chars().count());
        cells.chain([TITLES[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; 7] = std::array::from_fn(width);
    println!("{}\n", heading(runs));
    for row in [TITLES.map(str::to_owned)].iter().chain(&cells) {
        let line = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("{}", line.collect::<Vec<_>>().join("  ").trim_end());
    }
    println!("{below}");
}

/// Prints the results as one line of JSON.
pub(crate) fn print_json(rows: &[Row]) -> Result<()> {
    println!("{}", serde_json::to_string(rows)?);
    Ok(())
}

/// Replaces the table between the markers of a Markdown file.
pub(crate) fn write(rows: &[Row], runs: usize, below: &str, file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("{} lacks a marker", file.display()))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{} lacks a marker", file.display()))?;
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut table = format!("{}.\n\n{}", heading(runs), line(&TITLES.map(str::to_owned)));
    table += "|---|---:|---:|---:|---:|---:|---:|\n";
    table.extend(rows.iter().map(|row| line(&cells(row, runs))));
    let below = below.trim();
    fs::write(file, format!("{before}{BEGIN}{table}\n```\n{below}\n```\n{END}{after}"))
        .with_context(|| format!("write {}", file.display()))
}

fn heading(runs: usize) -> String {
    format!("{}; medians of {runs} runs, where the row says nothing else", machine::describe())
}

fn cells(row: &Row, usual: usize) -> [String; 7] {
    let goal = |goal: f64| match row.measure {
        Measure::Ratio => format!("{goal:.2}"),
        Measure::Ours => number(goal, row.unit),
    };
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| number(count(bytes), Unit::Bytes)).unwrap_or_default();
    [
        if row.runs == usual { row.case.clone() } else { format!("{}{}", row.case, runs(row.runs)) },
        number(row.ours, row.unit),
        row.rival.map(|rival| number(rival, row.unit)).unwrap_or_default(),
        row.ratio.map(|ratio| format!("{ratio:.3}")).unwrap_or_default(),
        row.goal.map(goal).unwrap_or_default(),
        bytes(row.bytes),
        bytes(row.memory),
    ]
}

/// The number of runs of a row, if it differs from the heading's.
fn runs(runs: usize) -> String {
    match runs {
        0 => String::new(),
        1 => ", one run".to_owned(),
        runs => format!(", {runs} runs"),
    }
}

/// A number with its unit, in three or four digits.
pub(crate) fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds if value < 0.01 => format!("{:.2} ms", value * 1e3),
        Unit::Seconds if value < 1.0 => format!("{:.0} ms", value * 1e3),
        Unit::Seconds => format!("{value:.2} s"),
        Unit::Bytes if value < 1e4 => format!("{value:.0} B"),
        Unit::Bytes if value < 1e6 => format!("{:.0} kB", value / 1e3),
        Unit::Bytes if value < 1e9 => format!("{:.1} MB", value / 1e6),
        Unit::Bytes => format!("{:.2} GB", value / 1e9),
        Unit::Count => format!("{value:.0}"),
        Unit::Dollars => format!("${value:.2}"),
    }
}

/// A count as a floating-point number.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2 to the power of 52")]
pub(crate) fn count(count: u64) -> f64 {
    count as f64
}
