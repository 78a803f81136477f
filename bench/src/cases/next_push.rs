//! A push of one changed file to a warm worker that has fetched the repository before: the usual
//! case. Both workers keep their process and their clone.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use local::proxy::{Network, Proxy};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::account::Account;
use crate::bench::Bench;
use crate::function::Function;
use crate::generate::Shape;
use crate::hosted::Hosted;
use crate::report::count;
use crate::row::{Row, Unit};
use crate::sample::{Pair, Sample};

/// The names of the cases.
pub(crate) const NAMES: [&str; 2] = [WALL, RECEIVED];
/// The name that the costs are calculated from.
pub(crate) const WALL: &str = "next push, warm function";
const RECEIVED: &str = "next push, bytes over SSH";

/// Measures both together.
pub(crate) async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let account = bench.account().await?;
    let mut hosted = Hosted::new(bench, account, "git-sized", Shape::GIT)?;
    account.forget().await?;
    let proxy = Proxy::start(account.local.sshd.port, Network::default()).await?;
    let folder = bench.empty_folder()?;
    let mut ours = Function::start(bench, "gitpull", &account.gitpull(proxy.port)?).await?;
    ours.work(&hosted.job()?).await?;
    let mut rival = RivalWorker::start(bench, account, &hosted, proxy.port, folder.path()).await?;
    let mut pair = Pair::default();
    for run in 0..=bench.runs {
        crate::progress::progress(&format!("{WALL}, {run} of {}", bench.runs));
        hosted.push()?;
        let job = hosted.job()?;
        let before = proxy.received();
        let own = ours.work(&job).await?;
        let between = proxy.received();
        let theirs = rival.push().await?;
        let after = proxy.received();
        // The first time, either may still initialize something.
        if run > 0 {
            pair.ours.push(Sample { bytes: between - before, ..own });
            pair.rival.push(Sample { wall: theirs, bytes: after - between, ..Sample::default() });
        }
    }
    super::first_push::same_files(account, &hosted).await?;
    Ok(vec![
        Row::wall(WALL, &pair).goal(0.10),
        Row::of(RECEIVED, Unit::Bytes, &pair, |sample| count(sample.bytes)).goal(1.2),
    ])
}

/// The rival's running worker.
pub(crate) struct RivalWorker {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl RivalWorker {
    /// Starts it and waits for its clone.
    pub(crate) async fn start(
        bench: &Bench,
        account: &Account,
        hosted: &Hosted,
        port: u16,
        folder: &Path,
    ) -> Result<Self> {
        let mut command = hosted.rival(bench, account, port, &folder.join("clone")).arg("warm").command();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start the rival")?;
        let input = child.stdin.take().context("talk to the rival")?;
        let output = BufReader::new(child.stdout.take().context("listen to the rival")?).lines();
        let mut worker = Self { _child: child, input, output };
        worker.took().await?;
        Ok(worker)
    }

    /// Sends it a push. Returns how many seconds it took.
    pub(crate) async fn push(&mut self) -> Result<f64> {
        self.input.write_all(b"\n").await?;
        self.took().await
    }

    async fn took(&mut self) -> Result<f64> {
        let line = self.output.next_line().await?.context("the rival has ended")?;
        line.parse().context("read how long the rival took")
    }
}
