//! Generates, replaces, removes and lists the keys of single repositories.
//!
//! A repository's keys are one object. It is replaced only by a writer that has seen it, so two
//! requests at the same time lose no key that one of them returned.

use aws_sdk_s3::{error::ProvideErrorMetadata, primitives::ByteStream};
use base64::{Engine, engine::general_purpose::STANDARD};
use contract::{
    Repository, Runtime,
    environment::{EnvironmentError, SshKeyEnvironment},
    repository_keys::{
        KeyPair as StoredPair, KeyPairs, KeyRequest, KeyResponse, RepositoryKey, encryption_context, is_same_key,
        object_key, prefix, stored_name,
    },
};

use crate::{
    encryption::{EncryptError, encrypt},
    key_pair::{GenerateError, KeyPair},
};

/// How often a change is tried when another request changes the same object.
const TRIES: usize = 5;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryKeyError {
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error(transparent)]
    Encrypt(#[from] EncryptError),
    #[error("could not read s3://{bucket}/{key}")]
    Read { bucket: String, key: String, source: Box<aws_sdk_s3::Error> },
    #[error("the transfer of s3://{bucket}/{key} was cut off")]
    CutOff { bucket: String, key: String, source: aws_sdk_s3::primitives::ByteStreamError },
    #[error("s3://{bucket}/{key} does not contain a repository's keys")]
    Malformed { bucket: String, key: String, source: serde_json::Error },
    #[error("could not store s3://{bucket}/{key}")]
    Store { bucket: String, key: String, source: Box<aws_sdk_s3::Error> },
    #[error("could not serialize the keys of {repository}")]
    Serialize { repository: Repository, source: serde_json::Error },
    #[error("other requests keep changing the keys of {0}: try again")]
    Busy(Repository),
    #[error("could not list the keys in s3://{bucket}")]
    List { bucket: String, source: Box<aws_sdk_s3::Error> },
}

/// The keys of repositories, in the key bucket.
#[derive(Debug)]
pub(crate) struct RepositoryKeys {
    s3: aws_sdk_s3::Client,
    kms: aws_sdk_kms::Client,
    environment: SshKeyEnvironment<Runtime>,
}

/// The content of an object, and what identifies this content.
#[derive(Default)]
struct Found {
    pairs: KeyPairs,
    etag: Option<String>,
}

impl RepositoryKeys {
    /// Bucket and KMS key come from the function's environment, never from a request.
    pub(crate) fn from_env(s3: aws_sdk_s3::Client, kms: aws_sdk_kms::Client) -> Result<Self, EnvironmentError> {
        Ok(Self { s3, kms, environment: SshKeyEnvironment::from_env()? })
    }

    /// Does what is asked.
    pub(crate) async fn answer(&self, request: KeyRequest) -> Result<KeyResponse, RepositoryKeyError> {
        let keys = match &request {
            KeyRequest::List => self.list().await?,
            KeyRequest::Make { repository }
            | KeyRequest::Rotate { repository, .. }
            | KeyRequest::Remove { repository, .. } => {
                let pairs = self.change(repository, &request).await?;
                public_keys(&stored_name(repository), pairs).collect()
            }
        };
        Ok(KeyResponse { keys })
    }

    async fn change(&self, repository: &Repository, request: &KeyRequest) -> Result<KeyPairs, RepositoryKeyError> {
        for _ in 0..TRIES {
            let Found { pairs, etag } = self.read(&object_key(repository)).await?;
            let changed = self.changed(repository, &pairs, request).await?;
            if changed == pairs || self.store(repository, &changed, etag.as_deref()).await? {
                return Ok(changed);
            }
        }
        Err(RepositoryKeyError::Busy(repository.clone()))
    }

