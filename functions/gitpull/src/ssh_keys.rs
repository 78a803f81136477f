//! The SSH keys: a repository's own, or else the stack's. They are read from S3, decrypted by KMS,
//! and kept only in memory. A key that its repository has lost is used for five minutes at most.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use aws_names::{BucketName, KeyId};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_s3::error::ProvideErrorMetadata;
use base64::{Engine, engine::general_purpose::STANDARD};
use contract::{
    Repository, custom,
    repository_keys::{self, KeyPairs},
};
use fetch::PrivateKey;
use secrecy::SecretString;
use secret::MAX_AGE;
use tokio::sync::OnceCell;

use crate::error::GitPullError;

/// All keys of a stack.
#[derive(Debug)]
pub(crate) struct SshKeys {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) kms: aws_sdk_kms::Client,
    pub(crate) bucket: BucketName,
    /// The object with the stack's key.
    pub(crate) object: String,
    pub(crate) kms_key: KeyId,
    pub(crate) stack_name: String,
    pub(crate) of_stack: OnceCell<PrivateKey>,
    pub(crate) of_repositories: Cache,
}

/// The keys to try for a repository.
#[derive(Debug)]
pub(crate) struct KeysOf {
    pub(crate) newest: PrivateKey,
    /// Those that it replaces, while it does.
    pub(crate) older: Vec<PrivateKey>,
}

/// The own keys of repositories, newest first: none for one that uses the stack's. They are cached
/// as long as a secret.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<HashMap<String, (Instant, Vec<PrivateKey>)>>);

impl Cache {
    fn get(&self, name: &str) -> Option<Vec<PrivateKey>> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.get(name).filter(|(read, _)| read.elapsed() < MAX_AGE).map(|(_, keys)| keys.clone())
    }

    fn put(&self, name: String, keys: Vec<PrivateKey>) {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.retain(|_, (read, _)| read.elapsed() < MAX_AGE);
        cached.insert(name, (Instant::now(), keys));
    }
}

impl SshKeys {
    /// A repository's keys. Errors aren't cached: the next job tries again.
    pub(crate) async fn of(&self, repository: &Repository) -> Result<KeysOf, GitPullError> {
        match self.of_repositories.get(&repository_keys::stored_name(repository)) {
            Some(own) => self.or_of_stack(own).await,
            None => self.read_again(repository).await,
        }
    }

    /// The same, read now.
    pub(crate) async fn read_again(&self, repository: &Repository) -> Result<KeysOf, GitPullError> {
        let name = repository_keys::stored_name(repository);
        let own = self.own(&repository_keys::object_key(repository), &name).await?;
        self.of_repositories.put(name, own.clone());
        self.or_of_stack(own).await
    }

    async fn or_of_stack(&self, own: Vec<PrivateKey>) -> Result<KeysOf, GitPullError> {
        let mut own = own.into_iter();
        if let Some(newest) = own.next() {
            return Ok(KeysOf { newest, older: own.collect() });
        }
        let key = self.of_stack.get_or_try_init(async || {
            let ciphertext = self.content(&self.object).await?;
            let (bucket, object) = (self.bucket.to_string(), self.object.clone());
            let ciphertext = ciphertext.ok_or(GitPullError::NoSuchKey { bucket, object })?;
            self.decrypt(ciphertext, custom::encryption_context(&self.stack_name)).await
        });
        Ok(KeysOf { newest: key.await?.clone(), older: Vec::new() })
    }

    /// The keys of a single repository, in this object, newest first.
    async fn own(&self, object: &str, name: &str) -> Result<Vec<PrivateKey>, GitPullError> {
        let Some(stored) = self.content(object).await? else { return Ok(Vec::new()) };
        let malformed = || GitPullError::MalformedKeys { bucket: self.bucket.to_string(), object: object.to_owned() };
        let KeyPairs { keys } = serde_json::from_slice(stored.as_ref()).map_err(|_| malformed())?;
        let mut own = Vec::new();
        for pair in keys {
            let ciphertext = STANDARD.decode(pair.ciphertext).map_err(|_| malformed())?;
            let context = repository_keys::encryption_context(&self.stack_name, name);
            own.push(self.decrypt(Blob::new(ciphertext), context).await?);
        }
        Ok(own)
    }

    async fn decrypt(
        &self,
        ciphertext: Blob,
        context: impl IntoIterator<Item = (&str, &str)>,
    ) -> Result<PrivateKey, GitPullError> {
        let mut request = self.kms.decrypt().key_id(self.kms_key.as_str()).ciphertext_blob(ciphertext);
        for (key, value) in context {
            request = request.encryption_context(key, value);
        }
        let answer = request.send().await.map_err(|error| GitPullError::DecryptKey {
            kms_key: self.kms_key.to_string(),
            source: Box::new(error.into()),
        })?;
        let plaintext = answer.plaintext.map(Blob::into_inner).and_then(|bytes| String::from_utf8(bytes).ok());
        let text = plaintext.map(SecretString::from);
        let text = text.ok_or_else(|| GitPullError::NoKey { kms_key: self.kms_key.to_string() })?;
        PrivateKey::from_openssh(&text).map_err(GitPullError::Key)
    }

    /// The content of an object, if there is one.
    async fn content(&self, object: &str) -> Result<Option<Blob>, GitPullError> {
        let bucket = self.bucket.as_str();
        let names = || (bucket.to_owned(), object.to_owned());
        let answer = match self.s3.get_object().bucket(bucket).key(object).send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => {
                let (bucket, object) = names();
                return Err(GitPullError::ReadKey { bucket, object, source: Box::new(error.into()) });
            }
        };
        let bytes = answer.body.collect().await.map_err(|error| {
            let (bucket, object) = names();
            GitPullError::KeyBrokeOff { bucket, object, source: error.into() }
        })?;
        Ok(Some(Blob::new(bytes.to_vec())))
    }
}
