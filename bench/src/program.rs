//! A program that is run and measured with all its children. A small script does that from outside,
//! for ours and for rivals, because only a process's parent learns its resource usage.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::bench::Bench;
use crate::sample::Sample;

/// A program with its arguments and environment.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    command: Vec<OsString>,
    dir: PathBuf,
    environment: Vec<(String, OsString)>,
    out: Option<PathBuf>,
    allowed: Vec<i32>,
}

/// The script's report.
#[derive(Deserialize)]
struct Report {
    #[serde(flatten)]
    sample: Sample,
    code: i32,
}

impl Program {
    /// A program that is run in `dir`.
    pub(crate) fn new(program: impl AsRef<OsStr>, dir: &Path) -> Self {
        let command = vec![program.as_ref().to_owned()];
        Self { command, dir: dir.to_owned(), environment: Vec::new(), out: None, allowed: vec![0] }
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub(crate) fn args(self, arguments: &[&str]) -> Self {
        arguments.iter().fold(self, Self::arg)
    }

    /// Adds an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Writes its output to a file, whose length is the size of the result.
    pub(crate) fn to(mut self, file: &Path) -> Self {
        self.out = Some(file.to_owned());
        self
    }

    /// Also accepts this exit code.
    pub(crate) fn may_end_with(mut self, code: i32) -> Self {
        self.allowed.push(code);
        self
    }

    /// Uses only the first processor.
    pub(crate) fn on_one_core(mut self) -> Self {
        self.command.splice(0..0, ["taskset", "-c", "0"].map(OsString::from));
        self
    }

    /// The command itself, to talk to it while it runs.
    pub(crate) fn command(&self) -> tokio::process::Command {
        let mut words = self.command.iter();
        let mut command = tokio::process::Command::new(words.next().map(OsString::as_os_str).unwrap_or_default());
        command.args(words).current_dir(&self.dir).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.kill_on_drop(true);
        command
    }

    /// Runs it.
    pub(crate) async fn run(&self, bench: &Bench) -> Result<Sample> {
        let report = bench.scratch().join("measured.json");
        let mut command = tokio::process::Command::new(bench.python());
        command.arg(bench.rival("measure.py")).arg(&report).args(&self.command);
        command.current_dir(&self.dir).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(match &self.out {
            Some(file) => File::create(file).with_context(|| format!("create {}", file.display()))?.into(),
            None => Stdio::null(),
        });
        let child = command.stderr(Stdio::piped()).spawn().context("run Python")?;
        let out = child.wait_with_output().await.context("wait for Python")?;
        let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        ensure!(out.status.success(), "measure.py failed: {said}");
        let Report { mut sample, code } = serde_json::from_slice(&std::fs::read(&report)?)?;
        let name = self.command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        ensure!(self.allowed.contains(&code), "{name} ended with {code}: {said}");
        if let Some(file) = &self.out {
            sample.bytes = std::fs::metadata(file)?.len();
        }
        Ok(sample)
    }
}
