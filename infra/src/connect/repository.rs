//! Connects one repository, step by step. Each step looks first, so that a repetition does only
//! what is left.

use std::collections::BTreeSet;

use contract::{ApiSecrets, Repository, error_chain};
use host_api::{
    Delivery, Event, HostApi, HostApiError, HostedRepository, NewDeployKey, PublicKey, Tested, Webhook, WebhookSettings,
};
use serde::Serialize;

use super::{Refusal, SshKeysError, Target, replacement::Replacement, secret_for};
use crate::github_app::{self, AppCallError};

/// The endpoint that a webhook sends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Endpoint {
    /// Fetches with Git.
    #[value(name = "gitpull")]
    GitPull,
    /// Downloads the archive that the host makes.
    #[value(name = "zipdl")]
    ZipDl,
}

/// What was done, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// A deploy key was added.
    KeyAdded,
    /// Another deploy key replaced it.
    KeyReplaced,
    /// A webhook was created.
    WebhookCreated,
    /// A webhook was changed, for these reasons.
    WebhookUpdated(Vec<String>),
}

/// Why a repository isn't connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What happened.
    pub reason: String,
    /// What a person can do.
    pub hint: Option<String>,
    /// Whether the same would happen with every repository of the host.
    #[serde(skip)]
    pub concerns_all: bool,
}

impl From<HostApiError> for Failure {
    fn from(error: HostApiError) -> Self {
        let concerns_all = matches!(error, HostApiError::Unauthorized { .. } | HostApiError::Limited { .. });
        Self { reason: error_chain(&error), hint: error.hint(), concerns_all }
    }
}

impl From<AppCallError> for Failure {
    fn from(error: AppCallError) -> Self {
        Self { reason: error_chain(&error), hint: error.hint(), concerns_all: !error.is_of_repository() }
    }
}

impl From<SshKeysError> for Failure {
    fn from(error: SshKeysError) -> Self {
        Self { reason: error_chain(&error), hint: error.hint(), concerns_all: true }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { reason: refusal.to_string(), hint: Some(refusal.hint().to_owned()), concerns_all: false }
    }
}

/// What became of a repository.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connected {
    /// The repository: `host/owner/name`.
    #[serde(serialize_with = "as_text")]
    pub repository: Repository,
    /// What was done; nothing if it was connected already.
    pub done: Vec<Step>,
    /// What a person has to do, since the host has no API for it.
    pub by_hand: Vec<String>,
    /// Why it isn't connected.
    pub failure: Option<Failure>,
    /// The key of the default branch's zip; `None` if pushes to it don't become one.
    pub artifact: Option<String>,
    /// Whether a zip is on its way: the host was made to send a push.
    pub sent_push: bool,
    /// Whether the zip is there.
    pub is_stored: bool,
    /// A new key whose predecessors are still there.
    #[serde(skip)]
    pub(super) replacement: Option<Replacement>,
}

fn as_text<S: serde::Serializer>(repository: &Repository, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(repository)
}

/// How a host is asked about its repositories.
#[derive(Debug)]
pub enum HostAccess {
    /// By a person's token.
    Token(Box<HostApi>),
    /// By the stack's GitHub App, which needs no person.
    App,
}

/// How repositories of a host are connected.
#[derive(Debug)]
pub struct Connection<'a> {
    /// The stack.
    pub target: &'a Target,
    /// The stack's webhook secrets.
    pub secrets: &'a ApiSecrets,
    /// How the host is asked.
    pub access: &'a HostAccess,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Whether repositories get new keys.
    pub rotates: bool,
    /// Whether nothing is changed.
    pub is_dry: bool,
}

