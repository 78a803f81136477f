//! The command that sshd runs for every connection: it decides which program a client of the local
//! Git host may start, and on which folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::sshd::Access;

/// A permitted command: a Git service and its repository.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// `git-upload-pack`, `git-receive-pack` or `git-lfs-authenticate`.
    pub program: &'static str,
    /// The bare repository's folder.
    pub repository: PathBuf,
}

impl Service {
    /// Parses the client's command: `git-upload-pack '/owner/name.git'` or, for Azure DevOps,
    /// `'v3/owner/name'`; or `git-lfs-authenticate '/owner/name.git' download`. Nothing looser.
    ///
    /// # Errors
    /// It is any other command, writes with a reader's key, names no repository under `root`, or
    /// another one than `only`.
    pub fn parse(command: &str, access: Access, root: &Path, only: Option<&str>) -> Result<Self> {
        let (program, argument) = command.split_once(' ').with_context(|| format!("not a Git service: {command}"))?;
        let (program, argument) = match (program, access) {
            ("git-upload-pack", _) => ("git-upload-pack", argument),
            ("git-lfs-authenticate", _) => {
                ("git-lfs-authenticate", argument.strip_suffix(" download").context("only downloads")?)
            }
            ("git-receive-pack", Access::Write) => ("git-receive-pack", argument),
            ("git-receive-pack", Access::Read) => bail!("this key may only fetch"),
            _ => bail!("not a Git service: {program}"),
        };
        let quoted = argument.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        let usual = |path: &'_ str| Some(path.strip_prefix('/')?.strip_suffix(".git")?.to_owned());
        let path = quoted.and_then(|path| usual(path).or_else(|| path.strip_prefix("v3/").map(str::to_owned)));
        let path = path.with_context(|| format!("not a repository's path: {argument}"))?;
        let plain = |part: &str| {
            part.starts_with(|first: char| first.is_ascii_alphanumeric())
                && part.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
        };
        ensure!(path.split('/').all(plain), "not a repository's path: {argument}");
        // GitHub's words for a repository that the key may not read.
        ensure!(only.is_none_or(|only| only == path), "Repository not found: {path}");
        let repository = root.join(format!("{path}.git"));
        ensure!(repository.join("HEAD").is_file(), "no such repository: {path}");
        Ok(Self { program, repository })
    }

    /// The response to requests for access to large files, if this file exists.
    fn lfs_access(&self) -> PathBuf {
        self.repository.join("lfs/access.json")
    }

    /// Runs the service in place of this process.
    ///
    /// # Errors
    /// It can't be started. For a Git service, this doesn't return otherwise.
    pub fn run(&self) -> Result<()> {
        use std::os::unix::process::CommandExt as _;
        if self.program == "git-lfs-authenticate" {
            let access = std::fs::read(self.lfs_access()).context("this repository has no Git LFS")?;
            return std::io::stdout().write_all(&access).context("write the Git LFS access");
        }
        let mut git = std::process::Command::new("git");
        git.arg(self.program.trim_start_matches("git-")).arg(&self.repository);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        Err(git.exec()).with_context(|| format!("start {}", self.program))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_git_services_are_accepted() {
        let root = tempfile::tempdir().unwrap();
        let repository = root.path().join("acme/rocket.git");
        std::fs::create_dir_all(&repository).unwrap();
        std::fs::write(repository.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let parse_only =
            |command, access, only| Service::parse(command, access, root.path(), only).map(|service| service.program);
        let parse = |command, access| parse_only(command, access, None);

        assert_eq!(parse("git-upload-pack '/acme/rocket.git'", Access::Read).unwrap(), "git-upload-pack");
        assert_eq!(parse("git-receive-pack '/acme/rocket.git'", Access::Write).unwrap(), "git-receive-pack");
        let fetch = "git-upload-pack '/acme/rocket.git'";
        assert!(parse_only(fetch, Access::Read, Some("acme/rocket")).is_ok());
        assert!(parse_only(fetch, Access::Read, Some("acme/other")).is_err());
        let authenticate = "git-lfs-authenticate '/acme/rocket.git' download";
        assert_eq!(parse(authenticate, Access::Read).unwrap(), "git-lfs-authenticate");
        for refused in [
            "git-lfs-authenticate '/acme/rocket.git' upload",
            "git-lfs-authenticate '/acme/other.git' download",
            "git-receive-pack '/acme/rocket.git'",
            "git-upload-archive '/acme/rocket.git'",
            "git-upload-pack '/acme/../acme/rocket.git'",
            "git-upload-pack '//acme/rocket.git'",
            "git-upload-pack 'acme/rocket.git'",
            "git-upload-pack '/acme/rocket.git' '/x.git'",
            "git-upload-pack '/acme/other.git'",
            "git-upload-pack --strict '/acme/rocket.git'",
            "sh",
            "",
        ] {
            assert!(parse(refused, Access::Read).is_err(), "{refused}");
        }
    }
}
