//! A template: rendered from a stack, always the same way and after checks that the compiler can't
//! do, or read from a text. It is parsed once, here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    declared::Declared,
    iam::Right,
    order::{self, Disorder},
    parse::{self, ParseError},
    quota::{self, Excess},
    reference::{Reference, attributes, references},
    texts::{self, Refused},
    yaml,
};

/// A section of a template: entries in the order in which they were added.
pub(crate) type Section = serde_json::Map<String, Json>;

/// A template, in the long form of its intrinsics.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Template {
    text: String,
    content: Json,
    parameters: BTreeMap<String, Declared>,
    rights: Vec<Right>,
}

/// The required parts of a template in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Shape {
    #[serde(default, rename = "Parameters")]
    _parameters: BTreeMap<String, Declared>,
    #[serde(rename = "Resources")]
    _resources: BTreeMap<String, Typed>,
}

#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "Type")]
    _kind: String,
}

/// A template made from another one, in long form: the reasons for its rights are unknown.
impl From<Json> for Template {
    fn from(content: Json) -> Self {
        Self::of(content.to_string(), content, Vec::new())
    }
}

/// Why a stack can't become a template.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum TemplateError {
    /// A name is used twice.
    #[error("the name {name} is given twice")]
    Duplicate {
        /// The logical ID.
        name: String,
    },
    /// CloudFormation gives a resource one condition.
    #[error("the condition {inner} stands inside of {outer}; a resource has one condition")]
    NestedCondition {
        /// The condition outside.
        outer: String,
        /// The condition inside.
        inner: String,
    },
    /// A reference to a missing name: a handle of another stack.
    #[error("{path} refers to {name}, which the template doesn't have")]
    Dangling {
        /// Where the reference stands.
        path: String,
        /// The name.
        name: String,
    },
    /// The attributes of a custom resource were read as a type that isn't made of values.
    #[error("the attributes of {id} can't be read: {reason}")]
    Attributes {
        /// The custom resource.
        id: String,
        /// What is wrong with the struct.
        reason: String,
    },
    /// A property that is null, which CloudFormation refuses.
    #[error("{path} is null")]
    Null {
        /// Where it stands.
        path: String,
    },
    /// A finding is accepted for resources that the stack doesn't have.
    #[error("no resource has the finding that is accepted because: {reason}")]
    NothingToAccept {
        /// Why it is accepted.
        reason: String,
    },
    /// A quota is exceeded.
    #[error(transparent)]
    Quota(Excess),
    /// A name or a description has a character that its service refuses.
    #[error(transparent)]
    Character(Refused),
    /// A dependency is missing that no property implies.
    #[error(transparent)]
    Order(Disorder),
}

impl Template {
    pub(crate) fn new(sections: Section, rights: Vec<Right>) -> Result<Self, TemplateError> {
        let content = Json::from(sections);
        // Indented by two spaces, with a line end at the end.
        let template = Self::of(format!("{content:#}\n"), content, rights);
        template.check_references()?;
        let value = template.value();
        if let Some(refused) = texts::refused(value).into_iter().next() {
            return Err(TemplateError::Character(refused));
        }
        if let Some(disorder) = order::missing(value).into_iter().next() {
            return Err(TemplateError::Order(disorder));
        }
        match quota::exceeded(value, template.text.len()).into_iter().next() {
            Some(excess) => Err(TemplateError::Quota(excess)),
            None => Ok(template),
        }
    }

    fn of(text: String, content: Json, rights: Vec<Right>) -> Self {
        let declared = content.get("Parameters").and_then(Json::as_object).into_iter().flatten();
        // Of a parameter whose declaration can't be read, only the name is known.
        let read = |one: &Json| Declared::deserialize(one).unwrap_or_default();
        let parameters = declared.map(|(name, one)| (name.clone(), read(one))).collect();
        Self { text, content, parameters, rights }
    }

    /// Parses a template in JSON or YAML.
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse(text: String) -> Result<Self, ParseError> {
        let content = parse::long(&text)?;
        Ok(Self::of(text, content, Vec::new()))
    }

