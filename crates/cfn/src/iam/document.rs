//! [Policy
//! documents](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html):
//! statements in the policies of roles and of resources.

use schemars::JsonSchema;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value as Json};

use super::Action;
use crate::{Value, pseudo};

/// A list of statements.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyDocument {
    version: &'static str,
    statement: Vec<Statement>,
}

impl PolicyDocument {
    /// Adds a statement.
    pub(crate) fn push(&mut self, statement: Statement) {
        self.statement.push(statement);
    }

    /// The same with all statements only if the condition key has this value.
    pub(super) fn when(mut self, operator: &str, key: &str, value: &Value<String>) -> Self {
        self.statement = self.statement.into_iter().map(|statement| statement.when(operator, key, value)).collect();
        self
    }

    /// A document with these statements.
    pub fn new(statement: impl IntoIterator<Item = Statement>) -> Self {
        Self { version: "2012-10-17", statement: statement.into_iter().collect() }
    }
}

/// The principal of a statement in a resource policy or a role's trust policy.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A service of AWS, such as `lambda.amazonaws.com`.
    Service(&'static str),
    /// An account: those to whom its administrators give rights by IAM, and no one else.
    Account(Value<String>),
    /// Everyone. Only for statements that deny.
    Everyone,
}

impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = match self {
            Self::Everyone => return serializer.serialize_str("*"),
            Self::Service(_) | Self::Account(_) => serializer.serialize_map(Some(1))?,
        };
        match self {
            Self::Service(service) => map.serialize_entry("Service", service)?,
            Self::Account(root) => map.serialize_entry("AWS", root)?,
            Self::Everyone => {}
        }
        map.end()
    }
}

/// One statement.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    sid: String,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Json>")]
    principal: Option<Principal>,
    action: Json,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource: Vec<Value<String>>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    condition: Map<String, Json>,
}

impl Statement {
    /// Allows the actions on the resources.
    pub fn allow(sid: &str, actions: &[Action], resource: Vec<Value<String>>) -> Self {
        let action = serde_json::to_value(actions).unwrap_or_default();
        Self { sid: sid.to_owned(), effect: "Allow", principal: None, action, resource, condition: Map::new() }
    }

    /// Denies one action, or all actions of a service, on the resources without TLS.
    pub(crate) fn deny_without_tls(action: &str, resource: Vec<Value<String>>) -> Self {
        Self {
            effect: "Deny",
            principal: Some(Principal::Everyone),
            action: action.into(),
            ..Self::allow("DenyWithoutTls", &[], resource)
        }
        .when("Bool", "aws:SecureTransport", &"false".into())
    }

    /// Lets the administrators of the account give rights to a KMS key by IAM: AWS's [default key
    /// policy](https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html).
    pub(crate) fn delegate_key_to_account(root: Value<String>) -> Self {
        Self {
            principal: Some(Principal::Account(root)),
            action: "kms:*".into(),
            ..Self::allow("DelegateToIam", &[], vec!["*".into()])
        }
    }

    /// Allows the actions, in a policy of a resource, to a service that acts for a resource of this
    /// account whose ARN matches `source`, but not for another account's resource ([the confused
    /// deputy](https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html)).
    pub fn allow_service(
        sid: &str,
        service: &'static str,
        actions: &[Action],
        resource: Vec<Value<String>>,
        source: &Value<String>,
    ) -> Self {
        Self::allow(sid, actions, resource)
            .by(Principal::Service(service))
            .when("StringEquals", "aws:SourceAccount", &pseudo::account_id())
            .when("ArnLike", "aws:SourceArn", source)
    }

    /// Sets the principal, in a resource policy.
    #[must_use]
    pub fn by(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }

    /// Applies only if the condition key has this value.
    #[must_use]
    pub fn when(mut self, operator: &str, key: &str, value: &Value<String>) -> Self {
        let value = serde_json::to_value(value).unwrap_or_default();
        let keys = self.condition.entry(operator).or_insert_with(|| Map::new().into());
        keys[key] = value;
        self
    }
}
