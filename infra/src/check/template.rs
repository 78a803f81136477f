//! A template as people write it, in JSON or YAML with `!Ref` and `!Sub`, brought into the one form
//! that the rules are written for.

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;
/// Why a text is no template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Neither JSON nor YAML.
    #[error("it is neither JSON nor YAML")]
    Parse(#[source] serde_yaml_ng::Error),
    /// A YAML value that JSON has no place for.
    #[error("{0} is nothing that a template can hold")]
    Value(String),
    /// A macro would change it after the check.
    #[error("it has a Transform, so what is deployed isn't what was judged")]
    Transform,
    /// No `Resources`, or none in it: there is nothing to judge.
    #[error("it has no resources")]
    NoResources,
}

/// Parses JSON or YAML; short-form intrinsics become long ones.
pub(super) fn parse(text: &str) -> Result<Value, TemplateError> {
    if let Ok(template) = serde_json::from_str(text) {
        return Ok(template);
    }
    long_form(serde_yaml_ng::from_str(text).map_err(TemplateError::Parse)?)
}

/// How many resources the template has; an error when there is none, or when a macro could make
/// more.
pub(super) fn resource_count(template: &Value) -> Result<usize, TemplateError> {
    if template.get("Transform").is_some() {
        return Err(TemplateError::Transform);
    }
    match template.get("Resources").and_then(Value::as_object) {
        Some(resources) if !resources.is_empty() => Ok(resources.len()),
        _ => Err(TemplateError::NoResources),
    }
}

fn long_form(yaml: Yaml) -> Result<Value, TemplateError> {
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
        scalar => serde_json::to_value(&scalar).map_err(|_| TemplateError::Value(format!("{scalar:?}")))?,
    })
}

/// Keys of mappings (`2012-10-17`, `200`) may look like other things than text, but are text.
fn key_text(key: Yaml) -> Result<String, TemplateError> {
    match key {
        Yaml::String(text) => Ok(text),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(boolean) => Ok(boolean.to_string()),
        other => Err(TemplateError::Value(format!("the key {other:?}"))),
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
        let template = parse(
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

    #[test]
    fn template_without_resources_is_refused() {
        for text in ["", "[]", "{}", "Resources:", "Resources: {}", "just text"] {
            let parsed = parse(text).unwrap();
            assert!(matches!(resource_count(&parsed), Err(TemplateError::NoResources)), "{text:?}");
        }
        let macros = parse("Transform: AWS::LanguageExtensions\nResources: {A: {Type: T}}").unwrap();
        assert!(matches!(resource_count(&macros), Err(TemplateError::Transform)));
        assert!(matches!(parse("a: [b"), Err(TemplateError::Parse(_))));
    }
}
