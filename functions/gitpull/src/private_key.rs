//! The SSH key: read and decrypted once per warm function, and kept only in memory.

use aws_sdk_kms::primitives::Blob;
use contract::custom::encryption_context;
use fetch::PrivateKey;
use secrecy::SecretString;
use tokio::sync::OnceCell;

use crate::error::GitPullError;

/// The location of the SSH key, and the key once it was read.
#[derive(Debug)]
pub(crate) struct StoredKey {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) kms: aws_sdk_kms::Client,
    pub(crate) bucket: aws_names::BucketName,
    pub(crate) object: String,
    pub(crate) kms_key: aws_names::KeyId,
    pub(crate) stack_name: String,
    pub(crate) read: OnceCell<PrivateKey>,
}

impl StoredKey {
    /// The key. Errors aren't cached: the next job tries again.
    pub(crate) async fn get(&self) -> Result<&PrivateKey, GitPullError> {
        self.read.get_or_try_init(|| self.load()).await
    }

    async fn load(&self) -> Result<PrivateKey, GitPullError> {
        let mut request = self.kms.decrypt().key_id(self.kms_key.as_str()).ciphertext_blob(self.ciphertext().await?);
        for (key, value) in encryption_context(&self.stack_name) {
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

    async fn ciphertext(&self) -> Result<Blob, GitPullError> {
        let (bucket, object) = (self.bucket.as_str(), &self.object);
        let names = || (bucket.to_owned(), object.clone());
        let answer = self.s3.get_object().bucket(bucket).key(object).send().await.map_err(|error| {
            let (bucket, object) = names();
            GitPullError::ReadKey { bucket, object, source: Box::new(error.into()) }
        })?;
        let bytes = answer.body.collect().await.map_err(|error| {
            let (bucket, object) = names();
            GitPullError::KeyBrokeOff { bucket, object, source: error.into() }
        })?;
        Ok(Blob::new(bytes.to_vec()))
    }
}
