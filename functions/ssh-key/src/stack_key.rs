//! Generates one key pair for each key type and KMS key of a stack, and keeps it: whatever
//! CloudFormation repeats or rolls back, a public key registered with a Git host stays valid.
//!
//! The function can encrypt but not decrypt. It never overwrites a stack key, and deletes
//! nothing. The public key is in the object's metadata, where it can be read without the private
//! one.

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    operation::head_object::HeadObjectError,
};
use contract::{
    Runtime,
    custom::{KeyType, SSH_KEY_PREFIX, SshKeyData, SshKeyProperties, encryption_context},
};
use custom_resource::{Answer, CustomResource, Request, is_lack_of_rights};

use crate::{
    encryption::{EncryptError, encrypt},
    key_pair::{GenerateError, KeyPair},
};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StackKeyError {
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error(transparent)]
    Encrypt(#[from] EncryptError),
    #[error("could not store the encrypted key as s3://{bucket}/{key}")]
    Store { bucket: String, key: String, source: Box<aws_sdk_s3::Error> },
    #[error("could not check for the key s3://{bucket}/{key}")]
    Look { bucket: String, key: String, source: Box<aws_sdk_s3::Error> },
    #[error("s3://{bucket}/{key} exists, but has no public key")]
    Unreadable { bucket: String, key: String },
    #[error("s3://{bucket}/{key} exists, but can't be read")]
    Hidden { bucket: String, key: String },
}

/// The metadata with the public key.
const PUBLIC_KEY: &str = "public-key";

/// Generates the stack's SSH key.
#[derive(Debug, Clone)]
pub(crate) struct StackKey {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) kms: aws_sdk_kms::Client,
}

type Properties = SshKeyProperties<Runtime>;

impl CustomResource for StackKey {
    type Properties = Properties;
    type Data = SshKeyData<Runtime>;
    type Error = StackKeyError;

    fn owns(&self, physical_resource_id: &str) -> bool {
        physical_resource_id.starts_with(SSH_KEY_PREFIX)
    }

    fn lacks_rights(error: &StackKeyError) -> bool {
        let code = match error {
            StackKeyError::Encrypt(EncryptError::Kms { source, .. }) => source.code(),
            StackKeyError::Store { source, .. } | StackKeyError::Look { source, .. } => source.code(),
            // It was stored: only the permission to read it can be missing.
            StackKeyError::Hidden { .. } => return true,
            _ => None,
        };
        code.is_some_and(is_lack_of_rights)
    }

    async fn create(&self, request: Request<Properties>) -> Result<Answer<Self::Data>, StackKeyError> {
        let properties = request.properties;
        let object_key = object_key(&properties);
        let public_key = match self.public_key(&properties, &object_key).await? {
            Some(public_key) => public_key,
            None => self.make(&properties, &object_key).await?,
        };
        let data = SshKeyData { public_key, object_key: object_key.clone() };
        Ok(Answer { physical_resource_id: object_key, data })
    }

    async fn update(&self, request: Request<Properties>) -> Result<Answer<Self::Data>, StackKeyError> {
        self.create(request).await
    }

    /// Keeps the key: the bucket is deleted with the stack, and an update that is rolled back needs
    /// it.
    async fn delete(&self, _request: Request<Properties>) -> Result<(), StackKeyError> {
        Ok(())
    }
}

/// The key of the object. Another key type or KMS key is another object, and therefore another
/// resource.
fn object_key(properties: &Properties) -> String {
    let kind = match properties.key_type {
        KeyType::Ed25519 => "ed25519",
        KeyType::Rsa => "rsa",
    };
    let kms_key = properties.kms_key.as_str();
    format!("{SSH_KEY_PREFIX}{kind}/{}", kms_key.rsplit('/').next().unwrap_or(kms_key))
}

impl StackKey {
    /// The public key of an existing pair.
    async fn public_key(&self, properties: &Properties, object_key: &str) -> Result<Option<String>, StackKeyError> {
        let bucket = properties.key_bucket.as_str();
        match self.s3.head_object().bucket(bucket).key(object_key).send().await {
            Ok(head) => {
                let public_key = head.metadata.unwrap_or_default().remove(PUBLIC_KEY);
                public_key
                    .map(Some)
                    .ok_or_else(|| StackKeyError::Unreadable { bucket: bucket.to_owned(), key: object_key.to_owned() })
            }
            Err(error) if may_be_absent(&error) => Ok(None),
            Err(error) => Err(StackKeyError::Look {
                bucket: bucket.to_owned(),
                key: object_key.to_owned(),
                source: Box::new(error.into()),
            }),
        }
    }

    /// Generates a pair. If another invocation was faster, returns that one's.
    async fn make(&self, properties: &Properties, object_key: &str) -> Result<String, StackKeyError> {
        let (key_type, comment) = (properties.key_type, format!("git2s3-{}", properties.stack_name));
        let pair = KeyPair::generate(key_type, comment).await?;
        let context = encryption_context(&properties.stack_name);
        let ciphertext = encrypt(&self.kms, &properties.kms_key, context, &pair.private).await?;
        let bucket = properties.key_bucket.as_str();
        let request = self.s3.put_object().bucket(bucket).key(object_key).if_none_match("*");
        let request = request.metadata(PUBLIC_KEY, &pair.public).body(ciphertext.into_inner().into());
        match request.send().await {
            Ok(_) => Ok(pair.public),
            Err(error) if error.code() == Some("PreconditionFailed") => {
                let there = self.public_key(properties, object_key).await?;
                there.ok_or_else(|| StackKeyError::Hidden { bucket: bucket.to_owned(), key: object_key.to_owned() })
            }
            Err(error) => Err(StackKeyError::Store {
                bucket: bucket.to_owned(),
                key: object_key.to_owned(),
                source: Box::new(error.into()),
            }),
        }
    }
}

/// Without `s3:ListBucket`, S3 reports a missing object as forbidden. A real prohibition shows when
/// the object is stored.
fn may_be_absent(error: &SdkError<HeadObjectError>) -> bool {
    error.raw_response().is_some_and(|response| matches!(response.status().as_u16(), 403 | 404))
}

#[cfg(test)]
mod tests;
