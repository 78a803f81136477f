//! A property's value: a literal, or an expression that CloudFormation resolves.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value as Json;

/// A literal `T`, or an [intrinsic
/// function](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html)
/// that yields one.
pub struct Value<T> {
    pub(crate) expression: Expression,
    yields: PhantomData<fn() -> T>,
}

/// The content of a [`Value`], without its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Literal(Json),
    Ref(String),
    GetAtt(String, String),
    Sub(String, Vec<(String, Expression)>),
    Select(usize, Box<Expression>),
    Split(&'static str, Box<Expression>),
    Base64(Box<Expression>),
    If(String, Box<Expression>, Box<Expression>),
}

impl<T> Value<T> {
    pub(crate) fn new(expression: Expression) -> Self {
        Self { expression, yields: PhantomData }
    }

    /// `AWS::NoValue`: the property is left out. Only for properties that aren't required.
    pub fn none() -> Self {
        Self::new(Expression::Ref("AWS::NoValue".to_owned()))
    }

    /// The same expression with another type, for boundaries that the type system can't see, such
    /// as a parameter's text that a function parses, or the result of a custom resource. Not for
    /// turning one resource's ARN into another's.
    pub fn meaning<U>(self) -> Value<U> {
        Value::new(self.expression)
    }
}

impl Value<String> {
    /// The parts of this text between separators.
    pub fn split(self, separator: &'static str) -> Value<Vec<String>> {
        Value::new(Expression::Split(separator, Box::new(self.expression)))
    }
}

impl Value<String> {
    /// This text as Base64, for a place that doesn't take every character.
    #[must_use]
    pub fn base64(self) -> Self {
        Self::new(Expression::Base64(Box::new(self.expression)))
    }
}

impl Value<Vec<String>> {
    /// One element, counted from 0.
    pub fn select(self, index: usize) -> Value<String> {
        Value::new(Expression::Select(index, Box::new(self.expression)))
    }
}

impl<T> Clone for Value<T> {
    fn clone(&self) -> Self {
        Self::new(self.expression.clone())
    }
}

impl<T> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

impl<T> PartialEq for Value<T> {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

impl<T: Serialize> From<T> for Value<T> {
    fn from(literal: T) -> Self {
        // A value that can't be JSON becomes null, which the template's check refuses.
        Self::new(Expression::Literal(serde_json::to_value(literal).unwrap_or(Json::Null)))
    }
}

impl From<&str> for Value<String> {
    fn from(literal: &str) -> Self {
        Self::from(literal.to_owned())
    }
}

impl<T> Serialize for Value<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.expression.serialize(serializer)
    }
}

/// Any value: an expression may replace any literal, and the registry's schema says which literals
/// a property accepts.
impl<T> JsonSchema for Value<T> {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::default()
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Self::Literal(literal) = self {
            return literal.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Literal(_) => {}
            Self::Ref(id) => map.serialize_entry("Ref", id)?,
            Self::GetAtt(id, attribute) => map.serialize_entry("Fn::GetAtt", &[id, attribute])?,
            Self::Sub(text, variables) if variables.is_empty() => map.serialize_entry("Fn::Sub", text)?,
            Self::Sub(text, variables) => {
                let variables: serde_json::Map<_, _> = variables
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), serde_json::to_value(value)?)))
                    .collect::<Result<_, serde_json::Error>>()
                    .map_err(serde::ser::Error::custom)?;
                map.serialize_entry("Fn::Sub", &(text, variables))?;
            }
            Self::Select(index, list) => map.serialize_entry("Fn::Select", &(index, list))?,
            Self::Base64(text) => map.serialize_entry("Fn::Base64", text)?,
            Self::Split(separator, text) => map.serialize_entry("Fn::Split", &(separator, text))?,
            Self::If(condition, then, otherwise) => map.serialize_entry("Fn::If", &(condition, then, otherwise))?,
        }
        map.end()
    }
}
