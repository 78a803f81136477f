//! Encrypts private keys with KMS. The function can't decrypt them.

use aws_names::KeyId;
use aws_sdk_kms::primitives::Blob;
use secrecy::{ExposeSecret, SecretString};

/// Why a private key wasn't encrypted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncryptError {
    #[error("could not encrypt the private key with {kms_key}")]
    Kms { kms_key: String, source: Box<aws_sdk_kms::Error> },
    #[error("{kms_key} gave no ciphertext for the private key")]
    NoCiphertext { kms_key: String },
}

/// Encrypts a private key. Only a request with the same context can decrypt it.
pub(crate) async fn encrypt(
    kms: &aws_sdk_kms::Client,
    kms_key: &KeyId,
    context: impl IntoIterator<Item = (&str, &str)>,
    private_key: &SecretString,
) -> Result<Blob, EncryptError> {
    let mut request = kms.encrypt().key_id(kms_key.as_str());
    for (key, value) in context {
        request = request.encryption_context(key, value);
    }
    let answer = request.plaintext(Blob::new(private_key.expose_secret())).send().await;
    let kms_key = kms_key.to_string();
    match answer {
        Ok(answer) => answer.ciphertext_blob.ok_or(EncryptError::NoCiphertext { kms_key }),
        Err(error) => Err(EncryptError::Kms { kms_key, source: Box::new(error.into()) }),
    }
}
