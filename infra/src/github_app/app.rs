//! The GitHub App of a stack, signed for by KMS with the caller's own rights.

use std::time::SystemTime;

use contract::{AllowedHost, Repository};
use deployment::account::Account;
use github_app::{AppError, GitHubApp, Installation, KmsKey};
use host_api::{
    AppDescription, AppWebhook, Content, Delivery, GitHubAppApi, HostApi, HostApiError, HostedRepository, SecretState,
};
use secrecy::SecretString;
use tokio::sync::OnceCell;

use crate::connect::Failure;

/// An App, and what its host says of it, which is asked for once for all repositories.
#[derive(Debug)]
pub struct App {
    github: GitHubApp<KmsKey>,
    itself: OnceCell<(AppDescription, AppWebhook)>,
}

/// What is known about an App, and about its installation on a repository.
#[derive(Debug)]
pub struct AppFacts {
    /// The App.
    pub description: AppDescription,
    /// Its webhook.
    pub webhook: AppWebhook,
    /// Its installation, if that gives a token for the repository.
    pub installed: Result<Installation, AppError>,
    /// The repository, if so.
    pub hosted: Option<HostedRepository>,
}

/// Why nothing is known.
#[derive(Debug, thiserror::Error)]
pub enum AppCallError {
    /// There is no signature.
    #[error(transparent)]
    App(#[from] AppError),
    /// The host refused.
    #[error(transparent)]
    Host(#[from] HostApiError),
}

impl AppCallError {
    /// Whether other repositories may be reached all the same.
    pub fn is_of_repository(&self) -> bool {
        matches!(self, Self::App(error) if error.is_about_access())
            || matches!(self, Self::Host(HostApiError::NotFound { .. }))
    }

    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::App(error) => error.hint().map(str::to_owned),
            Self::Host(error) => error.hint(),
        }
    }
}

/// The App with this ID at a host, whose key has this ARN.
pub fn app_of(account: &Account, host: &AllowedHost, id: &str, key: &str, client: https::Client) -> App {
    let signer = KmsKey::new(aws_sdk_kms::Client::new(&account.config), key);
    App { github: GitHubApp::new(host.clone(), id, signer, client), itself: OnceCell::new() }
}

impl App {
    /// The App's host.
    pub fn host(&self) -> &AllowedHost {
        self.github.host()
    }

    /// What is managed with the App's own signature.
    ///
    /// # Errors
    /// KMS doesn't sign.
    pub async fn api(&self) -> Result<GitHubAppApi, AppCallError> {
        let jwt = self.github.jwt(SystemTime::now()).await?;
        Ok(GitHubAppApi::new(self.host(), self.github.client().clone(), &jwt)?)
    }

    /// What its webhook has sent, newest first, for all repositories.
    ///
    /// # Errors
    /// KMS doesn't sign, or the host refuses.
    pub async fn deliveries(&self) -> Result<Vec<Delivery>, AppCallError> {
        Ok(self.api().await?.deliveries().await?)
    }

    async fn itself(&self) -> Result<(AppDescription, AppWebhook), AppCallError> {
        let ask = async || {
            let api = self.api().await?;
            Ok::<_, AppCallError>((api.description().await?, api.webhook().await?))
        };
        self.itself.get_or_try_init(ask).await.cloned()
    }

    /// The host's API with the App's token for a repository.
    async fn repository_api(&self, repository: &Repository) -> Result<HostApi, AppCallError> {
        let token: SecretString = self.github.token(&repository.path, SystemTime::now()).await?;
        Ok(HostApi::new(self.host(), self.github.client().clone(), &token)?)
    }

    /// Its installation on a repository that it can read.
    async fn installation(&self, repository: &Repository) -> Result<Installation, AppError> {
        let now = SystemTime::now();
        self.github.token(&repository.path, now).await?;
        self.github.installation(&repository.path, now).await
    }
}

impl AppFacts {
    /// Why the App's webhook doesn't send the repository's pushes to `url`, or why they can't be
    /// fetched.
    pub fn problems(&self, url: &str) -> Vec<Failure> {
        let install = self.description.install_url();
        let mut problems = Vec::new();
        let mut add = |reason: String, hint: String, concerns_all| {
            problems.push(Failure { reason, hint: Some(hint), concerns_all });
        };
        match &self.installed {
            Err(error) => {
                let hint = error.hint().map(|hint| format!("{hint}: ")).unwrap_or_default();
                add(contract::error_chain(error), format!("{hint}{install}"), !error.is_about_access());
            }
            Ok(installation) if !installation.events.iter().any(|event| event == "push") => add(
                "the App's installation does not report pushes".to_owned(),
                format!("subscribe the App to the event Push on its page: {}", self.description.html_url),
                false,
            ),
            Ok(_) => {}
        }
        let again = "import the App's key again with `infra app import`: that sets the webhook".to_owned();
        if self.webhook.url != url {
            add(format!("the App's webhook sends to {:?} and not to the stack", self.webhook.url), again, true);
        } else if self.webhook.content != Content::Json {
            add("the App's webhook does not send JSON".to_owned(), again, true);
        } else if self.webhook.secret == SecretState::Missing {
            add("the App's webhook has no secret".to_owned(), again, true);
        }
        problems
    }
}

/// Asks the host about an App and a repository.
///
/// # Errors
/// KMS doesn't sign, or the host refuses.
pub async fn facts(app: &App, repository: &Repository) -> Result<AppFacts, AppCallError> {
    let installed = app.installation(repository).await;
    let hosted = match &installed {
        Ok(_) => Some(app.repository_api(repository).await?.repository(&repository.path).await?),
        Err(_) => None,
    };
    let (description, webhook) = app.itself().await?;
    Ok(AppFacts { description, webhook, installed, hosted })
}
