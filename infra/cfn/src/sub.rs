//! Text with references in it, as one readable `Fn::Sub`.

use crate::value::{Expression, Value};

/// A piece of a text: plain, or a value that is put in its place.
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

/// The parts one after the other: a plain text if none is a reference, else an
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
    let (mut text, mut plain) = (String::new(), String::new());
    let mut variables = Vec::new();
    let mut refers = false;
    for Part(part) in parts {
        match part {
            Expression::Literal(serde_json::Value::String(literal)) => {
                text.push_str(&literal.replace("${", "${!"));
                plain.push_str(&literal);
                continue;
            }
            Expression::Ref(id) => text.extend(["${", &id, "}"]),
            Expression::GetAtt(id, attribute) => text.extend(["${", &id, ".", &attribute, "}"]),
            Expression::Sub(inner, more) if more.is_empty() => text.push_str(&inner),
            other => {
                let name = format!("Part{}", variables.len() + 1);
                text.extend(["${", &name, "}"]);
                variables.push((name, other));
            }
        }
        refers = true;
    }
    if refers { Value::new(Expression::Sub(text, variables)) } else { Value::new(Expression::Literal(plain.into())) }
}
