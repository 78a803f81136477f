//! The custom resources: their properties and attributes.

use aws_names::{BucketName, KeyId};
use serde::{Deserialize, Serialize};

use crate::side::Side;

/// The type of the generated SSH key: the `KeyType` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    /// Ed25519: short and fast. Every provider except Azure DevOps accepts it.
    Ed25519,
    /// RSA with 4,096 bits: for Azure DevOps, which accepts nothing else.
    Rsa,
}

/// The properties of the custom resource that generates the SSH key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(bound = ""))]
#[serde(
    rename_all = "PascalCase",
    bound(
        serialize = "S::Of<BucketName>: Serialize, S::Of<KeyId>: Serialize, S::Of<KeyType>: Serialize, S::Of<String>: Serialize",
        deserialize = "S::Of<BucketName>: Deserialize<'de>, S::Of<KeyId>: Deserialize<'de>, S::Of<KeyType>: Deserialize<'de>, S::Of<String>: Deserialize<'de>"
    )
)]
pub struct SshKeyProperties<S: Side> {
    /// The bucket for the encrypted private key.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub key_bucket: S::Of<BucketName>,
    /// The KMS key that encrypts it.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub kms_key: S::Of<KeyId>,
    /// The type of the key.
    #[cfg_attr(feature = "schema", schemars(with = "KeyType"))]
    pub key_type: S::Of<KeyType>,
    /// The stack name, part of the encryption context.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub stack_name: S::Of<String>,
}

/// The attributes of that custom resource.
#[derive(Debug, Serialize, Deserialize)]
#[serde(
    rename_all = "PascalCase",
    bound(serialize = "S::Of<String>: Serialize", deserialize = "S::Of<String>: Deserialize<'de>")
)]
pub struct SshKeyData<S: Side> {
    /// The public key as a line of `authorized_keys`.
    pub public_key: S::Of<String>,
    /// The object with the encrypted private key. Each key pair has its own, below
    /// [`SSH_KEY_PREFIX`].
    pub object_key: S::Of<String>,
}

/// The prefix of the encrypted private keys in the key bucket.
pub const SSH_KEY_PREFIX: &str = "ssh-key/";

/// The properties of the custom resource that empties the buckets when the stack is deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(bound = ""))]
#[serde(
    rename_all = "PascalCase",
    bound(serialize = "S::Of<BucketName>: Serialize", deserialize = "S::Of<BucketName>: Deserialize<'de>")
)]
pub struct BucketCleanerProperties<S: Side> {
    /// The buckets to empty.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub buckets: Vec<S::Of<BucketName>>,
}

/// The KMS [encryption
/// context](https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html) of a
/// stack's SSH key: ciphertexts of other stacks or for other purposes don't decrypt. It is not
/// secret, and CloudTrail logs it.
pub fn encryption_context(stack_name: &str) -> [(&str, &str); 2] {
    [(CONTEXT_STACK, stack_name), (CONTEXT_PURPOSE, SSH_KEY_PURPOSE)]
}

/// The context key for the stack name.
pub const CONTEXT_STACK: &str = "stack";

/// The context key for the purpose.
pub const CONTEXT_PURPOSE: &str = "purpose";

/// The purpose of a stack's SSH key.
pub const SSH_KEY_PURPOSE: &str = "git-ssh-key";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::Runtime;

    #[test]
    fn properties_are_cloudformations_pascal_case() {
        let properties: SshKeyProperties<Runtime> = serde_json::from_value(serde_json::json!({
            "KeyBucket": "keys", "KmsKey": "1234abcd-12ab-34cd-56ef-1234567890ab", "KeyType": "rsa", "StackName": "git2s3",
            "ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:ssh-key",
        }))
        .unwrap();
        assert_eq!(properties.key_type, KeyType::Rsa);
        let written = serde_json::to_value(properties).unwrap();
        assert_eq!(written.as_object().unwrap().len(), 4);
        assert_eq!(written["KeyBucket"], "keys");
    }
}
