//! The Git host of the local cloud and its developer: bare repositories that send a signed webhook
//! after every push, and a clone to push from, independent of the user's Git configuration.

use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::process::built;
use crate::sshd::{Access, Serve, Sshd, generate_key, write_private};
use crate::webhook::{self, Push};

/// A folder of bare repositories behind an [`Sshd`], with the key of its only developer.
#[derive(Debug)]
pub struct Host {
    dir: PathBuf,
    program: PathBuf,
    /// `ssh://user@127.0.0.1:port`, without a trailing slash.
    pub base_url: String,
}

/// The hook's configuration, written when the endpoint exists.
#[derive(Debug, Serialize, Deserialize)]
struct Endpoint {
    url: String,
    secret: String,
    base_url: String,
}

impl Host {
    /// A host without repositories.
    ///
    /// # Errors
    /// The folder or the developer's key can't be created.
    pub fn start(dir: &Path, sshd: &Sshd) -> Result<Self> {
        let base_url = format!("ssh://{}@127.0.0.1:{}", sshd.user, sshd.port);
        let host = Self { dir: dir.to_owned(), program: built("local")?, base_url };
        fs::create_dir_all(host.root())?;
        generate_key(&host.identity(), "developer")?;
        let key = fs::read_to_string(host.identity().with_extension("pub")).context("read the developer's key")?;
        sshd.authorize(&key, Access::Write, &host.serve())?;
        host.trust(sshd)?;
        Ok(host)
    }

    /// How the server accesses these repositories.
    pub fn serve(&self) -> Serve {
        Serve { program: self.program.clone(), root: self.root(), only: None }
    }

    /// Makes the developer trust the server's current host key.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn trust(&self, sshd: &Sshd) -> Result<()> {
        write_private(&self.known_hosts(), &format!("{}\n", sshd.known_hosts_line()?))
    }

    /// Reports pushes to `url` from now on, signed with `secret`.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn report_to(&self, url: &str, secret: &str) -> Result<()> {
        let endpoint = Endpoint { url: url.to_owned(), secret: secret.to_owned(), base_url: self.base_url.clone() };
        write_private(&self.dir.join("endpoint.json"), &serde_json::to_string(&endpoint)?)
    }

    /// The developer's private key.
    pub fn identity(&self) -> PathBuf {
        self.dir.join("developer")
    }

    /// The developer's `known_hosts` file.
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    /// Creates a bare repository `owner/name`, and the developer's clone of it.
    ///
    /// # Errors
    /// Git fails.
    pub async fn create(&self, path: &str) -> Result<Clone> {
        let bare = self.root().join(format!("{path}.git"));
        fs::create_dir_all(&bare)?;
        let home = Git { dir: bare.clone(), ssh: None };
        home.run(&["init", "--quiet", "--bare", "--initial-branch=main", "."]).await?;
        let quoted = |path: &Path| format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"));
        let hook = format!("#!/bin/sh\nexec {} hook --host {}\n", quoted(&self.program), quoted(&self.dir));
        let file = bare.join("hooks/post-receive");
        fs::create_dir_all(bare.join("hooks"))?;
        fs::write(&file, hook).with_context(|| format!("write {}", file.display()))?;
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        self.clone_of(path).await
    }

    async fn clone_of(&self, path: &str) -> Result<Clone> {
        let dir = self.dir.join("clones").join(path);
        fs::create_dir_all(&dir)?;
        let ssh = format!(
            "ssh -F /dev/null -i '{}' -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
             -o StrictHostKeyChecking=yes -o UserKnownHostsFile='{}' -o GlobalKnownHostsFile=/dev/null -o LogLevel=ERROR",
            self.identity().display(),
            self.known_hosts().display()
        );
        let url = format!("{}/{path}.git", self.base_url);
        let git = Git { dir, ssh: Some(ssh.clone()) };
        git.run(&["init", "--quiet", "--initial-branch=main", "."]).await?;
        // So that a person can commit and push there as well.
        for (name, value) in
            [("core.sshCommand", &*ssh), ("user.name", "Developer"), ("user.email", "developer@example.org")]
        {
            git.run(&["config", name, value]).await?;
        }
        git.run(&["remote", "add", "origin", &url]).await?;
        Ok(Clone { git, url, path: path.to_owned() })
    }

    /// The folder of the bare repositories.
    pub fn root(&self) -> PathBuf {
        self.dir.join("repositories")
    }
}

/// The developer's clone of a repository.
#[derive(Debug)]
pub struct Clone {
    git: Git,
    /// URL of its `origin`.
    pub url: String,
    /// `owner/name`.
    pub path: String,
}

