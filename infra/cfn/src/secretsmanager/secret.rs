//! [`AWS::SecretsManager::Secret`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html).

use aws_names::SecretId;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    Condition, Handle, ParameterHandle, Resource, Value,
    iam::{Action, Role, Statement},
};

/// A secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Secret {
    description: String,
    secret_string: Value<String>,
    generate_secret_string: Value<Json>,
}

impl Secret {
    /// What the parameter says where `given` holds, else a random text that nobody knows: a secret is never empty.
    pub fn from_parameter(description: &str, parameter: &ParameterHandle<String>, given: &Condition) -> Self {
        let random: Value<Json> = json!({ "PasswordLength": 64, "ExcludePunctuation": true }).into();
        Self {
            description: description.to_owned(),
            secret_string: given.either(parameter.value(), Value::none()),
            generate_secret_string: given.either(Value::none(), random),
        }
    }
}

impl Resource for Secret {
    const TYPE: &'static str = "AWS::SecretsManager::Secret";
}

impl Handle<Secret> {
    /// What the API takes as the secret's id. On AWS it is the ARN.
    pub fn secret_id(&self) -> Value<SecretId> {
        self.reference()
    }

    /// Lets `role` read the secret.
    pub fn grant_read(&self, role: &mut Role) {
        let arn = self.secret_id().meaning();
        role.grant(self.id(), Statement::allow(self.id(), &[Action::SecretsManagerGetSecretValue], vec![arn]));
    }
}
