//! What a deployment has to know of a template: its parameters, and which rights over IAM it
//! claims.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::Capability;
use regex::Regex;
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
    #[serde(default)]
    allowed_values: Vec<Value>,
    allowed_pattern: Option<String>,
    constraint_description: Option<String>,
    min_length: Option<Value>,
    max_length: Option<Value>,
    min_value: Option<Value>,
    max_value: Option<Value>,
    #[serde(rename = "Type", default)]
    kind: String,
}

/// What a template asks of a parameter's value and isn't so. The value isn't repeated: it may be a
/// secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum Constraint {
    #[error("expected {0}")]
    Described(String),
    #[error("expected one of {0}")]
    Values(String),
    #[error("expected something that matches {0}")]
    Pattern(String),
    #[error("expected at most {0} characters, it has {1}")]
    TooLong(usize, usize),
    #[error("expected at least {0} characters, it has {1}")]
    TooShort(usize, usize),
    #[error("expected a number")]
    Number,
    #[error("expected at most {0}")]
    TooLarge(f64),
    #[error("expected at least {0}")]
    TooSmall(f64),
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

    pub(super) fn parameters(&self) -> impl Iterator<Item = (&str, &Declared)> {
        self.content.parameters.iter().map(|(name, declared)| (name.as_str(), declared))
    }

    /// Whether it has to go through S3.
    pub(super) fn is_large(&self) -> bool {
        self.text.len() > cfn::quota::TEMPLATE_BYTES_INLINE
    }

    /// What `CloudFormation` wants to be [acknowledged][aws]: nothing, that IAM changes, or that
    /// IAM changes under names which could be somebody else's.
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
    /// Judges a value as CloudFormation does, which says it only after the uploads. A pattern that
    /// can't be read here is left to it.
    pub(super) fn judge(&self, value: &str) -> Result<(), Constraint> {
        let described =
            |otherwise: Constraint| self.constraint_description.clone().map_or(otherwise, Constraint::Described);
        let length = value.chars().count();
        if let Some(most) = number::<usize>(self.max_length.as_ref()).filter(|most| length > *most) {
            return Err(Constraint::TooLong(most, length));
        }
        if let Some(least) = number::<usize>(self.min_length.as_ref()).filter(|least| length < *least) {
            return Err(Constraint::TooShort(least, length));
        }
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|allowed| text(allowed) == value) {
            let allowed: Vec<_> = self.allowed_values.iter().map(text).collect();
            return Err(Constraint::Values(allowed.join(", ")));
        }
        if let Some(pattern) = &self.allowed_pattern
            && let Ok(whole) = Regex::new(&format!("^(?:{pattern})$"))
            && !whole.is_match(value)
        {
            return Err(described(Constraint::Pattern(pattern.clone())));
        }
        if self.kind == "Number" {
            let given: f64 = value.parse().map_err(|_| described(Constraint::Number))?;
            if let Some(most) = number::<f64>(self.max_value.as_ref()).filter(|most| given > *most) {
                return Err(described(Constraint::TooLarge(most)));
            }
            if let Some(least) = number::<f64>(self.min_value.as_ref()).filter(|least| given < *least) {
                return Err(described(Constraint::TooSmall(least)));
            }
        }
        Ok(())
    }

    /// The value that it has if nobody gives one.
    pub(super) fn default(&self) -> Option<String> {
        self.default.as_ref().map(text)
    }

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

/// CloudFormation takes numbers and truth values as words, too.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number<N: std::str::FromStr>(value: Option<&Value>) -> Option<N> {
    text(value?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_parameter_constraints_are_enforced() {
        let of = |declared: &str, value: &str| {
            let parsed = template(&format!(r#"{{"Parameters": {{"P": {declared}}}, "Resources": {{}}}}"#));
            let (_, declared) = parsed.parameters().next().unwrap();
            declared.judge(value).err().map(|error| error.to_string())
        };
        let check = |declared: &str, good: &[&str], bad: &[&str], said: &str| {
            for value in good {
                assert_eq!(of(declared, value), None, "{declared} {value:?}");
            }
            for value in bad {
                assert_eq!(of(declared, value).as_deref(), Some(said), "{declared} {value:?}");
            }
        };
        let values = r#"{"Type": "String", "AllowedValues": ["off", "on", 5]}"#;
        check(values, &["on", "5"], &["", "On", "onoff"], "expected one of off, on, 5");
        let pattern = r#"{"Type": "String", "AllowedPattern": "[a-z]+|^$", "ConstraintDescription": "letters"}"#;
        check(pattern, &["", "abc"], &["a1", "1"], "expected letters");
        let bare = r#"{"Type": "String", "AllowedPattern": "a"}"#;
        check(bare, &["a"], &["", "ab", "a\nb"], "expected something that matches a");
        // Java has patterns that we can't read; they are CloudFormation's affair.
        check(r#"{"Type": "String", "AllowedPattern": "(?=x)x"}"#, &["x", "y"], &[], "");
        check(r#"{"Type": "String", "MaxLength": "2"}"#, &["äö"], &["abc"], "expected at most 2 characters, it has 3");
        check(r#"{"Type": "String", "MinLength": 1}"#, &["a"], &[""], "expected at least 1 characters, it has 0");
        let number = r#"{"Type": "Number", "MinValue": 2, "MaxValue": "10"}"#;
        check(number, &["2", "9.5", "10"], &["1"], "expected at least 2");
        check(number, &[], &["11"], "expected at most 10");
        check(number, &[], &["x", ""], "expected a number");
    }

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
    fn empty_template_is_refused() {
        for text in ["", "[]", "{}", "Resources: {}"] {
            assert!(Template::parse(text.to_owned()).is_err(), "{text}");
        }
    }
}