impl Clone {
    /// The working tree.
    pub fn dir(&self) -> &Path {
        &self.git.dir
    }

    /// Commits everything in the working tree. Returns the commit's ID.
    ///
    /// # Errors
    /// Git fails.
    pub async fn commit(&self, message: &str) -> Result<String> {
        self.git.run(&["add", "--all", "."]).await?;
        self.git.run(&["commit", "--quiet", "--allow-empty", "--message", message]).await?;
        self.git.text(&["rev-parse", "HEAD"]).await
    }

    /// Pushes these refspecs. Returns the host's messages, including the hook's report.
    ///
    /// # Errors
    /// The push is refused.
    pub async fn push(&self, refspecs: &[&str]) -> Result<String> {
        let out = self.git.output(&[&["push", "--quiet", "origin"], refspecs].concat()).await?;
        Ok(String::from_utf8_lossy(&out.stderr).into_owned())
    }

    /// Git's output, trimmed.
    ///
    /// # Errors
    /// Git fails.
    pub async fn git(&self, arguments: &[&str]) -> Result<String> {
        self.git.text(arguments).await
    }

    /// `git archive --format=tar` of a commit.
    ///
    /// # Errors
    /// Git fails.
    pub async fn archive(&self, commit: &str) -> Result<Vec<u8>> {
        self.git.run(&["archive", "--format=tar", commit]).await
    }
}

/// Runs real Git in a folder, independent of the user's and the system's configuration.
#[derive(Debug)]
struct Git {
    dir: PathBuf,
    ssh: Option<String>,
}

impl Git {
    async fn text(&self, arguments: &[&str]) -> Result<String> {
        Ok(String::from_utf8(self.run(arguments).await?).context("read git's output")?.trim().to_owned())
    }

    async fn run(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        Ok(self.output(arguments).await?.stdout)
    }

    async fn output(&self, arguments: &[&str]) -> Result<Output> {
        let mut git = tokio::process::Command::new("git");
        git.args(arguments).current_dir(&self.dir).stdin(Stdio::null()).kill_on_drop(true);
        // The test itself may run inside a hook.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
            git.env_remove(name);
        }
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "Developer").env(format!("GIT_{role}_EMAIL"), "developer@example.org");
        }
        if let Some(ssh) = &self.ssh {
            git.env("GIT_SSH_COMMAND", ssh);
        }
        let out = git.output().await.context("run git")?;
        ensure!(
            out.status.success(),
            "git {} failed in {}: {}",
            arguments.join(" "),
            self.dir.display(),
            String::from_utf8_lossy(&out.stderr).trim()
        );
        Ok(out)
    }
}

/// The `post-receive` hook, which Git runs in the bare repository: sends one webhook per changed
/// reference. Returns a report for the person who pushed.
///
/// # Errors
/// The endpoint isn't known yet or can't be reached.
pub async fn report(host: &Path, changes: impl BufRead) -> Result<Vec<String>> {
    let endpoint = fs::read_to_string(host.join("endpoint.json")).context("no endpoint to report to")?;
    let endpoint: Endpoint = serde_json::from_str(&endpoint)?;
    let bare = std::env::current_dir()?;
    let path = bare.strip_prefix(host.join("repositories")).context("not a repository of this host")?;
    let path = path.with_extension("").to_string_lossy().into_owned();
    let git = Git { dir: bare, ssh: None };
    let head = git.text(&["symbolic-ref", "HEAD"]).await?;
    let default_branch = head.strip_prefix("refs/heads/").unwrap_or(&head).to_owned();

    let mut answers = Vec::new();
    for line in changes.lines() {
        let line = line?;
        let [before, after, reference]: [&str; 3] =
            line.splitn(3, ' ').collect::<Vec<_>>().try_into().ok().context("parse the changed reference")?;
        let deleted = after.bytes().all(|byte| byte == b'0');
        let subject = if deleted { String::new() } else { git.text(&["log", "-1", "--format=%s", after]).await? };
        let push = Push {
            before: before.to_owned(),
            after: after.to_owned(),
            reference: reference.to_owned(),
            subject,
            repository: path.clone(),
            ssh_url: format!("{}/{path}.git", endpoint.base_url),
            default_branch: default_branch.clone(),
        };
        let answer = webhook::deliver(&endpoint.url, &endpoint.secret, &push).await?;
        answers.push(format!("webhook for {reference}: {} {}", answer.status, answer.body));
    }
    Ok(answers)
}
