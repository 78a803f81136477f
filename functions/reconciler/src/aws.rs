//! AWS, and the hosts as the workers reach them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use aws_names::BucketName;
use aws_sdk_s3::{Client, error::ProvideErrorMetadata as _, types::Object};
use contract::{
    AllowedHost, AllowedHosts, ApiSecrets, Job, PathSpelling, Repositories, Repository, Worker,
    repository_keys::{self, KeyPairs},
};
use fetch::{FetchError, Limits, References, Remote, references};
use github_app::{GitHubApp, KmsKey};
use host_access::{Access, KeyObject};
use job_queue::Queues;
use reconciler::{
    hosts::Failure,
    keys,
    memory::{self, Memory, SeenKeys, Zip},
    world::{Listed, World},
};
use secret::{SecretSource as _, StoredSecret};

/// How long a host has for one repository.
const PATIENCE: Duration = Duration::from_secs(30);

/// The account, and the hosts.
pub(crate) struct Aws {
    pub(crate) s3: Client,
    pub(crate) output_bucket: BucketName,
    pub(crate) key_bucket: BucketName,
    pub(crate) cache_bucket: BucketName,
    pub(crate) queues: Queues,
    pub(crate) allowed_hosts: AllowedHosts,
    /// The ways to the repositories of each worker.
    pub(crate) gitpull: Access,
    pub(crate) zipdl: Access,
    /// The `Refs` parameter's prefixes.
    pub(crate) prefixes: Vec<String>,
    /// What limits a job's other repositories.
    pub(crate) scopes: Scopes,
    /// When the run has to come to its end.
    pub(crate) deadline: Instant,
}

/// What a job may fetch besides its own repository.
pub(crate) enum Scopes {
    /// Nothing.
    Nothing,
    /// What the `Repositories` parameter and the webhook secrets allow.
    Submodules { repositories: String, secret: StoredSecret },
}

impl Aws {
    async fn list(&self, bucket: &BucketName, prefix: &str) -> Result<Vec<Listed>> {
        let request = self.s3.list_objects_v2().bucket(bucket.as_str()).prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.with_context(|| format!("list s3://{bucket}/{prefix}"))?;
            listed.extend(page.contents().iter().filter_map(listed_object));
        }
        Ok(listed)
    }

    /// The content of an object, if there is one.
    async fn content(&self, bucket: &BucketName, key: &str) -> Result<Option<Vec<u8>>> {
        let read = || format!("read s3://{bucket}/{key}");
        match self.s3.get_object().bucket(bucket.as_str()).key(key).send().await {
            Ok(answer) => Ok(Some(answer.body.collect().await.with_context(read)?.to_vec())),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(error).with_context(read),
        }
    }
}

fn listed_object(object: &Object) -> Option<Listed> {
    let written = object.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs);
    let seen = format!("{} {written}", object.e_tag()?);
    Some(Listed { key: object.key()?.to_owned(), seen, written })
}

impl World for Aws {
    type App = GitHubApp<KmsKey>;

    fn app(&self) -> Option<&Self::App> {
        self.gitpull.app.as_ref()
    }

    async fn zips(&self) -> Result<Vec<Listed>> {
        let mut listed = self.list(&self.output_bucket, "").await?;
        listed.retain(|one| keys::may_be_of_reference(&one.key));
        Ok(listed)
    }

    async fn zip(&self, key: &str) -> Result<Option<Zip>> {
        let object = store::Object { bucket: self.output_bucket.clone(), key: key.to_owned() };
        let Some(metadata) = store::known(&self.s3, &object).await? else { return Ok(None) };
        let store::ArtifactMetadata { repository, reference, commit, worker, .. } = metadata;
        Ok(Some(Zip { repository, reference, commit, worker }))
    }

    async fn is_deletion_told(&self, key: &str, repository: &Repository) -> Result<Option<bool>> {
        let object = store::Object { bucket: self.output_bucket.clone(), key: key.to_owned() };
        Ok(store::is_deletion_told(&self.s3, &object, repository).await?)
    }