    /// The keys after a request.
    async fn changed(
        &self,
        repository: &Repository,
        pairs: &KeyPairs,
        request: &KeyRequest,
    ) -> Result<KeyPairs, RepositoryKeyError> {
        let mut keys = pairs.keys.clone();
        match request {
            KeyRequest::Make { .. } if keys.is_empty() => keys.push(self.new_pair(repository).await?),
            KeyRequest::Rotate { replaced, .. }
                if keys.first().is_none_or(|newest| is_same_key(&newest.public_key, replaced)) =>
            {
                keys.truncate(1);
                keys.insert(0, self.new_pair(repository).await?);
            }
            KeyRequest::Remove { public_key, .. } => keys.retain(|pair| !is_same_key(&pair.public_key, public_key)),
            _ => {}
        }
        // As it was spelled last by somebody who wants a key.
        let repository = match request {
            KeyRequest::Make { .. } | KeyRequest::Rotate { .. } => Some(repository.clone()),
            KeyRequest::Remove { .. } | KeyRequest::List => pairs.repository.clone().filter(|_| !keys.is_empty()),
        };
        Ok(KeyPairs { keys, repository })
    }

    async fn new_pair(&self, repository: &Repository) -> Result<StoredPair, RepositoryKeyError> {
        let SshKeyEnvironment { kms_key, key_type, stack_name, .. } = &self.environment;
        let (name, comment) = (stored_name(repository), format!("git2s3-{stack_name}"));
        let pair = KeyPair::generate(*key_type, comment).await?;
        let ciphertext = encrypt(&self.kms, kms_key, encryption_context(stack_name, &name), &pair.private).await?;
        Ok(StoredPair { public_key: pair.public, ciphertext: STANDARD.encode(ciphertext) })
    }

    async fn read(&self, key: &str) -> Result<Found, RepositoryKeyError> {
        let bucket = self.environment.key_bucket.as_str();
        let names = || (bucket.to_owned(), key.to_owned());
        let answer = match self.s3.get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(Found::default()),
            Err(error) => {
                let (bucket, key) = names();
                return Err(RepositoryKeyError::Read { bucket, key, source: Box::new(error.into()) });
            }
        };
        let etag = answer.e_tag;
        let bytes = answer.body.collect().await.map_err(|source| {
            let (bucket, key) = names();
            RepositoryKeyError::CutOff { bucket, key, source }
        })?;
        let pairs = serde_json::from_slice(&bytes.into_bytes()).map_err(|source| {
            let (bucket, key) = names();
            RepositoryKeyError::Malformed { bucket, key, source }
        })?;
        Ok(Found { pairs, etag })
    }

    /// Replaces the content that `etag` identifies, or creates the object. Returns whether nobody
    /// else was faster.
    async fn store(
        &self,
        repository: &Repository,
        pairs: &KeyPairs,
        etag: Option<&str>,
    ) -> Result<bool, RepositoryKeyError> {
        let (bucket, key) = (self.environment.key_bucket.as_str(), object_key(repository));
        let body = serde_json::to_vec(pairs)
            .map_err(|source| RepositoryKeyError::Serialize { repository: repository.clone(), source })?;
        let request = self.s3.put_object().bucket(bucket).key(&key).body(ByteStream::from(body));
        let request = match etag {
            Some(etag) => request.if_match(etag),
            None => request.if_none_match("*"),
        };
        match request.send().await {
            Ok(_) => Ok(true),
            // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
            Err(error) if matches!(error.code(), Some("PreconditionFailed" | "ConditionalRequestConflict")) => {
                Ok(false)
            }
            Err(error) => {
                Err(RepositoryKeyError::Store { bucket: bucket.to_owned(), key, source: Box::new(error.into()) })
            }
        }
    }

    async fn list(&self) -> Result<Vec<RepositoryKey>, RepositoryKeyError> {
        let (bucket, prefix) = (self.environment.key_bucket.as_str(), prefix());
        let mut pages = self.s3.list_objects_v2().bucket(bucket).prefix(&prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| RepositoryKeyError::List {
                bucket: bucket.to_owned(),
                source: Box::new(error.into()),
            })?;
            for key in page.contents().iter().filter_map(aws_sdk_s3::types::Object::key) {
                let name = key.strip_prefix(&prefix).unwrap_or(key);
                keys.extend(public_keys(name, self.read(key).await?.pairs));
            }
        }
        Ok(keys)
    }
}

fn public_keys(name: &str, pairs: KeyPairs) -> impl Iterator<Item = RepositoryKey> {
    pairs
        .keys
        .into_iter()
        .map(move |StoredPair { public_key, .. }| RepositoryKey { repository: name.to_owned(), public_key })
}

#[cfg(test)]
mod tests;
