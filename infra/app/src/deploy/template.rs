//! What a deployment has to know of a template: its parameters, and which rights over IAM it claims.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::Capability;
use serde::Deserialize;
use serde_json::Value;

/// A template in JSON.
#[derive(Debug, Clone)]
pub struct Template {
    text: String,
    content: Content,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    #[serde(default)]
    parameters: BTreeMap<String, Declared>,
    resources: BTreeMap<String, Resource>,
}

/// A declared parameter.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Declared {
    default: Option<Value>,
    #[serde(default)]
    no_echo: Value,
}

#[derive(Debug, Clone, Deserialize)]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Properties", default)]
    properties: Value,
}

/// Why a text is not a template.
#[derive(Debug, thiserror::Error)]
#[error("the template is not CloudFormation's JSON")]
pub struct TemplateError(#[source] serde_json::Error);

impl Template {
    /// The template that `text` is.
    ///
    /// # Errors
    /// It is no JSON, or has no resources.
    pub fn parse(text: String) -> Result<Self, TemplateError> {
        let content = serde_json::from_str(&text).map_err(TemplateError)?;
        Ok(Self { text, content })
    }

    /// The template as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of the parameters that `CloudFormation` never shows.
    pub fn secret_parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters().filter(|(_, declared)| declared.is_secret()).map(|(name, _)| name)
    }

    /// Whether the template has a parameter of that name.
    pub(super) fn declares(&self, parameter: &str) -> bool {
        self.content.parameters.contains_key(parameter)
    }

    /// The value that a parameter has if nobody gives one.
    pub(super) fn default(&self, parameter: &str) -> Option<&str> {
        self.content.parameters.get(parameter)?.default.as_ref()?.as_str()
    }

    pub(super) fn parameters(&self) -> impl Iterator<Item = (&str, &Declared)> {
        self.content.parameters.iter().map(|(name, declared)| (name.as_str(), declared))
    }

    /// Whether it has to go through S3.
    pub(super) fn is_large(&self) -> bool {
        self.text.len() > cfn::quota::TEMPLATE_BYTES_INLINE
    }

    /// What `CloudFormation` wants to be [acknowledged][aws]: nothing, that IAM changes, or that IAM changes under
    /// names which could be somebody else's.
    ///
    /// [aws]: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
    pub(super) fn capability(&self) -> Option<Capability> {
        const NAMES: [&str; 5] = ["RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"];
        let iam = || self.content.resources.values().filter(|resource| resource.kind.starts_with("AWS::IAM::"));
        let named = |resource: &Resource| NAMES.iter().any(|name| resource.properties.get(name).is_some());
        if iam().any(named) {
            return Some(Capability::CapabilityNamedIam);
        }
        iam().next().map(|_| Capability::CapabilityIam)
    }
}

impl Declared {
    /// Whether a stack can be made without a value for it.
    pub(super) fn has_default(&self) -> bool {
        self.default.is_some()
    }

    /// Whether `CloudFormation` hides its value. It takes the word as well as the truth value.
    pub(super) fn is_secret(&self) -> bool {
        match &self.no_echo {
            Value::Bool(no_echo) => *no_echo,
            Value::String(no_echo) => no_echo.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn secrets_are_known_by_no_echo() {
        let template = template(
            r#"{"Parameters": {"A": {"Type": "String", "NoEcho": true}, "B": {"Type": "String", "NoEcho": "True"},
                "C": {"Type": "String", "NoEcho": false}, "D": {"Type": "String"}}, "Resources": {}}"#,
        );
        assert_eq!(template.secret_parameters().collect::<Vec<_>>(), ["A", "B"]);
        assert!(template.declares("D") && !template.declares("E"));
    }

    #[test]
    fn only_what_is_needed_is_acknowledged() {
        let with = |resource: &str| template(&format!(r#"{{"Resources": {{"R": {resource}}}}}"#)).capability();
        assert_eq!(with(r#"{"Type": "AWS::SQS::Queue"}"#), None);
        let unnamed = r#"{"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyName": "p"}]}}"#;
        assert_eq!(with(unnamed), Some(Capability::CapabilityIam));
        let named = r#"{"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}}"#;
        assert_eq!(with(named), Some(Capability::CapabilityNamedIam));
    }

    #[test]
    fn size_decides_the_way() {
        let of = |size: usize| template(&format!("{:size$}", r#"{"Resources": {}}"#)).is_large();
        assert!(!of(51_200));
        assert!(of(51_201));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in ["", "[]", "{}", "Resources: {}"] {
            assert!(Template::parse(text.to_owned()).is_err(), "{text}");
        }
    }
}
