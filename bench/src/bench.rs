//! The resources of all cases: built programs, inputs, and the number of runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::account::Account;
use crate::inputs::Inputs;

/// The resources of all cases.
#[derive(Debug)]
pub(crate) struct Bench {
    root: PathBuf,
    account: OnceCell<Account>,
    scratch: TempDir,
    /// The repositories.
    pub(crate) inputs: Inputs,
    /// The number of runs per case.
    pub(crate) runs: usize,
    /// Whether to run cases of many minutes.
    pub(crate) long: bool,
}

impl Bench {
    /// The paths in the project's folder.
    pub(crate) fn new(runs: usize, long: bool) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("find the project's folder")?;
        let inputs = Inputs::new(&root.join("target"))?;
        let scratch = TempDir::new_in(root.join("target/bench")).context("make a folder for this run")?;
        let bench = Self { root: root.to_owned(), account: OnceCell::new(), scratch, inputs, runs: runs.max(1), long };
        ensure!(
            bench.python().exists(),
            "run this by `just bench`, which brings the rivals and builds what is measured"
        );
        Ok(bench)
    }

    /// The AWS account and the Git host, started on first use.
    pub(crate) async fn account(&self) -> Result<&Account> {
        self.account.get_or_try_init(|| Account::start(self.scratch())).await
    }

    /// A file of the project.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A folder that is emptied when the run ends.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// A new empty folder.
    pub(crate) fn empty_folder(&self) -> Result<TempDir> {
        TempDir::new_in(self.scratch.path()).context("make a folder")
    }

    /// A release binary of ours.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.root.join("target/release").join(name)
    }

    /// The Python with the rivals' packages.
    pub(crate) fn python(&self) -> PathBuf {
        self.root.join(".tools/bench-py/bin/python3")
    }

    /// A rival's script.
    pub(crate) fn rival(&self, script: &str) -> PathBuf {
        self.root.join("bench/rivals").join(script)
    }
}
