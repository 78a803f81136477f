//! [`AWS::KMS::Alias`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-alias.html).

use aws_names::KeyId;
use schemars::JsonSchema;
use serde::Serialize;

use super::Key;
use crate::{Handle, Resource, Value};

/// A readable name of a key.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Alias {
    alias_name: Value<String>,
    target_key_id: Value<KeyId>,
}

impl Alias {
    /// The alias `name`, which begins with `alias/`, for `key`.
    pub fn new(name: Value<String>, key: &Handle<Key>) -> Self {
        Self { alias_name: name, target_key_id: key.id_of_key() }
    }
}

impl Resource for Alias {
    const TYPE: &'static str = "AWS::KMS::Alias";
}
