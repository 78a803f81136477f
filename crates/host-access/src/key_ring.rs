//! The keys of all repositories in one object, for a function that needs them all: they are
//! encrypted under one data key, so that KMS is asked once, and not for each repository. It is a
//! copy: an entry counts only as long as the object that it was read from is the same.
//!
//! Each entry is sealed by AES-256-GCM for its repository, and the data key is encrypted by the
//! stack's KMS key. A ring that somebody has changed isn't used.

use std::collections::BTreeMap;

use aws_names::BucketName;
use aws_sdk_kms::{primitives::Blob, types::DataKeySpec};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::custom;
use fetch::PrivateKey;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};

use crate::{AccessError, SshKeys};

/// The context key that tells a ring's data key from the keys of repositories.
const CONTEXT_CONTENT: (&str, &str) = ("content", "key-ring");
/// What separates the keys of a repository in an entry. No key has it.
const BETWEEN: char = '\0';

/// A repository's keys, as they lie in the key bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyObject {
    /// The repository, as [`stored_name`](contract::repository_keys::stored_name) has it.
    pub name: String,
    /// The object's key.
    pub object: String,
    /// What changes whenever the object is written.
    pub seen: String,
}

/// The content of the object.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ring {
    /// The encrypted data key.
    data_key: String,
    /// The sealed keys, by repository.
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    seen: String,
    /// The nonce, and then what is sealed.
    sealed: String,
}

/// What an entry says: the object that it was read from, and the keys, newest first.
type Opened = BTreeMap<String, (String, SecretString)>;

impl SshKeys {
    /// Reads the keys of these repositories ahead: from the ring in this object, and one by one
    /// only what it lacks; then there is a new ring.
    ///
    /// # Errors
    /// S3 or KMS refuses. Then each key is read when it is needed.
    pub async fn read_ahead(&self, all: &[KeyObject], bucket: &BucketName, ring: &str) -> Result<(), AccessError> {
        let mut known = self.open(bucket, ring).await?;
        let before = known.len();
        known.retain(|name, (seen, _)| all.iter().any(|one| one.name == *name && one.seen == *seen));
        let mut is_new = known.len() != before;
        for KeyObject { name, object, seen } in all {
            if !known.contains_key(name) {
                let keys = self.texts(object, name).await?;
                let keys: Vec<_> = keys.iter().map(|key| key.expose_secret().to_owned()).collect();
                known.insert(name.clone(), (seen.clone(), keys.join(&BETWEEN.to_string()).into()));
                is_new = true;
            }
        }
        if is_new {
            self.seal(&known, bucket, ring).await?;
        }
        let mut ahead = BTreeMap::new();
        for (name, (_, keys)) in known {
            let keys = keys.expose_secret().split(BETWEEN).filter(|key| !key.is_empty());
            let keys = keys.map(|key| PrivateKey::from_openssh(&key.to_owned().into())).collect::<Result<_, _>>();
            // An unusable key is one of its repository alone.
            if let Ok(keys) = keys {
                ahead.insert(name, keys);
            }
        }
        self.of_repositories.know_all(ahead);
        Ok(())
    }

    /// What a ring has. Nothing if there is none, or none that can be read.
    async fn open(&self, bucket: &BucketName, ring: &str) -> Result<Opened, AccessError> {
        let stored = self.content_of(bucket.as_str(), ring).await?;
        let ring: Option<Ring> = stored.and_then(|stored| serde_json::from_slice(stored.as_ref()).ok());
        let Some(Ring { data_key, entries }) = ring.filter(|ring| !ring.entries.is_empty()) else {
            return Ok(Opened::new());
        };
        let Ok(data_key) = STANDARD.decode(data_key) else { return Ok(Opened::new()) };
        let Ok(data_key) = self.plaintext(Blob::new(data_key), self.ring_context()).await else {
            tracing::warn!("the key ring's data key can't be decrypted: reading each key by itself");
            return Ok(Opened::new());
        };
        let opened = key(&data_key).map(|key| {
            let open = |(name, Entry { seen, sealed }): (String, Entry)| {
                let keys = open(&key, &name, &STANDARD.decode(sealed).ok()?)?;
                Some((name, (seen, keys)))
            };
            entries.into_iter().filter_map(open).collect()
        });
        Ok(opened.unwrap_or_default())
    }

