//! gitpull's memory for repositories larger than it: of one gigabyte, of four, and with one file of
//! two. It has no rival. Mapped files count, although the kernel can reclaim them. The memory
//! without them is listed as well.

use anyhow::Result;

use crate::account;
use crate::bench::Bench;
use crate::function::Function;
use crate::generate::Shape;
use crate::hosted::Hosted;
use crate::report::count;
use crate::row::{Row, Unit};
use crate::sample::{Pair, Sample};
use crate::stand_in::{Secrets, StandIn};

/// The names of the cases.
pub(crate) const NAMES: [&str; 5] = [LARGE, LARGE_OWN, HUGE, SINGLE, SINGLE_OWN];
const LARGE: &str = "gitpull of 1 GB tree, peak memory";
const LARGE_OWN: &str = "gitpull of 1 GB tree, memory without mapped files";
const HUGE: &str = "gitpull of 4 GB tree, peak memory";
const SINGLE: &str = "gitpull of one 2 GB file, peak memory";
const SINGLE_OWN: &str = "gitpull of one 2 GB file, memory without mapped files";
const MOST: u64 = 160 << 20;

/// Measures the selected cases, if long runs are enabled.
pub(crate) async fn run(bench: &Bench, wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    if !bench.long {
        return Ok(rows);
    }
    let nothing = async || Ok(Sample::default());
    let large = async || pull(bench, "large", Shape::LARGE).await;
    if wanted(HUGE) {
        let pair = Pair::cold(HUGE, bench.runs, async || pull(bench, "huge", Shape::HUGE).await, large).await?;
        rows.extend(most(LARGE, LARGE_OWN, pair.rival.clone()));
        rows.push(Row::of(HUGE, Unit::Bytes, &pair, |sample| count(sample.memory)).goal(1.10));
    } else if wanted(LARGE) || wanted(LARGE_OWN) {
        rows.extend(most(LARGE, LARGE_OWN, Pair::cold(LARGE, bench.runs, large, nothing).await?.ours));
    }
    if wanted(SINGLE) || wanted(SINGLE_OWN) {
        let single = async || pull(bench, "single", Shape::SINGLE).await;
        rows.extend(most(SINGLE, SINGLE_OWN, Pair::cold(SINGLE, bench.runs, single, nothing).await?.ours));
    }
    Ok(rows)
}

/// With and without mapped files.
fn most(with: &str, without: &str, ours: Vec<Sample>) -> [Row; 2] {
    let pair = Pair { ours, rival: Vec::new() };
    let row = |case, memory: fn(&Sample) -> u64| Row::of(case, Unit::Bytes, &pair, |sample| count(memory(sample)));
    [row(with, |sample| sample.memory), row(without, |sample| sample.own_memory)].map(|row| row.at_most(count(MOST)))
}

/// A first push of such a repository.
pub(crate) async fn pull(bench: &Bench, name: &str, shape: Shape) -> Result<Sample> {
    let account = bench.account().await?;
    let hosted = Hosted::new(bench, account, name, shape)?;
    let private_key = std::fs::read(&account.identity)?;
    // The emulator keeps several copies of objects in memory. This stand-in discards them.
    let aws = StandIn::start(Secrets { private_key, ..Secrets::default() }).await?;
    let sshd = &account.local.sshd;
    let mut environment = account::gitpull(&aws.endpoint, &sshd.user, sshd.port, sshd.known_hosts_line()?);
    environment.push(("KMS_KEY", "1234abcd-12ab-34cd-56ef-1234567890ab".to_owned()));
    crate::progress::progress(&format!("pulling {name}"));
    Function::start(bench, "gitpull", &environment).await?.first_work(&hosted.job()?).await
}
