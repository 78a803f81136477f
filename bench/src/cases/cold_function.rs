//! A push of one changed file to a cold function, after another process has handled the previous
//! push: the benefit of a cached pack if the Git host sends 20 MB a second. The rival is our own
//! first push.

use anyhow::Result;
use local::proxy::{Network, Proxy};

use crate::bench::Bench;
use crate::function::Function;
use crate::generate::Shape;
use crate::hosted::Hosted;
use crate::row::Row;
use crate::sample::Pair;

/// The name of the case.
pub(crate) const NAMES: [&str; 1] = ["next push, cold function, 20 MB/s"];
const RATE: u64 = 20_000_000;

/// Measures it.
pub(crate) async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let [case] = NAMES;
    let account = bench.account().await?;
    let mut hosted = Hosted::new(bench, account, "heavy", Shape::HEAVY)?;
    let proxy = Proxy::start(account.local.sshd.port, Network { rate: Some(RATE), ..Network::default() }).await?;
    let environment = account.gitpull(proxy.port)?;
    let mut pair = Pair::default();
    for run in 1..=bench.runs {
        crate::progress::progress(&format!("{case}, {run} of {}", bench.runs));
        account.forget().await?;
        for samples in [&mut pair.rival, &mut pair.ours] {
            hosted.push()?;
            let before = proxy.received();
            let mut sample = Function::start(bench, "gitpull", &environment).await?.first_work(&hosted.job()?).await?;
            sample.bytes = proxy.received() - before;
            samples.push(sample);
        }
    }
    Ok(vec![Row::wall(case, &pair).goal(0.5)])
}