    async fn seal(&self, known: &Opened, bucket: &BucketName, ring: &str) -> Result<(), AccessError> {
        let kms_key = || self.kms_key.to_string();
        let mut request = self.kms.generate_data_key().key_id(self.kms_key.as_str()).key_spec(DataKeySpec::Aes256);
        for (name, value) in self.ring_context() {
            request = request.encryption_context(name, value);
        }
        let made = request.send().await;
        let made = made.map_err(|error| AccessError::DataKey { kms_key: kms_key(), source: Box::new(error.into()) })?;
        let no_key = || AccessError::NoKey { kms_key: kms_key() };
        let data_key: SecretSlice<u8> = made.plaintext.ok_or_else(no_key)?.into_inner().into();
        let key = key(&data_key).ok_or_else(no_key)?;
        let seal = |(name, (seen, keys)): (&String, &(String, SecretString))| {
            let sealed = STANDARD.encode(seal(&key, name, keys)?);
            Some((name.clone(), Entry { seen: seen.clone(), sealed }))
        };
        let content = Ring {
            data_key: STANDARD.encode(made.ciphertext_blob.ok_or_else(no_key)?),
            entries: known.iter().filter_map(seal).collect(),
        };
        let content = serde_json::to_vec(&content).unwrap_or_default();
        let put = self.s3.put_object().bucket(bucket.as_str()).key(ring).body(content.into()).send().await;
        let (bucket, object) = (bucket.to_string(), ring.to_owned());
        put.map(drop).map_err(|error| AccessError::StoreKeys { bucket, object, source: Box::new(error.into()) })
    }

    fn ring_context(&self) -> impl Iterator<Item = (&str, &str)> {
        custom::encryption_context(&self.stack_name).into_iter().chain([CONTEXT_CONTENT])
    }
}

fn key(bytes: &SecretSlice<u8>) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, bytes.expose_secret()).ok().map(LessSafeKey::new)
}

/// Seals a repository's keys: the nonce, and then the ciphertext.
fn seal(key: &LessSafeKey, name: &str, keys: &SecretString) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).ok()?;
    let mut sealed = keys.expose_secret().as_bytes().to_vec();
    let for_name = Aad::from(name.as_bytes());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), for_name, &mut sealed).ok()?;
    Some([&nonce[..], &sealed].concat())
}

/// Opens what was sealed for this repository.
fn open(key: &LessSafeKey, name: &str, sealed: &[u8]) -> Option<SecretString> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut opened = sealed.to_vec();
    let text = key.open_in_place(nonce, Aad::from(name.as_bytes()), &mut opened).ok()?;
    String::from_utf8(text.to_vec()).ok().map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_keys_open_for_their_repository() {
        let key_of = |byte: u8| key(&vec![byte; 32].into()).unwrap();
        let (one, name) = (key_of(1), "github.com/octo/hello");
        let sealed = seal(&one, name, &"a private key".into()).unwrap();
        let opened = |key: &LessSafeKey, name: &str, sealed: &[u8]| {
            open(key, name, sealed).map(|keys| keys.expose_secret().to_owned())
        };
        assert_eq!(opened(&one, name, &sealed).as_deref(), Some("a private key"));
        assert_eq!(opened(&one, "github.com/octo/other", &sealed), None);
        assert_eq!(opened(&key_of(2), name, &sealed), None);
        assert_ne!(sealed, seal(&one, name, &"a private key".into()).unwrap(), "the nonce is another one");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(opened(&one, name, &changed), None, "byte {at}");
            assert_eq!(opened(&one, name, &sealed[..at]), None, "{at} bytes");
        }
        assert!(!sealed.windows(7).any(|window| window == b"private"));
    }
}
