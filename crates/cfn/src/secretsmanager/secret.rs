//! [`AWS::SecretsManager::Secret`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html).

use aws_names::SecretId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    Condition, Handle, ParameterHandle, Resource, Value,
    iam::{Action, Evidence, Grant, Policy, Role},
    sub,
};

/// A secret.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Secret {
    description: String,
    secret_string: Value<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generate_secret_string: Option<Value<Json>>,
}

impl Secret {
    /// The parameter's value if `given` holds, else a random text that nobody knows, since a secret
    /// can't be empty.
    pub fn from_parameter(description: &str, parameter: &ParameterHandle<String>, given: &Condition) -> Self {
        let random: Value<Json> = json!({ "PasswordLength": 64, "ExcludePunctuation": true }).into();
        Self {
            description: description.to_owned(),
            secret_string: given.either(parameter.value(), Value::none()),
            generate_secret_string: Some(given.either(Value::none(), random)),
        }
    }

    /// A JSON object of parameters, which the console shows by key: one secret to pay for and to
    /// edit. The parameters' patterns have to exclude quotation marks, backslashes and control
    /// characters.
    pub fn of_fields<const N: usize>(description: &str, fields: [(&str, &ParameterHandle<String>); N]) -> Self {
        let mut parts = vec!["{".into()];
        for (index, (name, parameter)) in fields.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            parts.extend([format!("{comma}\"{name}\":\"").as_str().into(), parameter.value().into(), "\"".into()]);
        }
        parts.push("}".into());
        Self { description: description.to_owned(), secret_string: sub(parts), generate_secret_string: None }
    }
}

impl Resource for Secret {
    const TYPE: &'static str = "AWS::SecretsManager::Secret";
}

impl Handle<Secret> {
    /// The secret's ID as the API accepts it. On AWS it is the ARN.
    pub fn secret_id(&self) -> Value<SecretId> {
        self.reference()
    }

    /// Lets `role` read the secret.
    pub fn grant_read(&self, role: &mut Role, reason: &'static str, evidence: Evidence) {
        role.grant(self.id(), read(reason, evidence), self.secret_id().meaning());
    }

    /// The same as a separate policy, for a right that depends on a condition.
    pub fn read_policy(&self, role: &Handle<Role>, reason: &'static str, evidence: Evidence) -> Policy {
        Policy::on(self.id(), &[role], read(reason, evidence), self.secret_id().meaning())
    }
}

fn read(reason: &'static str, evidence: Evidence) -> Grant {
    Grant::because(reason, evidence, &[Action::SecretsManagerGetSecretValue])
}
