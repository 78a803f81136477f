//! From the start of a process to its first request for work: how long a push waits for a cold
//! function, besides Lambda's own time. The rival is a Python function that imports boto3.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::account;
use crate::account::Environment;
use crate::bench::Bench;
use crate::cases::{webhook, zipdl};
use crate::function::Function;
use crate::lambda::Runtime;
use crate::program::Program;
use crate::row::Row;
use crate::sample::{Pair, Sample};
use crate::stand_in::{Secrets, StandIn};

/// The names of the cases.
pub(crate) const NAMES: [&str; 6] = [
    "cold start of webhook",
    "cold start of gitpull",
    "cold start of zipdl",
    "cold start of ssh-key",
    "cold start of bucket-cleaner",
    SLOWEST,
];
const SLOWEST: &str = "cold start, the slowest of these";

/// Measures the selected cases.
pub(crate) async fn run(bench: &Bench, wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let aws = StandIn::start(Secrets::default()).await?;
    let mut rows = Vec::new();
    for case in NAMES.into_iter().filter(|case| *case != SLOWEST && (wanted(case) || wanted(SLOWEST))) {
        let name = case.rsplit(' ').next().unwrap_or_default();
        let environment = environment(name, &aws.endpoint);
        let ours = async || {
            let function = Function::start(bench, name, &environment).await?;
            let (wall, processor) = (function.init.as_secs_f64(), function.process.processor()?);
            Ok(Sample { wall, processor, memory: function.process.peak_memory()?, ..Sample::default() })
        };
        // So short that more runs take no time.
        let pair = Pair::warm(case, bench.runs.max(20), ours, async || rival(bench).await).await?;
        rows.push(Row::wall(case, &pair).at_most(0.025));
    }
    let slowest = rows.iter().max_by(|one, other| one.ours.total_cmp(&other.ours)).cloned();
    rows.extend(slowest.map(|row| Row { case: SLOWEST.to_owned(), ..row }.goal(0.05)));
    Ok(rows)
}

fn environment(name: &str, endpoint: &str) -> Environment {
    match name {
        "webhook" => webhook::environment(endpoint),
        "gitpull" => {
            let mut environment = account::gitpull(endpoint, "git", 22, String::new());
            environment.push(("KMS_KEY", "1234abcd-12ab-34cd-56ef-1234567890ab".to_owned()));
            environment
        }
        "zipdl" => zipdl::environment(endpoint, "github.com", String::new()),
        _ => vec![("AWS_ENDPOINT_URL", endpoint.to_owned())],
    }
}

async fn rival(bench: &Bench) -> Result<Sample> {
    let mut runtime = Runtime::start().await?;
    let program = Program::new(bench.python(), bench.scratch()).arg(bench.rival("start.py"));
    let mut command = program.env("AWS_LAMBDA_RUNTIME_API", runtime.address.to_string()).command();
    let begun = Instant::now();
    let child = command.spawn().context("start Python")?;
    let asked = runtime.asked().await?;
    drop(child);
    Ok(Sample { wall: (asked - begun).as_secs_f64(), ..Sample::default() })
}
