//! What a stack says about the repositories that it serves.

use contract::{
    AllowedHost, AllowedHosts, AllowedHostsError, ApiSecrets, HostKind, HostName, Job, KeyLayout, KeyLayoutError,
    PathSpelling, PatternsError, RefName, Refs, Repositories, Repository, job::Trigger,
};
use deployment::account::Account;
use deployment::call_error::CallError;
use deployment::deploy::{self, Description, Resource};
use host_api::PublicKey;
use https::CaBundleError;
use secrecy::SecretString;

use super::{Endpoint, SshKeys, SshKeysError};
use crate::github_app::{App, app_of};

/// Why a stack can't be connected.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// AWS couldn't be asked, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The keys couldn't be read.
    #[error(transparent)]
    Keys(#[from] SshKeysError),
    /// It has no such output or resource.
    #[error("stack {stack} has no {name}: it isn't a stack of git2s3, or of an older version")]
    Lacks {
        /// The stack.
        stack: String,
        /// The output or the resource.
        name: &'static str,
    },
    /// A parameter can't be understood.
    #[error("the stack's parameter can't be understood")]
    Hosts(#[from] AllowedHostsError),
    /// A parameter can't be understood.
    #[error("the stack's parameter can't be understood")]
    Patterns(#[from] PatternsError),
    /// A parameter can't be understood.
    #[error("the stack's parameter can't be understood")]
    KeyLayout(#[from] KeyLayoutError),
    /// A parameter can't be understood.
    #[error("the stack's parameter can't be understood")]
    CaBundle(#[from] CaBundleError),
    /// The GitHub App's host isn't allowed.
    #[error("the GitHub App's host {0} is not in the stack's parameter AllowedGitHosts, or not with kind=github")]
    AppHost(String),
    /// The webhook secret isn't text.
    #[error("the secret {0} is empty")]
    NoSecret(String),
}

impl TargetError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Call(error) => error.hint(),
            Self::Keys(error) => error.hint(),
            Self::AppHost(name) => {
                Some(format!("deploy with {name} in AllowedGitHosts, or with another GitHubAppHost"))
            }
            Self::Lacks { .. } => Some("deploy this version, or name another stack: --stack-name NAME".to_owned()),
            _ => None,
        }
    }
}

/// Why a stack doesn't serve a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its host isn't allowed.
    #[error("{0} is not in the stack's parameter AllowedGitHosts")]
    Host(String),
    /// It isn't included.
    #[error("the stack's parameter Repositories does not include {0}")]
    Repository(String),
    /// No webhook secret is valid for it.
    #[error("no secret in ApiSecret is valid for {0}")]
    Secret(String),
}

impl Refusal {
    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Host(_) => "deploy with the host in AllowedGitHosts",
            Self::Repository(_) => "deploy with the repository in Repositories, or leave it out here",
            Self::Secret(_) => "add a secret for it to ApiSecret: [host/owner/name]secret",
        }
    }
}

/// The stack that repositories are connected to.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Where it serves downloads from the hosts' archives, and pulls.
    urls: [String; 2],
    /// The bucket with the zips.
    pub bucket: String,
    /// The log of gitpull.
    pub(super) pull_log: String,
    /// The hosts that it serves.
    pub hosts: AllowedHosts,
    /// Additional authorities, PEM.
    pub ca_bundle: String,
    /// The keys of single repositories.
    pub keys: SshKeys,
    /// The key of the whole stack.
    pub stack_key: Option<PublicKey>,
    /// The GitHub App, with which gitpull fetches from its host.
    pub app: Option<App>,
    /// How gitpull fetches from the others: by SSH, or by HTTPS, which needs no key.
    pub is_over_ssh: bool,
    repositories: Repositories,
    refs: Refs,
    key_layout: KeyLayout,
    secret_id: String,
}

impl Target {
    /// Reads a stack that exists.
    ///
    /// # Errors
    /// AWS couldn't be asked, or it isn't a stack that this version can connect to.
    pub async fn read(account: &Account, name: &str, stack: &Description) -> Result<Self, TargetError> {
        let lacks = |missing| TargetError::Lacks { stack: name.to_owned(), name: missing };
        let output = |output| stack.outputs.get(output).cloned().ok_or_else(|| lacks(output));
        let parameter = |parameter| stack.parameters.get(parameter).map(String::as_str).unwrap_or_default();
        let resources = deploy::resources(account, name).await?;
        let resource = |id| {
            let found = resources.iter().find(|resource: &&Resource| resource.logical_id == id && !resource.is_gone());
            found.map(|resource| resource.physical_id.as_str()).ok_or_else(|| lacks(id))
        };
        Ok(Self {
            name: name.to_owned(),
            urls: [output("GitPullWebHookApi")?, output("ZipDownloadWebHookApi")?],
            bucket: output("OutputBucketName")?,
            pull_log: resource("GitPullLogGroup")?.to_owned(),
            hosts: parameter("AllowedGitHosts").parse()?,
            ca_bundle: parameter("CaBundle").to_owned(),
            keys: SshKeys::read(account, resource("SshKeyFunction")?).await?,
            stack_key: stack.outputs.get("PublicSSHKey").and_then(|key| key.parse().ok()),
            app: app(account, stack)?,
            is_over_ssh: parameter("FetchOver") != "https",
            repositories: Repositories::parse("Repositories", parameter("Repositories"))?,
            refs: parameter("Refs").parse()?,
            key_layout: parameter("KeyLayout").parse()?,
            secret_id: resource("ApiSecretValue")?.to_owned(),
        })
    }

