//! The keys of single repositories: asks the stack's ssh-key function, which alone can make them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use contract::Repository;
use contract::repository_keys::{KeyRequest, KeyResponse, stored_name};
use deployment::account::Account;
use deployment::call_error::CallError;
use host_api::{PublicKey, PublicKeyError};

/// Why the ssh-key function gave no keys.
#[derive(Debug, thiserror::Error)]
pub enum SshKeysError {
    /// Lambda couldn't be asked, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The function failed.
    #[error("the function {function} could not answer: {message}")]
    Failed {
        /// The function's name.
        function: String,
        /// Its message.
        message: String,
    },
    /// Its response can't be understood.
    #[error("the response of {function} is not what this version expects")]
    Answer {
        /// The function's name.
        function: String,
        /// The cause.
        source: serde_json::Error,
    },
    /// A key in it can't be read.
    #[error("the public key of {repository} can't be read")]
    Key {
        /// The repository's name.
        repository: String,
        /// The cause.
        source: PublicKeyError,
    },
}

impl SshKeysError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Call(error) => error.hint(),
            Self::Failed { .. } | Self::Answer { .. } => {
                Some("deploy this version first: an older one has no keys for single repositories".to_owned())
            }
            Self::Key { .. } => None,
        }
    }
}

/// The keys of a stack's repositories.
#[derive(Debug)]
pub struct SshKeys {
    client: Client,
    function: String,
    /// By name, newest first.
    known: Mutex<HashMap<String, Vec<PublicKey>>>,
}

impl SshKeys {
    /// Reads the keys that there are.
    ///
    /// # Errors
    /// The function couldn't be asked, or failed.
    pub async fn read(account: &Account, function: &str) -> Result<Self, SshKeysError> {
        let client = Client::new(&account.config);
        let keys = Self { client, function: function.to_owned(), known: Mutex::default() };
        keys.ask(&KeyRequest::List).await?;
        Ok(keys)
    }

    /// The keys of a repository, newest first, when the function was last asked.
    pub fn known(&self, repository: &Repository) -> Vec<PublicKey> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&stored_name(repository)).cloned().unwrap_or_default()
    }

    /// The names of all repositories with keys, sorted, and their keys.
    pub fn all(&self) -> Vec<(String, Vec<PublicKey>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = known.iter().map(|(name, keys)| (name.clone(), keys.clone())).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// The keys of a repository; makes one if there is none.
    ///
    /// # Errors
    /// The function couldn't be asked, or failed.
    pub async fn make(&self, repository: &Repository) -> Result<Vec<PublicKey>, SshKeysError> {
        self.ask_about(repository, &KeyRequest::Make { repository: repository.clone() }).await
    }

    /// The keys of a repository, with a new one before `replaced`.
    ///
    /// # Errors
    /// The function couldn't be asked, or failed.
    pub async fn rotate(&self, repository: &Repository, replaced: &PublicKey) -> Result<Vec<PublicKey>, SshKeysError> {
        let (repository, replaced) = (repository.clone(), replaced.to_string());
        self.ask_about(&repository.clone(), &KeyRequest::Rotate { repository, replaced }).await
    }

    /// Removes a key, so that nothing can be fetched with it any more.
    ///
    /// # Errors
    /// The function couldn't be asked, or failed.
    pub async fn remove(&self, repository: &Repository, key: &PublicKey) -> Result<(), SshKeysError> {
        let (repository, public_key) = (repository.clone(), key.to_string());
        self.ask_about(&repository.clone(), &KeyRequest::Remove { repository, public_key }).await.map(drop)
    }

    async fn ask_about(&self, repository: &Repository, request: &KeyRequest) -> Result<Vec<PublicKey>, SshKeysError> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&stored_name(repository));
        self.ask(request).await?;
        Ok(self.known(repository))
    }

    async fn ask(&self, request: &KeyRequest) -> Result<(), SshKeysError> {
        let function = &self.function;
        let wrong = |source| SshKeysError::Answer { function: function.clone(), source };
        let payload = Blob::new(serde_json::to_vec(request).map_err(wrong)?);
        let answer = self.client.invoke().function_name(function).payload(payload).send().await;
        let answer = answer.map_err(|error| CallError::new(format!("invoke the function {function}"), error))?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        if answer.function_error.is_some() {
            let said: serde_json::Value = serde_json::from_slice(&payload).map_err(wrong)?;
            let message = said["errorMessage"].as_str().unwrap_or("it doesn't say why").to_owned();
            return Err(SshKeysError::Failed { function: function.clone(), message });
        }
        let response: KeyResponse = serde_json::from_slice(&payload).map_err(wrong)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for key in response.keys {
            let public = key.public_key.parse();
            let public = public.map_err(|source| SshKeysError::Key { repository: key.repository.clone(), source })?;
            known.entry(key.repository).or_default().push(public);
        }
        Ok(())
    }
}
