//! Which status a commit gets, and with whose token.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use contract::{AllowedHost, AllowedHosts, CommitId, Job, error_chain};
use github_app::{GitHubApp, KmsKey};
use host_api::{CommitStatus, HostApi, StatusName, StatusState};
use host_credentials::HostCredentials;
use https::Client;
use secrecy::SecretString;
use secret::{MAX_AGE, ROTATION_AGE, SecretSource};
use tokio::time::timeout_at;

use crate::{Bucket, StatusError, clock::Impatient};

/// The longest time for one status, with all attempts: the next job waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is left before a deadline, so that a host that doesn't answer doesn't fail the job.
const MARGIN: Duration = Duration::from_secs(1);

/// The statuses of commits at their hosts, or none if the `CommitStatus` parameter is off.
#[derive(Debug)]
pub struct Statuses<S>(Option<Settings<S>>);

/// How statuses are set.
#[derive(Debug)]
pub struct Settings<S> {
    /// The stack's name, by which statuses of several stacks are told apart.
    pub stack: String,
    /// The `AllowedGitHosts` parameter: no other host gets a token.
    pub hosts: AllowedHosts,
    /// What requests go through.
    pub client: Client,
    /// The GitHub App, whose tokens are used where it may set statuses.
    pub app: Option<GitHubApp<KmsKey>>,
    /// The tokens of all other repositories, one for each host.
    pub tokens: Arc<HostCredentials<S>>,
    /// The bucket of the zips.
    pub bucket: Bucket,
}

/// A zip that is stored.
#[derive(Debug, Clone, Copy)]
pub struct Zip<'a> {
    /// The commit that it is of.
    pub commit: &'a CommitId,
    /// Its key.
    pub key: &'a str,
    /// Its version.
    pub version_id: Option<&'a str>,
}

impl<S: SecretSource> Statuses<S> {
    /// Sets none.
    pub fn off() -> Self {
        Self(None)
    }

    /// Sets them.
    pub fn on(settings: Settings<S>) -> Self {
        Self(Some(settings))
    }

    /// Says that the zip of a commit is being made, no later than `deadline`.
    pub async fn pending(&self, job: &Job, commit: &CommitId, deadline: Instant) {
        let Some(settings) = &self.0 else { return };
        let (description, url) = ("The zip is being made".to_owned(), settings.bucket.url());
        let status = CommitStatus { state: StatusState::Pending, description, url };
        settings.tell(job, commit, &status, deadline).await;
    }

    /// Says where the zip of a commit is, no later than `deadline`.
    pub async fn success(&self, job: &Job, zip: &Zip<'_>, deadline: Instant) {
        let Some(settings) = &self.0 else { return };
        let description = format!("Stored as s3://{}/{}", settings.bucket.name, zip.key);
        let status = CommitStatus { state: StatusState::Success, description, url: settings.bucket.url_of(zip) };
        settings.tell(job, zip.commit, &status, deadline).await;
    }

    /// Says why there is no zip of the commit that the job names, no later than `deadline`. Nothing
    /// is said if it names none. The first line of the reason, if one is known, is shown to
    /// everybody who may read the repository.
    pub async fn failure(&self, job: &Job, reason: Option<String>, deadline: Instant) {
        let (Some(settings), Some(commit)) = (&self.0, &job.commit) else { return };
        let line = reason.as_deref().and_then(|reason| reason.lines().next());
        let description = line.unwrap_or("the worker was killed, or ran out of time or memory").to_owned();
        let status = CommitStatus { state: StatusState::Failure, description, url: settings.bucket.url() };
        settings.tell(job, commit, &status, deadline).await;
    }
}

impl<S: SecretSource> Settings<S> {
    /// Sets a status, or logs why it isn't set.
    async fn tell(&self, job: &Job, commit: &CommitId, status: &CommitStatus, deadline: Instant) {
        let (id, delivery, repository, reference) = (job.id(), &job.delivery, &job.repository, &job.reference);
        let state = status.state.word();
        let now = Instant::now();
        let end = now + PATIENCE.min(deadline.saturating_duration_since(now).saturating_sub(MARGIN));
        let (error, hint) = match timeout_at(end.into(), Box::pin(self.set(job, commit, status))).await {
            Ok(Ok(())) => {
                tracing::info!(job = id, %delivery, %repository, %reference, %commit, state, "set the commit's status");
                return;
            }
            Ok(Err(error)) => (error_chain(&error), error.hint()),
            Err(_) => (format!("{} did not answer in time", repository.host), None),
        };
        tracing::warn!(
            job = id, %delivery, %repository, %reference, %commit, state, error, hint,
            "could not set the commit's status"
        );
    }

    async fn set(&self, job: &Job, commit: &CommitId, status: &CommitStatus) -> Result<(), StatusError> {
        let name = self.name(job, commit);
        match self.set_with(job, &name, status, MAX_AGE).await {
            Err(error) if error.is_of_token() => self.set_with(job, &name, status, ROTATION_AGE).await,
            set => set,
        }
    }

    /// One name for all branches, so that a branch's protection can require it. A tag may name the
    /// same commit, with another zip.
    fn name(&self, job: &Job, commit: &CommitId) -> StatusName {
        let of_tag = job.reference.tag().map(|tag| format!(" ({tag})"));
        let name = format!("git2s3/{}{}", self.stack, of_tag.unwrap_or_default());
        StatusName::new(commit.clone(), &name, job.reference.short())
    }

    async fn set_with(
        &self,
        job: &Job,
        name: &StatusName,
        status: &CommitStatus,
        max_age: Duration,
    ) -> Result<(), StatusError> {
        let repository = &job.repository;
        let no_token = || StatusError::NoToken { host: repository.host.to_string() };
        let host = self.hosts.find(repository.host.as_str()).ok_or_else(no_token)?;
        let token = self.token(job, host, max_age).await?;
        let api = HostApi::with_clock(host, self.client.clone(), &token, Arc::new(Impatient::default()))?;
        Ok(api.set_commit_status(&repository.path, name, status).await?)
    }

    /// The App's token, or the host's. Tokens that were read longer ago than `max_age` aren't used.
    async fn token(&self, job: &Job, host: &AllowedHost, max_age: Duration) -> Result<SecretString, StatusError> {
        let path = &job.repository.path;
        let mut without_app = None;
        if let Some(app) = self.app.as_ref().filter(|app| app.host().host == host.host) {
            if max_age == ROTATION_AGE {
                app.forget(path).await;
            }
            match app.token(path, SystemTime::now()).await {
                Ok(token) => return Ok(token),
                Err(error) if error.is_about_access() => without_app = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        match (self.tokens.token(host, &self.hosts, &self.client, max_age).await?, without_app) {
            (Some(token), _) => Ok(token),
            (None, Some(why)) => Err(why.into()),
            (None, None) => Err(StatusError::NoToken { host: host.host.to_string() }),
        }
    }
}