    /// The GitHub App, if it is the way to this host.
    pub fn app_of(&self, host: &HostName) -> Option<&App> {
        self.app.as_ref().filter(|app| app.host().host == *host)
    }

    /// The URL of an endpoint.
    pub fn url(&self, endpoint: Endpoint) -> &str {
        let [gitpull, zipdl] = &self.urls;
        match endpoint {
            Endpoint::GitPull => gitpull,
            Endpoint::ZipDl => zipdl,
        }
    }

    /// Both URLs.
    pub fn urls(&self) -> &[String; 2] {
        &self.urls
    }

    /// The host of a repository that the stack serves.
    ///
    /// # Errors
    /// It doesn't serve it.
    pub fn permit(&self, repository: &Repository) -> Result<&AllowedHost, Refusal> {
        let host = self.hosts.find(repository.host.as_str());
        let host = host.ok_or_else(|| Refusal::Host(repository.host.to_string()))?;
        let permitted = self.repositories.permit(repository, host);
        permitted.map(|()| host).map_err(|_| Refusal::Repository(repository.to_string()))
    }

    /// Reads the webhook secrets.
    ///
    /// # Errors
    /// AWS couldn't be asked, or refused.
    pub async fn webhook_secrets(&self, account: &Account) -> Result<ApiSecrets, TargetError> {
        let client = aws_sdk_secretsmanager::Client::new(&account.config);
        let answer = client.get_secret_value().secret_id(&self.secret_id).send().await;
        let answer = answer.map_err(|error| CallError::new("read the webhook secret", error))?;
        let text = answer.secret_string.map(SecretString::from);
        Ok(ApiSecrets::parse(&text.ok_or_else(|| TargetError::NoSecret(self.secret_id.clone()))?))
    }

    /// The key of the zip of a repository's default branch, if pushes to it become zips.
    pub fn artifact_key(&self, repository: &Repository, default_branch: &str) -> Option<String> {
        let reference: RefName = format!("refs/heads/{default_branch}").parse().ok()?;
        let job = Job {
            delivery: "0".parse().ok()?,
            repository: repository.clone(),
            reference: reference.clone(),
            commit: None,
            trigger: Trigger::Push,
            summary: None,
            scope: None,
            spelling: PathSpelling::default(),
            deleted: false,
        };
        self.refs.include(&reference).then(|| job.artifact_key(self.key_layout, Some(default_branch)))
    }
}

/// The GitHub App of a stack.
fn app(account: &Account, stack: &Description) -> Result<Option<App>, TargetError> {
    let parameter = |name| stack.parameters.get(name).map(String::as_str).unwrap_or_default();
    let (id, key, name) = (parameter("GitHubAppId"), parameter("GitHubAppKey"), parameter("GitHubAppHost"));
    if id.is_empty() {
        return Ok(None);
    }
    let hosts: AllowedHosts = parameter("AllowedGitHosts").parse()?;
    let host = hosts.find_of(HostKind::GitHub, name);
    let host = host.ok_or_else(|| TargetError::AppHost(name.to_owned()))?;
    let client = https::Client::new(&hosts, parameter("CaBundle"))?;
    Ok(Some(app_of(account, host, id, key, client)))
}

/// The first webhook secret that is valid for all repositories.
pub fn secret_for_all(secrets: &ApiSecrets) -> Option<SecretString> {
    let secret = secrets.iter().find(|secret| secret.repositories.is_none())?;
    std::str::from_utf8(secret.value()).ok().map(SecretString::from)
}

/// The webhook secret for a repository: the first one that is valid for it, so that a new one is
/// put before the one that it replaces.
///
/// # Errors
/// None is.
pub fn secret_for(secrets: &ApiSecrets, repository: &Repository, host: &AllowedHost) -> Result<SecretString, Refusal> {
    let is_valid = |globs: &Repositories| globs.permit(repository, host).is_ok();
    let mut valid = secrets.iter().filter(|secret| secret.repositories.as_ref().is_none_or(is_valid));
    let secret = valid.next().and_then(|secret| std::str::from_utf8(secret.value()).ok());
    secret.map(SecretString::from).ok_or_else(|| Refusal::Secret(repository.to_string()))
}
