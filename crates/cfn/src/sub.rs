//! Text with references, as one readable `Fn::Sub`.

use crate::value::{Expression, Value};

/// A part of a text: plain, or a value to substitute.
#[derive(Debug)]
pub struct Part(Expression);

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self(Expression::Literal(text.into()))
    }
}

impl<T> From<&Value<T>> for Part {
    fn from(value: &Value<T>) -> Self {
        Self(value.expression.clone())
    }
}

impl<T> From<Value<T>> for Part {
    fn from(value: Value<T>) -> Self {
        Self(value.expression)
    }
}

/// Joins the parts: to a plain text if none is a reference, else to an
/// [`Fn::Sub`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html).
///
/// ```
/// # use cfn::{Stack, s3::Bucket, sub, Value};
/// # let mut stack = Stack::new("");
/// let bucket = stack.add("Output", Bucket::encrypted());
/// let objects: Value<String> = sub([bucket.arn().into(), "/*".into()]);
/// assert_eq!(serde_json::to_string(&objects)?, r#"{"Fn::Sub":"${Output.Arn}/*"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn sub<T>(parts: impl IntoIterator<Item = Part>) -> Value<T> {
    let mut substitution = Substitution::default();
    let mut literal = String::new();
    for Part(part) in parts {
        if let Expression::Literal(serde_json::Value::String(text)) = part {
            literal.push_str(&text);
        } else {
            substitution.literal(std::mem::take(&mut literal));
            substitution.reference(part);
        }
    }
    if substitution.text.is_empty() {
        return Value::new(Expression::Literal(literal.into()));
    }
    substitution.literal(literal);
    Value::new(Expression::Sub(substitution.text, substitution.variables))
}

#[derive(Default)]
struct Substitution {
    text: String,
    variables: Vec<(String, Expression)>,
}

impl Substitution {
    fn literal(&mut self, text: String) {
        if text.contains("${") || self.would_open(&text) {
            self.variable(Expression::Literal(text.into()));
        } else {
            self.text.push_str(&text);
        }
    }

    fn reference(&mut self, part: Expression) {
        match part {
            Expression::Ref(id) => self.text.extend(["${", &id, "}"]),
            Expression::GetAtt(id, attribute) => self.text.extend(["${", &id, ".", &attribute, "}"]),
            Expression::Sub(text, variables) if variables.is_empty() && !self.would_open(&text) => {
                self.text.push_str(&text);
            }
            other => self.variable(other),
        }
    }

    /// Whether the end of the text and the start of `next` would form a placeholder.
    fn would_open(&self, next: &str) -> bool {
        self.text.ends_with('$') && next.starts_with('{')
    }

    fn variable(&mut self, value: Expression) {
        let name = format!("Part{}", self.variables.len() + 1);
        self.text.extend(["${", &name, "}"]);
        self.variables.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(parts: impl IntoIterator<Item = Part>, expected: &serde_json::Value) {
        assert_eq!(serde_json::to_value(sub::<String>(parts)).unwrap(), *expected);
    }

    fn region() -> Part {
        crate::pseudo::region().into()
    }

    #[test]
    fn plain_text_stays_plain() {
        check(["a".into(), "${b}".into()], &json!("a${b}"));
    }

    #[test]
    fn reference_like_text_stays_literal() {
        check(
            ["$".into(), "{x}".into(), region()],
            &json!({ "Fn::Sub": ["${Part1}${AWS::Region}", { "Part1": "${x}" }] }),
        );
        let inner: Value<String> = sub(["{".into(), region()]);
        check(
            [region(), "$".into(), inner.into()],
            &json!({ "Fn::Sub": ["${AWS::Region}$${Part1}", { "Part1": { "Fn::Sub": "{${AWS::Region}" } }] }),
        );
    }
}
