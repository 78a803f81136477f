//! Builds the access from a function's environment: which host is reached how, by what it says.

use aws_config::SdkConfig;
use aws_names::{BucketName, KeyId};
use contract::{AllowedHosts, HostKind, Runtime, environment::GitPullEnvironment};
use fetch::{KnownHosts, KnownHostsError, Sessions};
use github_app::{GitHubApp, KmsKey};
use host_credentials::HostCredentials;
use https::Client;
use secret::StoredSecret;

use crate::{Access, Others, SshKeys};

/// What a function's environment says about access to hosts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bucket with the encrypted SSH keys.
    pub key_bucket: BucketName,
    /// The object with the stack's.
    pub key_object: String,
    /// The KMS key that decrypts them.
    pub kms_key: KeyId,
    /// The stack's name, part of the encryption context.
    pub stack_name: String,
    /// The `KnownHosts` parameter.
    pub known_hosts: String,
    /// The ID of the secret with the tokens, if hosts are reached over HTTPS; else empty.
    pub tokens: String,
    /// The host of the GitHub App.
    pub github_app_host: String,
    /// Its ID; empty without an App.
    pub github_app_id: String,
    /// The ARN of the key that signs for it.
    pub github_app_key: String,
}

/// Why the environment describes no access.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A line of the known hosts can't be used at all.
    #[error("read the KnownHosts parameter")]
    KnownHosts(#[source] KnownHostsError),
    /// The secret's ID is none.
    #[error("read the ID of the secret with the tokens")]
    Tokens(#[source] aws_names::NameError),
    /// The App is at a host that isn't allowed.
    #[error("{0} of GitHubAppHost is not in AllowedGitHosts, or it is there without kind=github")]
    AppHost(String),
}

impl From<&GitPullEnvironment<Runtime>> for Settings {
    fn from(environment: &GitPullEnvironment<Runtime>) -> Self {
        Self {
            key_bucket: environment.key_bucket.clone(),
            key_object: environment.key_object.clone(),
            kms_key: environment.kms_key.clone(),
            stack_name: environment.stack_name.clone(),
            known_hosts: environment.known_hosts.clone(),
            tokens: environment.tokens.clone(),
            github_app_host: environment.github_app_host.clone(),
            github_app_id: environment.github_app_id.clone(),
            github_app_key: environment.github_app_key.clone(),
        }
    }
}

impl Settings {
    /// The access that they describe.
    ///
    /// # Errors
    /// A setting is invalid.
    pub fn access(&self, config: &SdkConfig, hosts: &AllowedHosts, client: &Client) -> Result<Access, SettingsError> {
        let app = self.github_app(config, hosts, client)?;
        let others = if self.tokens.is_empty() {
            let known_hosts = KnownHosts::built_in_and_usable(&self.known_hosts);
            let (known_hosts, unusable) = known_hosts.map_err(SettingsError::KnownHosts)?;
            for error in &unusable {
                tracing::warn!(cause = contract::error_chain(error), "a line of KnownHosts is left out");
            }
            Others::Ssh { keys: Box::new(self.keys(config)), sessions: Sessions::new(known_hosts) }
        } else {
            Others::over_https(config, client, &self.tokens)?
        };
        Ok(Access { app, others })
    }

    fn keys(&self, config: &SdkConfig) -> SshKeys {
        SshKeys {
            s3: aws_sdk_s3::Client::new(config),
            kms: aws_sdk_kms::Client::new(config),
            bucket: self.key_bucket.clone(),
            object: self.key_object.clone(),
            kms_key: self.kms_key.clone(),
            stack_name: self.stack_name.clone(),
            of_stack: tokio::sync::OnceCell::new(),
            of_repositories: crate::ssh_keys::Cache::default(),
        }
    }

    /// The GitHub App, if there is one.
    ///
    /// # Errors
    /// Its host isn't allowed.
    pub fn github_app(
        &self,
        config: &SdkConfig,
        hosts: &AllowedHosts,
        client: &Client,
    ) -> Result<Option<GitHubApp<KmsKey>>, SettingsError> {
        if self.github_app_id.is_empty() {
            return Ok(None);
        }
        let name = &self.github_app_host;
        let host = hosts.find_of(HostKind::GitHub, name).ok_or_else(|| SettingsError::AppHost(name.clone()))?;
        let key = KmsKey::new(aws_sdk_kms::Client::new(config), &self.github_app_key);
        Ok(Some(GitHubApp::new(host.clone(), &self.github_app_id, key, client.clone())))
    }
}

impl Others {
    /// Over HTTPS, with the tokens in the secret with this ID.
    ///
    /// # Errors
    /// It is no ID.
    pub fn over_https(config: &SdkConfig, client: &Client, tokens: &str) -> Result<Self, SettingsError> {
        let secret = tokens.parse().map_err(SettingsError::Tokens)?;
        let tokens = Box::new(HostCredentials::new(StoredSecret::new(config, secret)));
        Ok(Self::Https { client: client.clone(), tokens })
    }
}