impl Connection<'_> {
    /// Connects a repository.
    pub async fn connect(&self, repository: &Repository) -> Connected {
        let mut connected = Connected {
            repository: repository.clone(),
            done: Vec::new(),
            by_hand: Vec::new(),
            failure: None,
            artifact: None,
            sent_push: false,
            is_stored: false,
            replacement: None,
        };
        connected.failure = self.steps(&mut connected).await.err();
        connected
    }

    async fn steps(&self, connected: &mut Connected) -> Result<(), Failure> {
        match self.access {
            HostAccess::Token(api) => self.by_token(connected, api).await,
            HostAccess::App => self.by_app(connected).await,
        }
    }

    /// An owner has installed the App: nothing has to be added, only checked.
    async fn by_app(&self, connected: &mut Connected) -> Result<(), Failure> {
        let repository = &connected.repository;
        self.target.permit(repository)?;
        let app = self.target.app_of(&repository.host).ok_or_else(|| Refusal::Host(repository.host.to_string()))?;
        let facts = github_app::facts(app, repository).await?;
        let problems = facts.problems(self.target.url(Endpoint::GitPull));
        if let Some(problem) = problems.into_iter().next() {
            return Err(problem);
        }
        if let Some(hosted) = &facts.hosted {
            self.describe(connected, hosted);
        }
        Ok(())
    }

    /// Fills in what the host says.
    fn describe(&self, connected: &mut Connected, hosted: &HostedRepository) {
        // The host's spelling, which its deliveries have.
        connected.repository.path = hosted.path.clone();
        let branch = hosted.default_branch.as_deref();
        connected.artifact = branch.and_then(|branch| self.target.artifact_key(&connected.repository, branch));
    }

    async fn by_token(&self, connected: &mut Connected, api: &HostApi) -> Result<(), Failure> {
        let host = self.target.permit(&connected.repository)?;
        let secret = secret_for(self.secrets, &connected.repository, host)?;
        let hosted = api.repository(&connected.repository.path).await?;
        can_be_changed(&hosted)?;
        self.describe(connected, &hosted);
        if self.endpoint == Endpoint::GitPull && self.target.is_over_ssh {
            self.give_key(connected, api).await?;
        }
        let wanted = WebhookSettings {
            url: self.target.url(self.endpoint).to_owned(),
            secret,
            events: BTreeSet::from([Event::Push, Event::TagPush, Event::Deletion]),
        };
        let hook = self.give_webhook(connected, api, &wanted).await?;
        let is_changed = !connected.done.is_empty() || connected.replacement.is_some();
        if let Some(hook) = hook.filter(|_| is_changed && !self.is_dry) {
            match api.test_webhook(&connected.repository.path, &hook).await? {
                Tested::Push => {
                    connected.sent_push = connected.artifact.is_some();
                    if let Some(replacement) = &mut connected.replacement {
                        replacement.was_tested_by(hook);
                    }
                }
                Tested::Ping(_) => {}
                Tested::NotOffered(instead) => connected.by_hand.push(instead.to_owned()),
            }
        }
        Ok(())
    }

    async fn give_key(&self, connected: &mut Connected, api: &HostApi) -> Result<(), Failure> {
        let (keys, repository) = (&self.target.keys, connected.repository.clone());
        let there = match api.deploy_keys(&repository.path).await {
            Ok(there) => there,
            // The key of the whole stack belongs to a user there.
            Err(HostApiError::NotOffered { instead, .. }) => {
                connected.by_hand.push(instead.to_owned());
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let has = |key: &PublicKey| there.iter().any(|found| found.key == *key && found.is_enabled);
        let own = keys.known(&repository);
        let newest = own.first().or(self.target.stack_key.as_ref().filter(|_| own.is_empty()));
        // Two keys are left of a replacement that was interrupted: it is finished first.
        if !self.rotates && own.len() < 2 && newest.is_some_and(has) {
            return Ok(());
        }
        let replaced = own.first().filter(|_| self.rotates && own.len() < 2);
        if self.is_dry {
            let is_second = own.len() > 1 || replaced.is_some();
            connected.done.push(if is_second { Step::KeyReplaced } else { Step::KeyAdded });
            return Ok(());
        }
        let now = match replaced {
            Some(replaced) => keys.rotate(&repository, replaced).await?,
            None => keys.make(&repository).await?,
        };
        let Some((newest, older)) = now.split_first() else { return Ok(()) };
        if !has(newest) {
            let key = NewDeployKey { title: format!("git2s3 {}", self.target.name), key: newest.clone() };
            if let Err(error) = api.add_deploy_key(&repository.path, &key).await {
                // Without it, gitpull uses the key that the host has.
                if !own.contains(newest) {
                    keys.remove(&repository, newest).await?;
                }
                return Err(error.into());
            }
            connected.done.push(Step::KeyAdded);
        }
        connected.replacement = Replacement::of(newest, older);
        Ok(())
    }

    async fn give_webhook(
        &self,
        connected: &mut Connected,
        api: &HostApi,
        wanted: &WebhookSettings,
    ) -> Result<Option<Webhook>, Failure> {
        let path = &connected.repository.path;
        let all = api.webhooks(path).await?;
        let Some(hook) = all.into_iter().find(|hook| hook.url == wanted.url) else {
            connected.done.push(Step::WebhookCreated);
            return Ok(if self.is_dry { None } else { Some(api.create_webhook(path, wanted).await?) });
        };
        let mut reasons: Vec<String> = hook.faults(&wanted.events).iter().map(ToString::to_string).collect();
        if last_delivery(connected, api, &hook).await?.is_some_and(|last| last.status == Some(401)) {
            reasons.push("its secret is not the stack's: the last delivery was refused".to_owned());
        }
        if reasons.is_empty() {
            return Ok(Some(hook));
        }
        connected.done.push(Step::WebhookUpdated(reasons));
        let path = &connected.repository.path;
        Ok(if self.is_dry { None } else { Some(api.update_webhook(path, &hook.id, wanted).await?) })
    }
}

async fn last_delivery(connected: &Connected, api: &HostApi, hook: &Webhook) -> Result<Option<Delivery>, Failure> {
    let all = api.deliveries(&connected.repository.path, &hook.id).await?;
    Ok(all.and_then(|all| all.into_iter().next()))
}

/// Whether the host lets the token's owner change the repository.
fn can_be_changed(hosted: &HostedRepository) -> Result<(), Failure> {
    let failure = |reason: &str, hint: &str| {
        Err(Failure { reason: reason.to_owned(), hint: Some(hint.to_owned()), concerns_all: false })
    };
    if hosted.is_archived {
        return failure("it is archived", "unarchive the repository, or leave it out");
    }
    if hosted.may_administer == Some(false) {
        return failure("the token's owner doesn't administer it", "ask for the role, or use another person's token");
    }
    Ok(())
}
