//! One of our functions as a process: the release binary with Lambda's Runtime API, and nothing of
//! this machine's environment.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use local::aws::{ACCESS_KEY, REGION, SECRET_KEY};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::account::Environment;
use crate::bench::Bench;
use crate::lambda::Runtime;
use crate::sample::Sample;
use crate::watched::Watched;

/// A running function.
#[derive(Debug)]
pub(crate) struct Function {
    _child: Child,
    /// The kernel's data about it.
    pub(crate) process: Watched,
    runtime: Runtime,
    /// From its start to its first request for work.
    pub(crate) init: Duration,
    log: PathBuf,
    /// Its `/tmp`.
    _temporary: TempDir,
}

impl Function {
    /// Starts a function with an empty environment and waits until it requests work.
    pub(crate) async fn start(bench: &Bench, name: &str, environment: &Environment) -> Result<Self> {
        let mut runtime = Runtime::start().await?;
        let temporary = bench.empty_folder()?;
        // Several may run at once.
        let log = bench.scratch().join(format!("{name}-{}.log", runtime.address.port()));
        let mut command = Command::new(bench.program(name));
        command.env_clear().envs(lambda(name, &runtime)).envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("TMPDIR", temporary.path()).current_dir(temporary.path()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(File::create(&log)?).stderr(Stdio::inherit());
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        let process = Watched::new(child.id().context("the function has ended")?);
        let asked = tokio::time::timeout(Duration::from_secs(30), runtime.asked()).await;
        let asked = asked.with_context(|| format!("{name} doesn't ask for work"))??;
        Ok(Self { _child: child, process, runtime, init: asked - started, log, _temporary: temporary })
    }

    /// Sends it an event. Returns how long it took, and the response.
    pub(crate) async fn invoke(&mut self, event: &Value) -> Result<(Duration, Value)> {
        let (time, answer) =
            self.runtime.invoke(serde_json::to_vec(event)?.into()).await.with_context(|| self.said())?;
        self.runtime.asked().await?;
        Ok((time, serde_json::from_slice(&answer).unwrap_or(Value::Null)))
    }

    /// Sends a worker a job, which must succeed.
    pub(crate) async fn work(&mut self, job: &contract::Job) -> Result<Sample> {
        let before = self.process.processor()?;
        let (whole, answer) = self.invoke(&batch(job)?).await?;
        let failures = answer["batchItemFailures"].as_array().map_or(1, Vec::len);
        ensure!(failures == 0, "the job failed: {}", self.said());
        let said = self.last_line("stored")?;
        let stored = said["total_ms"].as_u64().context("it doesn't say when it had stored the zip")?;
        let fetched = &said["fetch_ms"];
        crate::progress::progress(&format!(
            "  fetched after {fetched} ms, stored after {stored} ms, done after {whole:.0?}"
        ));
        let bytes = said["zip_bytes"].as_u64().unwrap_or_default();
        Ok(Sample {
            // The rest is for the next function, and nobody waits for it.
            wall: Duration::from_millis(stored).as_secs_f64(),
            processor: self.process.processor()? - before,
            memory: self.process.peak_memory()?,
            own_memory: self.process.own_memory(),
            bytes,
            trips: 0,
        })
    }

    /// The same, but counts everything since the start of the process.
    pub(crate) async fn first_work(&mut self, job: &contract::Job) -> Result<Sample> {
        let sample = self.work(job).await?;
        Ok(Sample { wall: sample.wall + self.init.as_secs_f64(), processor: self.process.processor()?, ..sample })
    }

    /// The last line of its log with this message.
    fn last_line(&self, message: &str) -> Result<Value> {
        let log = fs::read_to_string(&self.log)?;
        let lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut said = lines.filter(|line| line["message"] == message);
        said.next().with_context(|| format!("it didn't say {message:?}: {log}"))
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Lambda's variables in the environment of every function.
fn lambda(name: &str, runtime: &Runtime) -> [(&'static str, String); 10] {
    [
        ("AWS_LAMBDA_RUNTIME_API", runtime.address.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "bench".to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench".to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("PATH", "/usr/bin:/bin".to_owned()),
    ]
}

/// A job in SQS's event.
fn batch(job: &contract::Job) -> Result<Value> {
    Ok(json!({ "Records": [{
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "receipt",
        "body": serde_json::to_string(job)?,
        "attributes": { "ApproximateReceiveCount": "1" },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:bench.fifo",
        "awsRegion": REGION,
    }] }))
}
