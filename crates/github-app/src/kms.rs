//! The App's private key, in KMS.

use aws_sdk_kms::{
    operation::sign::SignError as KmsError,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};

use crate::{SignError, Signer};

/// A key of KMS that `infra app` imported.
#[derive(Debug, Clone)]
pub struct KmsKey {
    client: aws_sdk_kms::Client,
    arn: String,
}

impl KmsKey {
    /// The key with this ARN.
    pub fn new(client: aws_sdk_kms::Client, arn: impl Into<String>) -> Self {
        Self { client, arn: arn.into() }
    }
}

impl Signer for KmsKey {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let request = self.client.sign().key_id(&self.arn).message(Blob::new(message)).message_type(MessageType::Raw);
        let answer = request.signing_algorithm(SigningAlgorithmSpec::RsassaPkcs1V15Sha256).send().await;
        let failed = |hint, source| SignError { key: self.arn.clone(), hint, source };
        match answer {
            Ok(answer) => {
                let signature = answer.signature.map(Blob::into_inner);
                signature.ok_or_else(|| failed(None, "KMS gave no signature".into()))
            }
            Err(error) => {
                let hint = error.as_service_error().and_then(hint);
                Err(failed(hint, Box::new(aws_sdk_kms::Error::from(error))))
            }
        }
    }
}

/// What a person can do about [KMS's
/// error](https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html#API_Sign_Errors).
fn hint(error: &KmsError) -> Option<&'static str> {
    match error {
        KmsError::DisabledException(_) => Some("enable the key in KMS"),
        KmsError::KmsInvalidStateException(_) => {
            Some("the key's deletion is scheduled, or it has no key material: run `infra app import` again")
        }
        KmsError::NotFoundException(_) => {
            Some("deploy with the ARN of an existing key in GitHubAppKey: `infra app import` makes one")
        }
        _ => None,
    }
}
