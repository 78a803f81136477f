//! Parameters, chosen by the person who deploys.

use std::marker::PhantomData;

use serde::Serialize;

use crate::value::{Expression, Value};

/// A
/// [parameter](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html)
/// of type `String`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Parameter {
    #[serde(rename = "Type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_echo: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_pattern: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    constraint_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_length: Option<u32>,
}

impl Parameter {
    /// A text with a default.
    pub fn text(default: &str, description: &str) -> Self {
        Self {
            kind: "String",
            default: Some(default.to_owned()),
            description: description.to_owned(),
            no_echo: None,
            allowed_pattern: None,
            allowed_values: Vec::new(),
            constraint_description: None,
            max_length: None,
        }
    }

    /// A text without a default, which has to be given.
    pub fn required(description: &str) -> Self {
        Self { default: None, ..Self::text("", description) }
    }

    /// A secret: empty by default, and never shown by CloudFormation.
    pub fn secret(description: &str) -> Self {
        Self { no_echo: Some(true), ..Self::text("", description) }
    }

    /// Only text that matches this regular expression; `otherwise` says what is expected.
    #[must_use]
    pub fn matching(mut self, pattern: &str, otherwise: &str) -> Self {
        self.allowed_pattern = Some(pattern.to_owned());
        self.constraint_description = Some(otherwise.to_owned());
        self
    }

    /// Allows only these values.
    #[must_use]
    pub fn one_of(mut self, values: &[&str]) -> Self {
        self.allowed_values = values.iter().map(|&value| value.to_owned()).collect();
        self
    }

    /// Allows at most this many characters.
    #[must_use]
    pub fn at_most(mut self, characters: u32) -> Self {
        self.max_length = Some(characters);
        self
    }
}

/// A parameter of a stack, which yields a `T`.
#[derive(Debug)]
pub struct ParameterHandle<T> {
    pub(crate) name: String,
    yields: PhantomData<fn() -> T>,
}

impl<T> ParameterHandle<T> {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), yields: PhantomData }
    }

    /// The parameter's value.
    pub fn value(&self) -> Value<T> {
        Value::new(Expression::Ref(self.name.clone()))
    }
}
