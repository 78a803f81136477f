//! [`AWS::KMS::Key`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html).

use aws_names::{Arn, KeyId};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Handle, Resource, Value,
    iam::{Action, Grant, PolicyDocument, Role, Statement},
    pseudo, sub,
};

/// A symmetric key that rotates every year. Its policy leaves rights to IAM: if it named the roles,
/// key and roles would refer to each other.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Key {
    description: String,
    enable_key_rotation: bool,
    pending_window_in_days: u8,
    key_policy: PolicyDocument,
}

impl Key {
    /// A key whose deletion can be cancelled for `pending_days` (7 to 30).
    pub fn rotating(description: &str, pending_days: u8) -> Self {
        let root = sub([
            "arn:".into(),
            pseudo::partition().into(),
            ":iam::".into(),
            pseudo::account_id().into(),
            ":root".into(),
        ]);
        Self {
            description: description.to_owned(),
            enable_key_rotation: true,
            pending_window_in_days: pending_days,
            key_policy: PolicyDocument::new([Statement::delegate_key_to_account(root)]),
        }
    }

    /// Lets a service of AWS use the key for resources of this account whose ARN matches `source`.
    /// A service has no role that IAM could give the right to, so the key policy gives it.
    #[must_use]
    pub fn usable_by(mut self, service: &'static str, actions: &[Action], source: &Value<String>) -> Self {
        self.key_policy.push(Statement::allow_service("Service", service, actions, vec!["*".into()], source));
        self
    }
}

impl Resource for Key {
    const TYPE: &'static str = "AWS::KMS::Key";
}

impl Handle<Key> {
    /// The key's ID.
    pub fn id_of_key(&self) -> Value<KeyId> {
        self.reference()
    }

    /// The key's ARN.
    pub fn arn(&self) -> Value<Arn<Key>> {
        self.attribute("Arn")
    }

    /// Lets `role` use the key, only under this [encryption
    /// context](https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html).
    pub fn grant_under(&self, role: &mut Role, context: &[(&str, Value<String>)], grant: Grant) {
        role.grant_only(self.id(), grant, self.arn().meaning(), |statement| {
            context.iter().fold(statement, |statement, (key, value)| {
                statement.when("StringEquals", &format!("kms:EncryptionContext:{key}"), value)
            })
        });
    }
}
