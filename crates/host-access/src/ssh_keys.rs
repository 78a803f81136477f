//! The SSH keys: a repository's own, or else the stack's. They are read from S3, decrypted by KMS,
//! and kept only in memory. A key that its repository has lost is used for five minutes at most.

use std::{
    collections::{BTreeMap, HashMap},
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
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use secret::MAX_AGE;
use tokio::sync::OnceCell;

use crate::error::AccessError;

/// All keys of a stack.
#[derive(Debug)]
pub struct SshKeys {
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
    /// Whether they are the repository's own, not the stack's.
    pub(crate) are_own: bool,
}

/// The own keys of repositories, newest first: none for one that uses the stack's. They are cached
/// as long as a secret.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    keys: HashMap<String, (Instant, Vec<PrivateKey>)>,
    /// When all keys were read ahead: a repository without one had none then.
    ahead: Option<Instant>,
}

impl Cache {
    fn get(&self, name: &str) -> Option<Vec<PrivateKey>> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match cached.keys.get(name) {
            Some((read, keys)) => Some(keys.clone()).filter(|_| read.elapsed() < MAX_AGE),
            None => cached.ahead.filter(|read| read.elapsed() < MAX_AGE).map(|_| Vec::new()),
        }
    }

    /// Knows the keys of all repositories that have any, so that none is read until they are too
    /// old.
    pub(crate) fn know_all(&self, all: BTreeMap<String, Vec<PrivateKey>>) {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.keys.extend(all.into_iter().map(|(name, keys)| (name, (Instant::now(), keys))));
        cached.ahead = Some(Instant::now());
    }

    fn put(&self, name: String, keys: Vec<PrivateKey>) {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.keys.retain(|_, (read, _)| read.elapsed() < MAX_AGE);
        cached.keys.insert(name, (Instant::now(), keys));
    }
}

impl SshKeys {
    /// A repository's keys. Errors aren't cached: the next job tries again.
    pub(crate) async fn of(&self, repository: &Repository) -> Result<KeysOf, AccessError> {
        match self.of_repositories.get(&repository_keys::stored_name(repository)) {
            Some(own) => self.or_of_stack(own).await,
            None => self.read_again(repository).await,
        }
    }

    /// The same, read now.
    pub(crate) async fn read_again(&self, repository: &Repository) -> Result<KeysOf, AccessError> {
        let name = repository_keys::stored_name(repository);
        let own = self.own(&repository_keys::object_key(repository), &name).await?;
        self.of_repositories.put(name, own.clone());
        self.or_of_stack(own).await
    }

    async fn or_of_stack(&self, own: Vec<PrivateKey>) -> Result<KeysOf, AccessError> {
        let mut own = own.into_iter();
        if let Some(newest) = own.next() {
            return Ok(KeysOf { newest, older: own.collect(), are_own: true });
        }
        let key = self.of_stack.get_or_try_init(async || {
            let ciphertext = self.content(&self.object).await?;
            let (bucket, object) = (self.bucket.to_string(), self.object.clone());
            let ciphertext = ciphertext.ok_or(AccessError::NoSuchKey { bucket, object })?;
            self.decrypt(ciphertext, custom::encryption_context(&self.stack_name)).await
        });
        Ok(KeysOf { newest: key.await?.clone(), older: Vec::new(), are_own: false })
    }

    /// The keys of a single repository, in this object, newest first.
    async fn own(&self, object: &str, name: &str) -> Result<Vec<PrivateKey>, AccessError> {
        let texts = self.texts(object, name).await?;
        texts.iter().map(PrivateKey::from_openssh).collect::<Result<_, _>>().map_err(AccessError::Key)
    }

    /// The same in OpenSSH's format.
    pub(crate) async fn texts(&self, object: &str, name: &str) -> Result<Vec<SecretString>, AccessError> {
        let Some(stored) = self.content(object).await? else { return Ok(Vec::new()) };
        let malformed = || AccessError::MalformedKeys { bucket: self.bucket.to_string(), object: object.to_owned() };
        let KeyPairs { keys, .. } = serde_json::from_slice(stored.as_ref()).map_err(|_| malformed())?;
        let mut own = Vec::new();
        for pair in keys {
            let ciphertext = STANDARD.decode(pair.ciphertext).map_err(|_| malformed())?;
            let context = repository_keys::encryption_context(&self.stack_name, name);
            own.push(self.text(Blob::new(ciphertext), context).await?);
        }
        Ok(own)
    }

    async fn decrypt(
        &self,
        ciphertext: Blob,
        context: impl IntoIterator<Item = (&str, &str)>,
    ) -> Result<PrivateKey, AccessError> {
        PrivateKey::from_openssh(&self.text(ciphertext, context).await?).map_err(AccessError::Key)
    }

    async fn text(
        &self,
        ciphertext: Blob,
        context: impl IntoIterator<Item = (&str, &str)>,
    ) -> Result<SecretString, AccessError> {
        let plaintext = self.plaintext(ciphertext, context).await?;
        let text = String::from_utf8(plaintext.expose_secret().to_vec()).ok();
        text.map(SecretString::from).ok_or_else(|| AccessError::NoKey { kms_key: self.kms_key.to_string() })
    }

    pub(crate) async fn plaintext(
        &self,
        ciphertext: Blob,
        context: impl IntoIterator<Item = (&str, &str)>,
    ) -> Result<SecretSlice<u8>, AccessError> {
        let mut request = self.kms.decrypt().key_id(self.kms_key.as_str()).ciphertext_blob(ciphertext);
        for (key, value) in context {
            request = request.encryption_context(key, value);
        }
        let answer = request.send().await.map_err(|error| AccessError::DecryptKey {
            kms_key: self.kms_key.to_string(),
            source: Box::new(error.into()),
        })?;
        let plaintext = answer.plaintext.map(|plaintext| plaintext.into_inner().into());
        plaintext.ok_or_else(|| AccessError::NoKey { kms_key: self.kms_key.to_string() })
    }

    /// The content of an object, if there is one.
    async fn content(&self, object: &str) -> Result<Option<Blob>, AccessError> {
        self.content_of(self.bucket.as_str(), object).await
    }

    pub(crate) async fn content_of(&self, bucket: &str, object: &str) -> Result<Option<Blob>, AccessError> {
        let names = || (bucket.to_owned(), object.to_owned());
        let answer = match self.s3.get_object().bucket(bucket).key(object).send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => {
                let (bucket, object) = names();
                return Err(AccessError::ReadKey { bucket, object, source: Box::new(error.into()) });
            }
        };
        let bytes = answer.body.collect().await.map_err(|error| {
            let (bucket, object) = names();
            AccessError::KeyBrokeOff { bucket, object, source: error.into() }
        })?;
        Ok(Some(Blob::new(bytes.to_vec())))
    }
}
