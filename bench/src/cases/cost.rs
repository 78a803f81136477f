//! The cost of a hundred thousand pushes a month, from the measured durations, compared with a
//! CodeBuild project, as in the old product. Prices come from `infra`'s bill, except CodeBuild's,
//! which is here.

use anyhow::Result;
use infra::review::cost::{Consumption, Item, USUAL, bill};

use crate::bench::Bench;
use crate::cases::{first_push, next_push, webhook};
use crate::report::count;
use crate::row::{Row, Unit};

/// The name of the case.
pub(crate) const NAMES: [&str; 1] = ["cost of 100,000 pushes a month"];
const PUSHES: f64 = 100_000.0;

/// Dollars per minute of `general1.small` in us-east-1, as listed at
/// <https://aws.amazon.com/codebuild/pricing/> in 2026-11.
const CODEBUILD_MINUTE: f64 = 0.005;

/// What both have to pay for.
const SHARED: [&str; 5] = ["API Gateway requests", "S3 requests", "S3 storage", "Secrets Manager", "CloudWatch Logs"];

/// Calculates it from the rows so far, and measures missing ones.
pub(crate) async fn run(bench: &Bench, rows: &[Row]) -> Result<Vec<Row>> {
    let [case] = NAMES;
    let next = match find(rows, next_push::WALL) {
        Some(row) => row,
        None => first(&next_push::run(bench).await?, next_push::WALL),
    };
    let webhook = match find(rows, webhook::CASE) {
        Some(row) => row,
        None => first(&webhook::run(bench).await?, webhook::CASE),
    };
    let zip = find(rows, first_push::WALL).and_then(|row| row.bytes).map_or(USUAL.zip, |bytes| count(bytes) / 1e6);
    // Lambda bills whole milliseconds.
    let milliseconds = |row: &Row| (row.ours * 1e3).ceil() / 1e3;
    let push = Consumption { webhook: milliseconds(&webhook), gitpull: milliseconds(&next), zip, logs: USUAL.logs };
    let items = bill(PUSHES, push);
    // A build is billed in started minutes. Its startup, which takes longer, isn't billed.
    let minutes = (next.rival.unwrap_or_default() / 60.0).ceil();
    let shared = total(items.iter().filter(|item| SHARED.contains(&item.what)));
    let rival = PUSHES * minutes * CODEBUILD_MINUTE + shared;
    Ok(vec![Row::new(case, Unit::Dollars, total(items.iter()), Some(rival))])
}

fn total<'a>(items: impl Iterator<Item = &'a Item>) -> f64 {
    items.map(|item| item.dollars).sum()
}

fn find(rows: &[Row], case: &str) -> Option<Row> {
    rows.iter().find(|row| row.case == case).cloned()
}

fn first(rows: &[Row], case: &str) -> Row {
    let found = find(rows, case);
    found.unwrap_or_else(|| Row::new(case, Unit::Seconds, 0.0, None))
}
