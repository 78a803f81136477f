//! The whole local cloud: an account, a Git host and the stack between them, deployed with the code
//! of `infra deploy`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use deployment::deploy::{self, Deployment, Parameters, Template};
use deployment::package::Manifest;
use deployment::render::progress::{Progress, Silent};

use crate::cloud::Cloud;
use crate::fault_proxy::FaultProxy;
use crate::host::Host;
use crate::packaged;
use crate::process::{Lifetime, Recorded};
use crate::sshd::{Access, Sshd};

/// The default name of the stack.
pub const STACK: &str = "git2s3";

/// A callback that records which processes must be ended.
pub type Note<'a> = dyn Fn(&[Recorded]) -> Result<()> + 'a;

/// An account and a Git host.
#[derive(Debug)]
pub struct Local {
    dir: PathBuf,
    /// The account.
    pub cloud: Cloud,
    /// The Git host's SSH server.
    pub sshd: Sshd,
    /// The Git host's repositories.
    pub host: Host,
}

/// A deployed stack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// The webhook secret.
    pub api_secret: String,
    /// The webhook URL of gitpull, on this machine.
    pub webhook_url: String,
    /// The webhook URL of zipdl.
    pub zip_download_url: String,
}

impl Stack {
    /// The value of an output.
    ///
    /// # Errors
    /// The stack has no such output.
    pub fn output(&self, name: &str) -> Result<&str> {
        self.outputs.get(name).map(String::as_str).with_context(|| format!("stack {} has no output {name}", self.name))
    }
}

impl Local {
    /// Starts both in `dir`, which is emptied first, and stops them when the value is dropped.
    ///
    /// # Errors
    /// One of them doesn't become ready.
    pub async fn tied(dir: &Path) -> Result<Self> {
        Self::start(dir, Lifetime::Tied, &|_| Ok(())).await
    }

    /// The same, but functions reach the account through `proxy`.
    ///
    /// # Errors
    /// One of them doesn't become ready.
    pub async fn behind(dir: &Path, proxy: &FaultProxy) -> Result<Self> {
        Self::start_behind(dir, Lifetime::Tied, &|_| Ok(()), Some(proxy)).await
    }

    /// Starts both and deploys the stack, for most tests.
    ///
    /// # Errors
    /// Any part of it fails.
    pub async fn with_stack(dir: &Path) -> Result<(Self, Stack)> {
        let local = Self::tied(dir).await?;
        local.packaged()?;
        let stack = local.deploy(&mut Silent).await?;
        Ok((local, stack))
    }

    /// Starts both. Calls `note` with all processes whenever a new one runs.
    ///
    /// # Errors
    /// As [`Local::tied`].
    pub async fn start(dir: &Path, lifetime: Lifetime, note: &Note<'_>) -> Result<Self> {
        Self::start_behind(dir, lifetime, note, None).await
    }

    async fn start_behind(dir: &Path, lifetime: Lifetime, note: &Note<'_>, proxy: Option<&FaultProxy>) -> Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(dir).with_context(|| format!("empty {}", dir.display()))?;
        }
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let cloud = Cloud::start_behind(dir, lifetime, proxy).await?;
        note(&[cloud.record()])?;
        let sshd = Sshd::start(dir, lifetime).await?;
        note(&[cloud.record(), sshd.record()])?;
        let host = Host::start(dir, &sshd)?;
        Ok(Self { dir: dir.to_owned(), cloud, sshd, host })
    }

    /// Builds the functions for this machine and zips them.
    ///
    /// # Errors
    /// They don't build.
    pub fn package(&self, progress: &mut dyn Progress) -> Result<Manifest> {
        packaged::package(&self.dist(), progress)
    }

    /// The same for a test, whose run may have packaged them for all tests.
    ///
    /// # Errors
    /// They don't build, or the run's zips aren't there.
    pub fn packaged(&self) -> Result<()> {
        if packaged::link(&self.dist())? { Ok(()) } else { self.package(&mut Silent).map(drop) }
    }

    /// The template that `infra synth` writes for the packaged functions.
    ///
    /// # Errors
    /// It can't be created.
    pub fn template(&self) -> Result<Template> {
        Ok(deployment::synth::synthesize(&self.dist())?)
    }

    /// The parameters for a stack with this Git host, and a new secret.
    ///
    /// # Errors
    /// The host key can't be read.
    pub fn parameters(&self) -> Result<(Parameters, String)> {
        let secret = hex::encode(rand::random::<[u8; 32]>());
        let parameters = Parameters::default()
            .with("ApiSecret", secret.clone())
            .with("AllowedGitHosts", format!("{}@127.0.0.1:{}", self.sshd.user, self.sshd.port))
            .with("KnownHosts", self.sshd.known_hosts_line()?)
            .with("Repositories", "127.0.0.1/**");
        Ok((parameters, secret))
    }

    /// Deploys the packaged functions, authorizes the stack's key to fetch, and reports pushes to
    /// the stack.
    ///
    /// # Errors
    /// The stack can't be created, or lacks an output.
    pub async fn deploy(&self, progress: &mut dyn Progress) -> Result<Stack> {
        self.deploy_with(progress, |parameters| parameters).await
    }

    /// The same with other parameters.
    ///
    /// # Errors
    /// As [`Local::deploy`].
    pub async fn deploy_with(
        &self,
        progress: &mut dyn Progress,
        adapt: impl FnOnce(Parameters) -> Parameters,
    ) -> Result<Stack> {
        let (parameters, api_secret) = self.parameters()?;
        let parameters = adapt(parameters);
        let deployment = Deployment {
            stack_name: STACK.to_owned(),
            template: self.template()?,
            dist: self.dist(),
            parameters,
            tags: BTreeMap::new(),
            role: None,
        };
        let deployed = deploy::deploy(&self.cloud.account.config, &deployment, progress).await?;
        self.connect(STACK, deployed.outputs, api_secret)
    }

    /// Authorizes a stack's key to fetch, and reports pushes to the stack.
    ///
    /// # Errors
    /// The stack lacks an output.
    pub fn connect(&self, name: &str, outputs: BTreeMap<String, String>, api_secret: String) -> Result<Stack> {
        let output = |name: &str| outputs.get(name).with_context(|| format!("the stack has no output {name}"));
        self.sshd.authorize(output("PublicSSHKey")?, Access::Read, &self.host.serve())?;
        let webhook_url = self.reachable(output("GitPullWebHookApi")?)?;
        let zip_download_url = self.reachable(output("ZipDownloadWebHookApi")?)?;
        self.host.report_to(&webhook_url, &api_secret)?;
        Ok(Stack { name: name.to_owned(), outputs, api_secret, webhook_url, zip_download_url })
    }

    /// Deletes a stack with all its data.
    ///
    /// # Errors
    /// Something can't be deleted.
    pub async fn destroy(&self, stack: &str, progress: &mut dyn Progress) -> Result<()> {
        deploy::destroy(&self.cloud.account.config, stack, progress).await.context("delete the stack")
    }

    /// The folder of the packaged functions.
    pub fn dist(&self) -> PathBuf {
        self.dir.join("dist")
    }

    /// The local URL of an API's public address: the account has no DNS.
    fn reachable(&self, url: &str) -> Result<String> {
        let rest = url.strip_prefix("https://").with_context(|| format!("not an API's address: {url}"))?;
        let (host, path) = rest.split_once('/').with_context(|| format!("not an API's address: {url}"))?;
        let api = host.split('.').next().unwrap_or(host);
        Ok(format!("{}/_aws/execute-api/{api}/{path}", self.cloud.account.endpoint))
    }
}
