//! Conditions, which depend on parameters.

use crate::{
    parameter::ParameterHandle,
    value::{Expression, Value},
};

/// A condition of a stack.
#[derive(Debug, Clone)]
pub struct Condition {
    pub(crate) name: String,
}

impl Condition {
    /// `then` if the condition holds, else `otherwise`.
    pub fn either<T>(&self, then: Value<T>, otherwise: Value<T>) -> Value<T> {
        Value::new(Expression::If(self.name.clone(), Box::new(then.expression), Box::new(otherwise.expression)))
    }
}

/// "This parameter isn't empty", as CloudFormation writes it.
pub(crate) fn given<T>(parameter: &ParameterHandle<T>) -> serde_json::Value {
    serde_json::json!({ "Fn::Not": [chosen(parameter, "")] })
}

/// "This parameter has this value".
pub(crate) fn chosen<T>(parameter: &ParameterHandle<T>, value: &str) -> serde_json::Value {
    serde_json::json!({ "Fn::Equals": [{ "Ref": parameter.name }, value] })
}

/// "This parameter has none of these values".
pub(crate) fn none_chosen<T>(parameter: &ParameterHandle<T>, values: &[&str]) -> serde_json::Value {
    let chosen: Vec<_> = values.iter().map(|value| chosen(parameter, value)).collect();
    // Fn::Or takes at least two conditions.
    let any = if let [one] = &chosen[..] { one.clone() } else { serde_json::json!({ "Fn::Or": chosen }) };
    serde_json::json!({ "Fn::Not": [any] })
}