    async fn keys(&self) -> Result<Vec<Listed>> {
        let prefix = repository_keys::prefix();
        let listed = self.list(&self.key_bucket, &prefix).await?;
        let object = |Listed { key, seen, .. }: &Listed| KeyObject {
            name: key.strip_prefix(&prefix).unwrap_or(key).to_owned(),
            object: key.clone(),
            seen: seen.clone(),
        };
        let objects: Vec<_> = listed.iter().map(object).collect();
        let ahead = self.gitpull.read_keys_ahead(&objects, &self.cache_bucket, memory::KEY_RING).await;
        if let Err(error) = ahead {
            let cause = contract::error_chain(&error);
            tracing::warn!(cause, "the keys can't be read ahead: reading each by itself");
        }
        Ok(listed)
    }

    async fn key(&self, listed: &Listed) -> Result<Option<SeenKeys>> {
        let Some(content) = self.content(&self.key_bucket, &listed.key).await? else { return Ok(None) };
        // Somebody else's object says nothing.
        let Ok(KeyPairs { keys, repository }) = serde_json::from_slice(&content) else { return Ok(None) };
        Ok(Some(SeenKeys { seen: listed.seen.clone(), repository, connected: !keys.is_empty() }))
    }

    async fn references(
        &self,
        host: &AllowedHost,
        repository: &Repository,
        worker: Worker,
    ) -> Result<References, (Failure, u32)> {
        let deadline = self.deadline.min(Instant::now() + PATIENCE);
        let access = match worker {
            Worker::GitPull => &self.gitpull,
            Worker::ZipDl => &self.zipdl,
        };
        let mut requests = 0;
        let answer = access.reach(host, repository, &self.allowed_hosts, async |access| {
            let remote = Remote {
                host: host.clone(),
                repository: repository.clone(),
                spelling: PathSpelling::default(),
                access,
                limits: Limits::until(deadline),
            };
            let answer = references(&remote, &self.prefixes).await;
            requests += answer.as_ref().map_or(1, |references| references.requests);
            match answer {
                // The time of the repository is over, not that of the run.
                Err(FetchError::Deadline { repository }) if Instant::now() < self.deadline => {
                    Err(FetchError::Silent { repository, after: PATIENCE })
                }
                answer => answer,
            }
        });
        match answer.await {
            Ok(references) => Ok(References { requests, ..references }),
            Err(error) => Err((Failure::from(&error), requests)),
        }
    }

    /// What every secret that is valid for the repository allows: a job without a sender gets no
    /// more than any of them would.
    async fn scope(&self, host: &AllowedHost, repository: &Repository) -> Result<Option<Vec<String>>> {
        let Scopes::Submodules { repositories, secret } = &self.scopes else { return Ok(None) };
        let secrets = ApiSecrets::parse(&secret.read().await?);
        let valid = |globs: &Repositories| globs.permit(repository, host).is_ok();
        let valid: Vec<_> = secrets.iter().filter(|one| one.repositories.as_ref().is_none_or(valid)).collect();
        if valid.is_empty() {
            return Ok(None);
        }
        let globs = valid.iter().filter_map(|one| one.repositories.as_ref()).map(|globs| globs.globs().to_owned());
        Ok(Some(std::iter::once(repositories.clone()).chain(globs).collect()))
    }

    async fn send(&self, worker: Worker, jobs: &[Job]) -> Result<()> {
        let jobs: Vec<_> = jobs.iter().collect();
        Ok(self.queues.send(worker, &jobs).await?)
    }

    async fn recall(&self) -> Result<Memory> {
        let Some(content) = self.content(&self.cache_bucket, memory::KEY).await? else { return Ok(Memory::default()) };
        Ok(serde_json::from_slice(&content).unwrap_or_else(|error| {
            tracing::warn!(%error, "what the last run has told can't be read: looking at everything anew");
            Memory::default()
        }))
    }

    async fn remember(&self, memory: &Memory) -> Result<()> {
        let content = serde_json::to_vec(memory).context("write it")?;
        let request = self.s3.put_object().bucket(self.cache_bucket.as_str()).key(memory::KEY);
        let stored = request.content_type("application/json").body(content.into()).send().await;
        stored.with_context(|| format!("store s3://{}/{}", self.cache_bucket, memory::KEY))?;
        Ok(())
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }
}
