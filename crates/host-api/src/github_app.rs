//! A [GitHub App](https://docs.github.com/en/rest/apps/apps) as its owner sees it: what it is, its
//! only webhook, and what that has sent. Each request shows the App's own signature.

use std::{fmt, sync::Arc};

use contract::{AllowedHost, HostKind, url_path::encoded};
use https::{Client, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Action, Attempt, Clock, Content, Delivery, HostApiError, SecretState, SystemClock,
    caller::{Caller, Manner},
    host::github::{self, Config, Sent},
};

/// A GitHub App, called with its own signature.
#[derive(Debug)]
pub struct GitHubAppApi {
    caller: Caller,
}

/// What an App is.
#[derive(Debug, Clone, Deserialize)]
pub struct AppDescription {
    /// Its page. Below it, `/installations/new` installs it.
    pub html_url: String,
    /// The events that it wants.
    pub events: Vec<String>,
}

impl AppDescription {
    /// Where an owner installs it, or adds repositories to the installation.
    pub fn install_url(&self) -> String {
        format!("{}/installations/new", self.html_url)
    }
}

/// The webhook of an App: one for all repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppWebhook {
    /// Its target. Empty if there is none.
    pub url: String,
    /// The format of its deliveries.
    pub content: Content,
    /// Whether it has a secret.
    pub secret: SecretState,
    /// Whether the target's certificate is verified.
    pub verifies_tls: bool,
}

impl From<Config> for AppWebhook {
    fn from(config: Config) -> Self {
        Self {
            content: config.content(),
            secret: config.secret(),
            verifies_tls: config.verifies_tls(),
            url: config.url,
        }
    }
}

/// An App that was just created, with its private key.
#[derive(Deserialize)]
pub struct NewApp {
    /// Its number.
    pub id: u64,
    /// What its signatures name it by.
    pub client_id: String,
    /// Its page.
    pub html_url: String,
    /// The private key, PKCS#1 in PEM. The host doesn't tell it again.
    pub pem: SecretString,
}

impl fmt::Debug for NewApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApp").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where the App is, in errors.
const APP: &str = "the GitHub App";

impl GitHubAppApi {
    /// The App whose JSON Web Token this is.
    ///
    /// # Errors
    /// The token can't be sent.
    pub fn new(host: &AllowedHost, client: Client, jwt: &SecretString) -> Result<Self, HostApiError> {
        let authorization = Some(format!("Bearer {}", jwt.expose_secret()).into());
        Ok(Self { caller: caller(host, client, jwt, authorization)? })
    }

    fn attempt(&self, action: Action) -> Attempt {
        self.caller.attempt_on(action, APP)
    }

    /// What it is.
    ///
    /// # Errors
    /// See [`HostApiError`].
    pub async fn description(&self) -> Result<AppDescription, HostApiError> {
        self.caller.get(&self.attempt(Action::ReadApp), "/app").await
    }

    /// Its webhook.
    ///
    /// # Errors
    /// See [`HostApiError`].
    pub async fn webhook(&self) -> Result<AppWebhook, HostApiError> {
        let attempt = self.attempt(Action::ListWebhooks);
        self.caller.get::<Config>(&attempt, "/app/hook/config").await.map(AppWebhook::from)
    }

    /// Makes its webhook send to `url`, with this secret.
    ///
    /// # Errors
    /// See [`HostApiError`].
    pub async fn update_webhook(&self, url: &str, secret: &SecretString) -> Result<AppWebhook, HostApiError> {
        let attempt = self.attempt(Action::UpdateWebhook);
        let body = json!({
            "url": url,
            "content_type": "json",
            "secret": secret.expose_secret(),
            "insecure_ssl": "0",
        });
        let changed = self.caller.change::<Config>(&attempt, Method::PATCH, "/app/hook/config", &body);
        changed.await.map(AppWebhook::from)
    }

    /// The latest deliveries of its webhook, newest first, for all repositories.
    ///
    /// # Errors
    /// See [`HostApiError`].
    pub async fn deliveries(&self) -> Result<Vec<Delivery>, HostApiError> {
        let attempt = self.attempt(Action::ListDeliveries);
        let sent: Vec<Sent> = self.caller.get(&attempt, "/app/hook/deliveries?per_page=100").await?;
        Ok(sent.into_iter().map(Delivery::from).collect())
    }

    /// Exchanges the code that the host gives [for a
    /// manifest](https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest)
    /// for the App. It works once.
    ///
    /// # Errors
    /// See [`HostApiError`].
    pub async fn create(host: &AllowedHost, client: Client, code: &SecretString) -> Result<NewApp, HostApiError> {
        // Nothing else shows who asks.
        let caller = caller(host, client, code, None)?;
        let attempt = caller.attempt_on(Action::CreateApp, APP);
        let path = format!("/app-manifests/{}/conversions", encoded(code.expose_secret()));
        caller.send(&attempt, Method::POST, &path, None).await?.json()
    }
}

fn caller(
    host: &AllowedHost,
    client: Client,
    secret: &SecretString,
    authorization: Option<SecretString>,
) -> Result<Caller, HostApiError> {
    let mut headers = vec![("x-github-api-version", github::VERSION.into())];
    headers.extend(authorization.map(|value| ("authorization", value)));
    let manner = Manner {
        base: host.api(HostKind::GitHub),
        headers,
        accepted: github::ACCEPTED,
        pace: github::PACE,
        needs: |_| "a signature of the App's key, which `infra app` has imported",
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    Caller::new(host, client, secret, clock, manner)
}
