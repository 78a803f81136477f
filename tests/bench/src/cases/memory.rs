//! How much memory gitpull needs for repositories that are larger than it: a gigabyte, four of them, and one file of two.
//! It has no rival but itself. Mapped files count, although the kernel can take them back; how much it is
//! without them stands beside it.

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

/// The cases' names.
pub(crate) const NAMES: [&str; 5] = [LARGE, LARGE_OWN, HUGE, SINGLE, SINGLE_OWN];
const LARGE: &str = "gitpull of 1 GB tree, peak memory";
const LARGE_OWN: &str = "gitpull of 1 GB tree, memory without mapped files";
const HUGE: &str = "gitpull of 4 GB tree, peak memory";
const SINGLE: &str = "gitpull of one 2 GB file, peak memory";
const SINGLE_OWN: &str = "gitpull of one 2 GB file, memory without mapped files";
const MOST: u64 = 160 << 20;

/// Measures those that are wanted, if long runs are. Memory hardly varies: once each.
pub(crate) async fn run(bench: &Bench, wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    if !bench.long {
        return Ok(rows);
    }
    let row = |case: &str, ours: Sample, rival: Option<Sample>| {
        let pair = Pair { ours: vec![ours], rival: rival.into_iter().collect() };
        Row::of(case, Unit::Bytes, &pair, |sample| count(sample.memory))
    };
    if [LARGE, LARGE_OWN, HUGE].into_iter().any(&wanted) {
        let large = pull(bench, "large", Shape::LARGE).await?;
        rows.push(row(LARGE, large, None).at_most(count(MOST)));
        rows.push(own(LARGE_OWN, large));
        if wanted(HUGE) {
            rows.push(row(HUGE, pull(bench, "huge", Shape::HUGE).await?, Some(large)).goal(1.10));
        }
    }
    if wanted(SINGLE) || wanted(SINGLE_OWN) {
        let single = pull(bench, "single", Shape::SINGLE).await?;
        rows.push(row(SINGLE, single, None).at_most(count(MOST)));
        rows.push(own(SINGLE_OWN, single));
    }
    Ok(rows)
}

/// What is left without mapped files.
fn own(case: &str, sample: Sample) -> Row {
    let row = Row::new(case, Unit::Bytes, count(sample.own_memory), None);
    Row { runs: 1, ..row.at_most(count(MOST)) }
}

/// A first push of such a repository.
pub(crate) async fn pull(bench: &Bench, name: &str, shape: Shape) -> Result<Sample> {
    let account = bench.account().await?;
    let hosted = Hosted::new(bench, account, name, shape)?;
    let private_key = std::fs::read(&account.identity)?;
    // The emulator keeps objects in memory, several times over; this one throws them away.
    let aws = StandIn::start(Secrets { private_key, ..Secrets::default() }).await?;
    let sshd = &account.local.sshd;
    let mut environment = account::gitpull(&aws.endpoint, &sshd.user, sshd.port, sshd.known_hosts_line()?);
    environment.push(("KMS_KEY", "1234abcd-12ab-34cd-56ef-1234567890ab".to_owned()));
    crate::report::progress(&format!("pulling {name}"));
    Function::start(bench, "gitpull", &environment).await?.first_work(&hosted.job()?).await
}
