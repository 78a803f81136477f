//! A Git host's archive of a gigabyte, converted as a stream. The rival is `curl` piped into boto3,
//! which stores the bytes unchanged: it neither drops the top folder nor checks what it stores.

use anyhow::{Result, ensure};
use contract::{Job, KeyLayout, Repository, Trigger};

use crate::account::Environment;
use crate::account::OUTPUT;
use crate::archive_host::ArchiveHost;
use crate::bench::Bench;
use crate::function::Function;
use crate::generate::Shape;
use crate::git;
use crate::program::Program;
use crate::report::count;
use crate::row::{Row, Unit};
use crate::sample::{Pair, Sample};
use crate::stand_in::{Secrets, StandIn};

/// The names of the cases.
pub(crate) const NAMES: [&str; 2] = [WALL, MEMORY];
const WALL: &str = "zipdl of 1 GB";
const MEMORY: &str = "zipdl of 1 GB, peak memory";
const SECRET: &str = r#"{"GitToken":"bench","OAuthKey":"","OAuthSecret":""}"#;

/// Measures both together.
pub(crate) async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let repository = bench.inputs.repository("download", Shape::DOWNLOAD)?;
    let archive = bench.inputs.archive("download", &repository)?;
    let commit = git::run(&repository, &["rev-parse", "HEAD"])?;
    let host = ArchiveHost::start(&archive, &commit).await?;
    let aws = StandIn::start(Secrets { secret: SECRET.to_owned(), ..Secrets::default() }).await?;
    let allowed = format!("127.0.0.1=github:{}+private", host.port);
    let environment = environment(&aws.endpoint, &allowed, host.ca.clone());
    let ca = bench.scratch().join("ca.pem");
    std::fs::write(&ca, &host.ca)?;
    let pipe = "curl --silent --show-error --fail --location --cacert \"$CA\" \"$URL\" | \"$PYTHON\" \"$UPLOAD\" \"$ENDPOINT\" \"$BUCKET\" rival.zip";
    let rival = Program::new("bash", bench.scratch())
        .args(&["-o", "pipefail", "-c", pipe])
        .env("CA", &ca)
        .env("URL", format!("https://127.0.0.1:{}/archive.zip", host.port))
        .env("PYTHON", bench.python())
        .env("UPLOAD", bench.rival("upload.py"))
        .env("ENDPOINT", &aws.endpoint)
        .env("BUCKET", OUTPUT);
    let ours =
        async || -> Result<Sample> { Function::start(bench, "zipdl", &environment).await?.first_work(&job()?).await };
    let pair = Pair::cold(WALL, bench.runs, ours, async || rival.run(bench).await).await?;
    let both = 2 * std::fs::metadata(&archive)?.len() * bench.runs as u64;
    ensure!(aws.received() > both / 10 * 9, "of {both} bytes only {} were stored", aws.received());
    Ok(vec![
        Row::wall(WALL, &pair).goal(1.10),
        Row::of(MEMORY, Unit::Bytes, &pair, |sample| count(sample.memory)).at_most(count(64 << 20)),
    ])
}

/// zipdl's environment.
pub(crate) fn environment(endpoint: &str, allowed_hosts: &str, ca_bundle: String) -> Environment {
    vec![
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("CREDENTIALS", "arn:aws:secretsmanager:us-east-1:000000000000:secret:bench-AbCdEf".to_owned()),
        ("OUTPUT_BUCKET", OUTPUT.to_owned()),
        ("QUEUE", "https://sqs.us-east-1.amazonaws.com/000000000000/zipdl.fifo".to_owned()),
        ("DEAD_LETTER_QUEUE", "https://sqs.us-east-1.amazonaws.com/000000000000/dead.fifo".to_owned()),
        ("ALLOWED_HOSTS", allowed_hosts.to_owned()),
        ("KEY_LAYOUT", KeyLayout::default().name().to_owned()),
        ("CA_BUNDLE", ca_bundle),
        ("MAX_ARCHIVE_BYTES", (8_u64 << 30).to_string()),
    ]
}

fn job() -> Result<Job> {
    Ok(Job {
        delivery: "bench".parse()?,
        repository: Repository { host: "127.0.0.1".parse()?, path: "acme/rocket".parse()? },
        reference: "refs/heads/main".parse()?,
        commit: None,
        trigger: Trigger::Push,
        summary: Some("Build a rocket".to_owned()),
        scope: None,
        spelling: contract::PathSpelling::default(),
        deleted: false,
    })
}
