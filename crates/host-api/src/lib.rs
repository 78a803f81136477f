//! The management APIs of the Git hosts, with a person's token: which repositories an organisation
//! has, their deploy keys, their webhooks, what became of deliveries, and the statuses of commits.
//! `infra connect`, `infra doctor` and `infra disconnect` use it, and the workers for statuses.
//!
//! ```no_run
//! # async fn connect(token: secrecy::SecretString) -> Result<(), Box<dyn std::error::Error>> {
//! use contract::AllowedHosts;
//! use host_api::{Event, HostApi, WebhookSettings};
//!
//! let hosts: AllowedHosts = "github.com".parse()?;
//! let host = hosts.first().ok_or("no host")?;
//! let api = HostApi::new(host, https::Client::new(&hosts, "")?, &token)?;
//! let path = "octo-org/hello".parse()?;
//! let wanted = WebhookSettings {
//!     url: "https://git2s3.example.com/gitpull".to_owned(),
//!     secret: "from the secret store".into(),
//!     events: [Event::Push, Event::TagPush].into(),
//! };
//! // No host has an "upsert": find the webhook by its URL, then create or update it.
//! let hook = match api.webhooks(&path).await?.into_iter().find(|hook| hook.url == wanted.url) {
//!     Some(hook) => api.update_webhook(&path, &hook.id, &wanted).await?,
//!     None => api.create_webhook(&path, &wanted).await?,
//! };
//! api.test_webhook(&path, &hook).await?;
//! # Ok(())
//! # }
//! ```

#![warn(clippy::indexing_slicing)]

mod action;
mod api;
mod caller;
mod clock;
mod deploy_key;
mod error;
mod github_app;
mod host;
mod id;
mod repository;
mod said;
mod status;
mod webhook;

pub use action::{Action, Attempt};
pub use api::HostApi;
pub use clock::{Clock, Pause, SystemClock};
pub use deploy_key::{Access, DeployKey, NewDeployKey, PublicKey, PublicKeyError};
pub use error::HostApiError;
pub use github_app::{AppDescription, AppWebhook, GitHubAppApi, NewApp};
pub use id::{DeployKeyId, WebhookId};
pub use repository::HostedRepository;
pub use status::{CommitStatus, StatusName, StatusState};
pub use webhook::{Content, Delivery, Event, SecretState, Tested, Webhook, WebhookFault, WebhookSettings};
