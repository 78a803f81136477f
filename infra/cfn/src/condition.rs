//! What depends on the choices of the person who deploys.

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
    /// `then` where the condition holds, else `otherwise`.
    pub fn either<T>(&self, then: Value<T>, otherwise: Value<T>) -> Value<T> {
        Value::new(Expression::If(self.name.clone(), Box::new(then.expression), Box::new(otherwise.expression)))
    }
}

/// "This parameter isn't empty", as CloudFormation writes it. A list is compared by its elements, joined.
pub(crate) fn given<T>(parameter: &ParameterHandle<T>, list: bool) -> serde_json::Value {
    let value = serde_json::json!({ "Ref": parameter.name });
    let text = if list { serde_json::json!({ "Fn::Join": ["", value] }) } else { value };
    serde_json::json!({ "Fn::Not": [{ "Fn::Equals": [text, ""] }] })
}
