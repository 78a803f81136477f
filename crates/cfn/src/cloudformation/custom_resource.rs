//! [`AWS::CloudFormation::CustomResource`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html):
//! a function implements the resource type.

use aws_names::Arn;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, Deserializer, Visitor, value::MapDeserializer},
};

use crate::{Handle, Resource, TemplateError, Value, lambda::Function, value::Expression};

/// A resource with properties `P`, made by a function.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CustomResource<P> {
    service_token: Value<Arn<Function>>,
    service_timeout: u16,
    #[serde(flatten)]
    properties: P,
}

impl<P: Serialize> CustomResource<P> {
    /// A resource made by `function`, which runs for at most `timeout` seconds (1 to 900).
    /// CloudFormation waits a minute longer, to leave time for the call to start and the answer to
    /// arrive.
    pub fn new(function: &Handle<Function>, timeout: u16, properties: P) -> Self {
        Self { service_token: function.arn(), service_timeout: timeout + 60, properties }
    }
}

impl<P: Serialize> Resource for CustomResource<P> {
    const TYPE: &'static str = "AWS::CloudFormation::CustomResource";
}

impl<P> Handle<CustomResource<P>> {
    /// The function's answer, as a struct in which each field is the `Fn::GetAtt` of its serialized
    /// name. So the names are written once, in the struct that the function fills.
    ///
    /// # Errors
    /// `D` has fields that aren't [`Value`]s.
    pub fn attributes<D: DeserializeOwned>(&self) -> Result<D, TemplateError> {
        D::deserialize(Attributes(self.id()))
            .map_err(|error| TemplateError::Attributes { id: self.id().to_owned(), reason: error.to_string() })
    }
}

/// Deserializes each field of a struct from `Id.Attribute`.
struct Attributes<'a>(&'a str);

impl<'de> Deserializer<'de> for Attributes<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("the attributes of a custom resource are read as a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let entries = fields.iter().map(|&field| (field, format!("{}.{field}", self.0)));
        visitor.visit_map(MapDeserializer::new(entries))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// For [`Handle::attributes`] only, which deserializes values from `Id.Attribute`.
impl<'de, T> Deserialize<'de> for Value<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (id, attribute) =
            text.split_once('.').ok_or_else(|| serde::de::Error::custom("expected `Id.Attribute`"))?;
        Ok(Self::new(Expression::GetAtt(id.to_owned(), attribute.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stack;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        public_key: Value<String>,
    }

    #[test]
    fn attributes_match_answer_field_names() {
        let mut stack = Stack::new("");
        let role = stack.add("Role", crate::iam::Role::for_function());
        let group = stack.add("Logs", crate::logs::LogGroup::new("x".into(), 30));
        let code = crate::lambda::Code { bucket: Value::<String>::from("code").meaning(), key: "x.zip".into() };
        let function = Function::new(code, crate::lambda::Architecture::Arm64, &role, &group);
        let function = stack.add("Function", function);
        let properties = serde_json::json!({ "KeyBucket": "keys" });
        let resource = stack.add("SshKey", CustomResource::new(&function, 60, properties));
        let answer: Answer = resource.attributes().unwrap();
        assert_eq!(serde_json::to_string(&answer.public_key).unwrap(), r#"{"Fn::GetAtt":["SshKey","PublicKey"]}"#);
        let template = stack.template().unwrap().into_value();
        assert_eq!(template["Resources"]["SshKey"]["Properties"]["KeyBucket"], "keys");
    }
}
