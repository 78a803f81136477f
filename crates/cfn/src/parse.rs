//! Parses a template in JSON or YAML and converts `!Ref`, `!Sub` and other short forms to the long
//! form, the only one that other modules read.

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

/// Why a text is not a template.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Neither JSON nor YAML.
    #[error("it is neither JSON nor YAML")]
    Yaml(#[source] serde_yaml_ng::Error),
    /// A YAML value that JSON can't represent.
    #[error("{0} is nothing that a template can hold")]
    Value(String),
    /// It is not JSON, or not a template's.
    #[error("the template is not CloudFormation's JSON")]
    Json(#[source] serde_json::Error),
}

/// Parses JSON or YAML; short-form intrinsics become long ones.
pub(crate) fn long(text: &str) -> Result<Value, ParseError> {
    if let Ok(template) = serde_json::from_str(text) {
        return Ok(template);
    }
    long_form(serde_yaml_ng::from_str(text).map_err(ParseError::Yaml)?)
}

fn long_form(yaml: Yaml) -> Result<Value, ParseError> {
    Ok(match yaml {
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(long_form).collect::<Result<_, _>>()?),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                map.insert(key_text(key)?, long_form(value)?);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            intrinsic(tag.trim_start_matches('!'), long_form(tagged.value)?)
        }
        scalar => serde_json::to_value(&scalar).map_err(|_| ParseError::Value(format!("{scalar:?}")))?,
    })
}

/// Keys of mappings are text, even those that look like another type (`2012-10-17`, `200`).
fn key_text(key: Yaml) -> Result<String, ParseError> {
    match key {
        Yaml::String(text) => Ok(text),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(boolean) => Ok(boolean.to_string()),
        other => Err(ParseError::Value(format!("the key {other:?}"))),
    }
}

fn intrinsic(tag: &str, argument: Value) -> Value {
    match (tag, argument) {
        ("Ref" | "Condition", argument) => json!({ tag: argument }),
        ("GetAtt", Value::String(path)) => match path.split_once('.') {
            Some((resource, attribute)) => json!({ "Fn::GetAtt": [resource, attribute] }),
            None => json!({ "Fn::GetAtt": path }),
        },
        (tag, argument) => {
            let mut map = Map::new();
            map.insert(format!("Fn::{tag}"), argument);
            Value::Object(map)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_become_long() {
        let template = long(
            "Resources:\n  A:\n    Type: AWS::S3::Bucket\n    Properties:\n      Arn: !GetAtt B.Arn\n      \
             Name: !If [Named, !Ref Name, !Ref 'AWS::NoValue']\n      Text: !Sub 'x-${A}'\n      200: true\n",
        )
        .unwrap();
        assert_eq!(
            template["Resources"]["A"]["Properties"],
            json!({
                "Arn": {"Fn::GetAtt": ["B", "Arn"]},
                "Name": {"Fn::If": ["Named", {"Ref": "Name"}, {"Ref": "AWS::NoValue"}]},
                "Text": {"Fn::Sub": "x-${A}"},
                "200": true,
            })
        );
    }
}
