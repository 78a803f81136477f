//! Real Git, independent of the user's and the system's configuration.

use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::generate::{self, Shape};

/// Variables that make Git ignore other configuration.
pub(crate) const ISOLATED: [(&str, &str); 3] =
    [("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null"), ("GIT_TERMINAL_PROMPT", "0")];

/// A Git command in a folder.
pub(crate) fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(dir).envs(ISOLATED).stdin(Stdio::null());
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        git.env_remove(name);
    }
    git
}

/// Runs a Git command. Returns its output, trimmed.
pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Result<String> {
    let out = command(dir, arguments).output().context("run git")?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "git {} failed in {}: {}", arguments.join(" "), dir.display(), said.trim());
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// Generates a repository in an empty folder.
pub(crate) fn generate(dir: &Path, shape: Shape) -> Result<()> {
    run(dir, &["init", "--quiet", "--bare", "--initial-branch=main", "."])?;
    import(dir, |stream| generate::write(shape, 1, stream))?;
    // As on a server: one pack. Deltas are recomputed only if that doesn't take minutes.
    let repack = ["repack", "-a", "-d", "-q", "--depth=50", "--window=10", "-f"];
    let length = if shape.bytes > 200 << 20 { repack.len() - 1 } else { repack.len() };
    run(dir, &repack[..length])?;
    Ok(())
}

/// Streams commits into a bare repository.
pub(crate) fn import(
    dir: &Path,
    write: impl FnOnce(&mut BufWriter<&mut std::process::ChildStdin>) -> std::io::Result<()>,
) -> Result<()> {
    let mut import = command(dir, &["fast-import", "--quiet", "--done"]);
    let mut import = import.stdin(Stdio::piped()).spawn().context("run git fast-import")?;
    let mut input = import.stdin.take().context("write to git fast-import")?;
    let mut stream = BufWriter::with_capacity(1 << 20, &mut input);
    let written = write(&mut stream).and_then(|()| std::io::Write::flush(&mut stream));
    drop(stream);
    drop(input);
    let status = import.wait().context("wait for git fast-import")?;
    written.context("write to git fast-import")?;
    ensure!(status.success(), "git fast-import failed in {}", dir.display());
    Ok(())
}
