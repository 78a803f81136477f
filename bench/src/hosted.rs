//! A repository on the local Git host, with its pushes, and the jobs for a worker and its rival.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use contract::{Job, KeyLayout, Repository, Trigger};

use crate::account::{Account, OUTPUT};
use crate::bench::Bench;
use crate::generate::Shape;
use crate::git;
use crate::program::Program;

/// A bare repository that the Git host serves.
#[derive(Debug)]
pub(crate) struct Hosted {
    dir: PathBuf,
    path: String,
    pushes: u64,
}

impl Hosted {
    /// Copies a generated repository to the host.
    pub(crate) fn new(bench: &Bench, account: &Account, name: &str, shape: Shape) -> Result<Self> {
        let path = format!("acme/{name}");
        let dir = account.local.host.root().join(format!("{path}.git"));
        let original = bench.inputs.repository(name, shape)?;
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(dir.parent().context("find the owner's folder")?)?;
        git::run(
            bench.scratch(),
            &["clone", "--quiet", "--bare", &original.to_string_lossy(), &dir.to_string_lossy()],
        )?;
        Ok(Self { dir, path, pushes: 0 })
    }

    /// Commits a change of one file.
    pub(crate) fn push(&mut self) -> Result<()> {
        self.pushes += 1;
        let text = format!("push {}\n", self.pushes).repeat(40);
        let time = 1_800_000_000 + self.pushes;
        git::import(&self.dir, |out| {
            writeln!(out, "commit refs/heads/main\ncommitter Bench <bench@example.org> {time} +0000")?;
            writeln!(out, "data 6\nChange\nfrom refs/heads/main^0")?;
            writeln!(out, "M 100644 inline changed.txt\ndata {}\n{text}\ndone", text.len())
        })
    }

    /// The job of the last push.
    pub(crate) fn job(&self) -> Result<Job> {
        Ok(Job {
            delivery: format!("bench-{}", self.pushes).parse()?,
            repository: Repository { host: "127.0.0.1".parse()?, path: self.path.parse()? },
            reference: "refs/heads/main".parse()?,
            commit: Some(git::run(&self.dir, &["rev-parse", "refs/heads/main"])?.parse()?),
            trigger: Trigger::Push,
            summary: None,
            scope: None,
            spelling: contract::PathSpelling::default(),
            deleted: false,
        })
    }

    /// The key of its zip.
    pub(crate) fn key(&self) -> Result<String> {
        Ok(self.job()?.artifact_key(KeyLayout::default(), Some("main")))
    }

    /// The key of the rival's zip.
    pub(crate) fn rival_key(&self) -> String {
        format!("rival/{}.zip", self.path)
    }

    /// The rival with the same task: Git, zip and boto3, with a Git host on this port and its clone
    /// in this folder.
    pub(crate) fn rival(&self, bench: &Bench, account: &Account, port: u16, clone: &Path) -> Program {
        let sshd = &account.local.sshd;
        let url = format!("ssh://{}@127.0.0.1:{port}/{}.git", sshd.user, self.path);
        let ssh = format!(
            "ssh -F /dev/null -i '{}' -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
             -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
            account.identity.display()
        );
        let program = Program::new(bench.python(), bench.scratch())
            .arg(bench.rival("worker.py"))
            .arg(url)
            .arg(clone)
            .args(&[&account.local.cloud.account.endpoint, OUTPUT, &self.rival_key()])
            .env("GIT_SSH_COMMAND", ssh);
        git::ISOLATED.iter().fold(program, |program, (name, value)| program.env(name, value))
    }
}
