//! The custom resources: what the template gives them and what they give back.

use aws_names::{BucketName, KeyId};
use serde::{Deserialize, Serialize};

use crate::side::Side;

/// The kind of SSH key that is made: the `KeyType` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    /// Ed25519: short and fast, and every provider but one takes it.
    Ed25519,
    /// RSA with 4,096 bits: for Azure DevOps, which takes no other.
    Rsa,
}

/// The properties of the custom resource that makes the SSH key.
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
    /// The bucket that the encrypted private key goes to.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub key_bucket: S::Of<BucketName>,
    /// The KMS key that it is encrypted with.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub kms_key: S::Of<KeyId>,
    /// The kind of key.
    #[cfg_attr(feature = "schema", schemars(with = "KeyType"))]
    pub key_type: S::Of<KeyType>,
    /// The stack's name, part of the encryption context.
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
    /// The object that holds the encrypted private key: one of its own for each key pair, below
    /// [`SSH_KEY_PREFIX`].
    pub object_key: S::Of<String>,
}

/// Where in the key bucket the encrypted private keys lie.
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
/// stack's SSH key: a ciphertext of another stack, or of another purpose, doesn't decrypt. Not
/// secret; it stands in CloudTrail.
pub fn encryption_context(stack_name: &str) -> [(&str, &str); 2] {
    [(CONTEXT_STACK, stack_name), (CONTEXT_PURPOSE, SSH_KEY_PURPOSE)]
}

/// The encryption context's key that names the stack.
pub const CONTEXT_STACK: &str = "stack";

/// The encryption context's key that names the purpose.
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