    /// Parses a template in JSON and checks what a deployment relies on.
    ///
    /// # Errors
    /// The text is not JSON, has no resources, or one without a type.
    pub fn parse_json(text: String) -> Result<Self, ParseError> {
        serde_json::from_str::<Shape>(&text).map_err(ParseError::Json)?;
        Self::parse(text)
    }

    /// The template as it was read, or in JSON if it was rendered from a stack.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The template as YAML, for readers: the same content, intrinsics in their long form.
    pub fn to_yaml(&self) -> String {
        yaml::of(&self.content)
    }

    /// The template as a value.
    pub fn value(&self) -> &Json {
        &self.content
    }

    /// The template as a value, to make another one from it.
    pub fn into_value(self) -> Json {
        self.content
    }

    /// Whether it has to go through S3.
    pub fn is_large(&self) -> bool {
        self.text.len() > quota::TEMPLATE_BYTES_INLINE
    }

    /// The declarations of its parameters.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Declared)> {
        self.parameters.iter().map(|(name, declared)| (name.as_str(), declared))
    }

    /// The declaration of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&Declared> {
        self.parameters.get(name)
    }

    /// The names of the parameters that CloudFormation never shows.
    pub fn secret_parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters().filter(|(_, declared)| declared.is_secret()).map(|(name, _)| name)
    }

    /// The rights of its roles, with reasons and evidence, which its text doesn't contain.
    pub fn rights(&self) -> &[Right] {
        &self.rights
    }

    fn section(&self, name: &str) -> impl Iterator<Item = (&String, &Json)> {
        self.content.get(name).and_then(Json::as_object).into_iter().flatten()
    }

    fn check_references(&self) -> Result<(), TemplateError> {
        let has = |section, name: &str| self.section(section).any(|(id, _)| id == name);
        let known = |reference: &Reference| match reference {
            Reference::Resource(name) => has("Resources", name),
            Reference::Any(name) => name.starts_with("AWS::") || has("Resources", name) || has("Parameters", name),
            Reference::Condition(name) => has("Conditions", name),
        };
        for section in ["Conditions", "Resources", "Outputs"] {
            for (id, entry) in self.section(section) {
                if let Some((path, reference)) = attributes(entry).into_iter().find(|(_, reference)| !known(reference))
                {
                    return Err(TemplateError::Dangling {
                        path: format!("{section}.{id}.{path}"),
                        name: reference.name(),
                    });
                }
                visit(&format!("{section}.{id}"), entry, &mut |path, value| {
                    if value.is_null() {
                        return Err(TemplateError::Null { path: path.to_owned() });
                    }
                    match references(value).into_iter().find(|reference| !known(reference)) {
                        Some(reference) => {
                            Err(TemplateError::Dangling { path: path.to_owned(), name: reference.name() })
                        }
                        None => Ok(()),
                    }
                })?;
            }
        }
        Ok(())
    }
}

type Visitor<'a> = dyn FnMut(&str, &Json) -> Result<(), TemplateError> + 'a;

fn visit(path: &str, value: &Json, visitor: &mut Visitor<'_>) -> Result<(), TemplateError> {
    visitor(path, value)?;
    match value {
        Json::Object(map) => map.iter().try_for_each(|(key, child)| visit(&format!("{path}.{key}"), child, visitor)),
        Json::Array(list) => {
            let mut children = list.iter().enumerate();
            children.try_for_each(|(index, child)| visit(&format!("{path}[{index}]"), child, visitor))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse_json(text.to_owned()).unwrap()
    }

    #[test]
    fn secrets_are_known_by_no_echo() {
        let template = template(
            r#"{"Parameters": {"A": {"Type": "String", "NoEcho": true}, "B": {"Type": "String", "NoEcho": "True"},
                "C": {"Type": "String", "NoEcho": false}, "D": {"Type": "String"}}, "Resources": {}}"#,
        );
        assert_eq!(template.secret_parameters().collect::<Vec<_>>(), ["A", "B"]);
        assert!(template.parameter("D").is_some() && template.parameter("E").is_none());
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
            assert!(Template::parse_json(text.to_owned()).is_err(), "{text}");
        }
        assert!(matches!(Template::parse("a: [b".to_owned()), Err(ParseError::Yaml(_))));
    }
}
