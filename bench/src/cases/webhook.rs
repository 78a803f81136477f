//! A sender's waiting time: a signed push event of 100 KB, from the function's receipt to its
//! response. It includes the message to the queue, which a stand-in accepts. The rival checks the
//! signature and parses the JSON in Python.

use std::{fs, thread};

use anyhow::{Result, anyhow, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use local::webhook::{Push, signature};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::account::Environment;
use crate::bench::Bench;
use crate::function::Function;
use crate::program::Program;
use crate::row::Row;
use crate::sample::{Pair, Sample};
use crate::stand_in::{Secrets, StandIn};

/// The name of the case.
pub(crate) const NAMES: [&str; 1] = [CASE];
/// The name that the costs are calculated from.
pub(crate) const CASE: &str = "webhook, 100 KB push event";
const SECRET: &str = "bench-secret";
const EVENTS: usize = 1000;
const BODY: usize = 100_000;

/// Measures it.
pub(crate) async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let body = body()?;
    let pair = Pair { ours: on_one_core(|| ours(bench, &body))?, rival: rival(bench, &body).await? };
    let mut row = Row::wall(CASE, &pair).at_most(0.001);
    row.bytes = Some(body.len() as u64);
    Ok(vec![row])
}

/// Measures on the first processor only: a function with so little memory has one, and waking up a
/// second for each message takes a large part of a millisecond.
fn on_one_core<T: Send, F: Future<Output = Result<T>>>(measure: impl FnOnce() -> F + Send) -> Result<T> {
    let measured = || {
        let mut first = CpuSet::new();
        first.set(0);
        sched_setaffinity(None, &first)?;
        Builder::new_current_thread().enable_all().build()?.block_on(measure())
    };
    thread::scope(|scope| scope.spawn(measured).join())
        .map_err(|_panic| anyhow!("the thread that measures has ended"))?
}

async fn ours(bench: &Bench, body: &str) -> Result<Vec<Sample>> {
    let aws = StandIn::start(Secrets { secret: SECRET.to_owned(), ..Secrets::default() }).await?;
    let mut function = Function::start(bench, "webhook", &environment(&aws.endpoint)).await?;
    let mut samples = Vec::new();
    // A few to open connections and read the secret, as in a warm function.
    for number in 0..EVENTS + 10 {
        let processor = function.process.processor()?;
        let (time, answer) = function.invoke(&event(body, number)).await?;
        ensure!(answer["statusCode"] == 202, "the webhook was refused: {answer}");
        let processor = function.process.processor()? - processor;
        let memory = function.process.peak_memory()?;
        if number >= 10 {
            samples.push(Sample { wall: time.as_secs_f64(), processor, memory, ..Sample::default() });
        }
    }
    Ok(samples)
}

/// The webhook function's environment.
pub(crate) fn environment(endpoint: &str) -> Environment {
    let queue = |name: &str| format!("https://sqs.us-east-1.amazonaws.com/000000000000/{name}.fifo");
    vec![
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("API_SECRET", "arn:aws:secretsmanager:us-east-1:000000000000:secret:bench-AbCdEf".to_owned()),
        ("GITPULL_QUEUE", queue("gitpull")),
        ("ZIPDL_QUEUE", queue("zipdl")),
        ("ALLOWED_IPS", String::new()),
        ("REPOSITORIES", String::new()),
        ("REFS", String::new()),
        ("MINIMUM_SIGNATURE", "sha256".to_owned()),
        ("ALLOWED_HOSTS", "github.com".to_owned()),
    ]
}

/// GitHub's event for a push of many commits.
fn body() -> Result<String> {
    let push = Push {
        before: "1".repeat(40),
        after: "2".repeat(40),
        reference: "refs/heads/main".to_owned(),
        subject: "Build a rocket".to_owned(),
        repository: "acme/rocket".to_owned(),
        ssh_url: "git@github.com:acme/rocket.git".to_owned(),
        default_branch: "main".to_owned(),
    };
    let mut event: Value = serde_json::from_slice(&push.body())?;
    let mut commits = Vec::new();
    let mut length = 0;
    while length < BODY {
        let number = commits.len();
        let commit = json!({
            "id": format!("{number:040x}"), "tree_id": format!("{number:040x}"), "distinct": true,
            "message": "Turn the knob a little further than before", "timestamp": "2026-01-01T00:00:00Z",
            "url": format!("https://github.com/acme/rocket/commit/{number:040x}"),
            "author": { "name": "Developer", "email": "developer@example.org", "username": "developer" },
            "added": [], "removed": [], "modified": [format!("src/engine/valve_{number}.rs"), "README.md"],
        });
        length += commit.to_string().len() + 1;
        commits.push(commit);
    }
    event["commits"] = commits.into();
    Ok(event.to_string())
}

/// The body in API Gateway's event.
fn event(body: &str, number: usize) -> Value {
    json!({
        "httpMethod": "POST", "resource": "/gitpull", "path": "/gitpull",
        "multiValueHeaders": {
            "content-type": ["application/json"],
            "X-GitHub-Event": ["push"],
            "X-GitHub-Delivery": [format!("bench-{number}")],
            "X-Hub-Signature-256": [signature(SECRET, body.as_bytes())],
        },
        "requestContext": { "httpMethod": "POST", "identity": { "sourceIp": "203.0.113.9" } },
        "body": STANDARD.encode(body), "isBase64Encoded": true,
    })
}

async fn rival(bench: &Bench, body: &str) -> Result<Vec<Sample>> {
    let (input, output) = (bench.scratch().join("event.json"), bench.scratch().join("seconds"));
    fs::write(&input, event(body, 0).to_string())?;
    let script = bench.rival("webhook.py");
    let program =
        Program::new(bench.python(), bench.scratch()).arg(script).arg(&input).arg(SECRET).to(&output).on_one_core();
    program.run(bench).await?;
    let seconds = fs::read_to_string(&output)?;
    Ok(seconds.lines().map(|line| Sample { wall: line.parse().unwrap_or_default(), ..Sample::default() }).collect())
}
