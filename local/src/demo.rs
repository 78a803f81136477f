//! The demo shows all steps of a push: each is real, and reports its result and its duration.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result, bail, ensure};
use deployment::render::progress::{Progress, Terminal};
use deployment::render::shown::Shown;

use crate::artifact::{Artifact, bytes_received};
use crate::aws::Account;
use crate::local::Local;

const REPOSITORY: &str = "acme/rocket";
const PATIENCE: Duration = Duration::from_mins(1);
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const BOLD: Style = Style::new().bold();

/// The results of the demo.
#[derive(Debug)]
pub struct Demonstrated {
    /// `s3://` address of the zip.
    pub address: String,
    /// The commit in it.
    pub commit: String,
    /// Bytes of the zip.
    pub size: usize,
    /// From the start of `git push` until the object was stored.
    pub push_to_object: Duration,
}

/// Runs the demo in `dir`. Everything that it started ends with it, even on errors.
///
/// # Errors
/// A step failed.
pub async fn run(dir: &Path) -> Result<Demonstrated> {
    let mut steps = Steps::new();
    let shown = show(&mut steps, dir).await;
    if shown.is_err() {
        steps.failed();
    }
    shown
}

async fn show(steps: &mut Steps, dir: &Path) -> Result<Demonstrated> {
    steps.begin("start an AWS account and a Git host");
    let local = Local::tied(dir).await?;
    let account = &local.cloud.account;
    steps.done(&format!("{} and {}", account.endpoint, local.host.base_url));

    steps.begin("package the functions");
    let manifest = local.package(steps)?;
    let bytes: u64 = manifest.assets.iter().map(|asset| asset.size).sum();
    steps.done(&format!("{} functions for {}, {}", manifest.assets.len(), manifest.architecture, size(bytes)));

    steps.begin("deploy the stack");
    let stack = local.deploy(steps).await?;
    let bucket = stack.output("OutputBucketName")?;
    let resources = account.resources(&stack.name).await?;
    let buckets = resources.of_type("AWS::S3::Bucket");
    steps.done(&format!("{}, {} resources", stack.name, resources.len()));

    steps.begin("commit and push");
    let clone = local.host.create(REPOSITORY).await?;
    fill(clone.dir())?;
    let commit = clone.commit("Build a rocket").await?;
    let pushed = Instant::now();
    let said = clone.push(&["main"]).await?;
    ensure!(said.contains(": 202 "), "the webhook wasn't accepted: {}", said.trim());
    steps.done(&format!("{REPOSITORY} main at {}", short(&commit)));

    steps.begin("wait for the zip");
    let key = "acme/rocket/acme_rocket.zip";
    let artifact = Artifact::wait(account, bucket, key, &commit, PATIENCE).await?;
    let push_to_object = pushed.elapsed();
    steps.done(&format!("s3://{bucket}/{key}, {}", size(artifact.zip.len() as u64)));

    steps.begin("compare with git archive");
    let tree = artifact.same_tree(&clone.archive(&commit).await?)?;
    let (links, executables) = tree.links_and_executables();
    steps.done(&format!("same tree: {} entries, of them {links} links, {executables} executables", tree.len()));

    steps.begin("push a second commit");
    let first = bytes_received(account, &commit).await?;
    fs::write(clone.dir().join("README.md"), "# Rocket\n\nIt flies.\n")?;
    let second = clone.commit("Let it fly").await?;
    let pushed_again = Instant::now();
    clone.push(&["main"]).await?;
    let again = Artifact::wait(account, bucket, key, &second, PATIENCE).await?;
    let took = pushed_again.elapsed();
    again.same_tree(&clone.archive(&second).await?)?;
    steps.done(&format!("{} in the bucket {:.2} s later, same tree", short(&second), took.as_secs_f64()));

    steps.begin("see what was fetched");
    let change = bytes_received(account, &second).await?;
    ensure!(change < first / 10, "{change} bytes were fetched for a change of one line, {first} for everything");
    steps.done(&format!("only the change: {change} bytes, after {first} for the first push"));

    steps.begin("delete the stack");
    local.destroy(&stack.name, steps).await?;
    gone(account, &buckets).await?;
    steps.done(&format!("gone, and all its buckets: {}", buckets.join(", ")));

    steps.begin("stop everything");
    drop(local);
    fs::remove_dir_all(dir).with_context(|| format!("remove {}", dir.display()))?;
    steps.done("no process and no file left");

    Ok(Demonstrated { address: format!("s3://{bucket}/{key}"), commit, size: artifact.zip.len(), push_to_object })
}

/// A small project with everything that a tree can contain, and one file that is large enough to
/// notice if it is fetched twice.
fn fill(dir: &Path) -> Result<()> {
    let write = |path: &str, content: &[u8]| -> Result<()> {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap_or(dir))?;
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))
    };
    write("README.md", b"# Rocket\n")?;
    write("src/main.c", b"int main(void) { return 0; }\n")?;
    write("docs/\u{fc}ber uns.txt", b"two words, one umlaut\n")?;
    write(".github/workflows/build.yml", b"on: push\n")?;
    write("empty", b"")?;
    write("engine/thrust.bin", &(0..256 * 1024).map(|_| rand::random::<u8>()).collect::<Vec<_>>())?;
    write("launch.sh", b"#!/bin/sh\necho lift-off\n")?;
    fs::set_permissions(dir.join("launch.sh"), fs::Permissions::from_mode(0o755))?;
    symlink("docs/\u{fc}ber uns.txt", dir.join("about"))?;
    symlink("/etc/passwd", dir.join("outside"))?;
    Ok(())
}

async fn gone(account: &Account, buckets: &[String]) -> Result<()> {
    ensure!(buckets.len() == 3, "the stack had {} buckets", buckets.len());
    let left = account.s3.list_buckets().send().await?;
    let names: Vec<_> = left.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    if let Some(bucket) = buckets.iter().find(|bucket| names.contains(&bucket.as_str())) {
        bail!("the bucket {bucket} is still there");
    }
    Ok(())
}

/// The demo's output: on a terminal the current step, everywhere the completed ones.
struct Steps {
    terminal: Terminal,
    step: String,
    begun: Instant,
}

impl Steps {
    fn new() -> Self {
        Self { terminal: Terminal::new(), step: String::new(), begun: Instant::now() }
    }

    fn begin(&mut self, step: &str) {
        step.clone_into(&mut self.step);
        self.begun = Instant::now();
        self.terminal.waiting(step);
    }

    fn done(&mut self, result: &str) {
        let time = format!("{:.2} s", self.begun.elapsed().as_secs_f64());
        let mut line = Shown::default();
        line.add_styled(GREEN, "✓");
        line.add(&format!(" {:<36} {time:>9}  {result}", self.step));
        self.terminal.show(&line);
    }

    fn failed(&mut self) {
        let time = format!("{:.2} s", self.begun.elapsed().as_secs_f64());
        let mut line = Shown::default();
        line.add_styled(RED, "✗");
        line.add(" ");
        line.add_styled(BOLD, &format!("{:<36}", self.step));
        line.add(&format!(" {time:>9}"));
        self.terminal.show(&line);
    }
}

impl Progress for Steps {
    // Progress within a step is shown only in the moving line.
    fn show(&mut self, text: &Shown) {
        self.terminal.waiting(&format!("{}: {}", self.step, text.plain()));
    }

    fn waiting(&mut self, what: &str) {
        self.terminal.waiting(&format!("{}: {what}", self.step));
    }

    fn pause(&mut self) {
        self.terminal.pause();
    }
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
