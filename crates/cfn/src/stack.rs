//! A stack is built by adding to it. Each addition returns a handle, the only way to refer to what
//! was added.

use std::{fmt, marker::PhantomData};

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    Accepted,
    condition::{self, Condition},
    iam::Right,
    interface::{self, Group},
    parameter::{Parameter, ParameterHandle},
    template::{Section, Template, TemplateError},
    value::{Expression, Value},
};

/// A type of resource: the struct is its `Properties`.
pub trait Resource: Serialize {
    /// Its type, such as `AWS::S3::Bucket`.
    const TYPE: &'static str;

    /// The resource's own notes for reviewers, as entries of its `Metadata`.
    fn metadata(&self) -> serde_json::Map<String, Json> {
        serde_json::Map::new()
    }

    /// The rights that it grants, if its logical ID is `id`.
    fn rights(&self, id: &str) -> Vec<Right> {
        let _ = id;
        Vec::new()
    }
}

/// A resource of a stack. Only [`Stack::add`] makes one; its methods are the type's attributes.
pub struct Handle<R> {
    id: String,
    of: PhantomData<fn() -> R>,
}

impl<R> Handle<R> {
    /// The resource's logical ID.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn reference<T>(&self) -> Value<T> {
        Value::new(Expression::Ref(self.id.clone()))
    }

    pub(crate) fn attribute<T>(&self, name: &str) -> Value<T> {
        Value::new(Expression::GetAtt(self.id.clone(), name.to_owned()))
    }
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self { id: self.id.clone(), of: PhantomData }
    }
}

impl<R> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.id).finish()
    }
}

/// Something that exists only if a condition holds.
#[derive(Debug, Clone)]
pub struct Optional<T> {
    condition: Condition,
    inner: T,
}

impl<T> Optional<T> {
    /// A value of it if it exists, else `otherwise`: it can't be read without an alternative.
    pub fn either<V>(&self, read: impl FnOnce(&T) -> Value<V>, otherwise: Value<V>) -> Value<V> {
        self.condition.either(read(&self.inner), otherwise)
    }

    /// Adds something that exists only together with it.
    pub fn add<U>(&self, stack: &mut Stack, add: impl FnOnce(&mut Stack, &T) -> U) -> Optional<U> {
        stack.when(&self.condition, |stack| add(stack, &self.inner))
    }
}

/// What CloudFormation does besides creating a resource: [resource
/// attributes](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-product-attribute-reference.html).
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    depends_on: Vec<String>,
    deletion: Option<&'static str>,
    replacement: Option<&'static str>,
}

impl Attributes {
    /// Creates it after `other` and deletes it before, although no property refers to `other`.
    #[must_use]
    pub fn after<R>(mut self, other: &Handle<R>) -> Self {
        self.depends_on.push(other.id.clone());
        self
    }

    /// The same for something that may not exist: CloudFormation then ignores this.
    #[must_use]
    pub fn after_any<R>(self, other: &Optional<Handle<R>>) -> Self {
        self.after(&other.inner)
    }

    /// Deletes it with the stack, contents included; keeps it when an update replaces it.
    #[must_use]
    pub fn deleted_with_stack(mut self) -> Self {
        self.deletion = Some("Delete");
        self.replacement = Some("Retain");
        self
    }

    /// Keeps it when the stack is deleted or an update replaces it, but not when its creation is
    /// rolled back.
    #[must_use]
    pub fn kept(mut self) -> Self {
        self.deletion = Some("RetainExceptOnCreate");
        self.replacement = Some("Retain");
        self
    }
}

/// A stack that is being written.
#[derive(Debug)]
pub struct Stack {
    description: String,
    metadata: Section,
    parameters: Section,
    rules: Section,
    conditions: Section,
    resources: Section,
    outputs: Section,
    rights: Vec<Right>,
    within: Option<Condition>,
    mistake: Option<TemplateError>,
}

impl Stack {
    /// An empty stack.
    pub fn new(description: &str) -> Self {
        Self {
            description: description.to_owned(),
            metadata: Section::new(),
            parameters: Section::new(),
            rules: Section::new(),
            conditions: Section::new(),
            resources: Section::new(),
            outputs: Section::new(),
            rights: Vec::new(),
            within: None,
            mistake: None,
        }
    }

    /// Sets how the console groups and labels the parameters.
    pub fn interface(&mut self, groups: &[Group]) {
        self.metadata("AWS::CloudFormation::Interface", interface::interface(groups));
    }

    /// Adds an entry to the template's own `Metadata`, such as a linter finding that doesn't apply,
    /// with the reason.
    pub fn metadata(&mut self, key: &str, value: Json) {
        self.metadata.insert(key.to_owned(), value);
    }

    /// Adds a parameter that yields a `T`.
    pub fn parameter<T>(&mut self, name: &str, parameter: &Parameter) -> ParameterHandle<T> {
        let parameter = serialized(parameter);
        self.insert(|stack| &mut stack.parameters, name, parameter);
        ParameterHandle::new(name)
    }

    /// Adds the
    /// [rule](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html)
    /// that `parameter` requires `other`: otherwise CloudFormation refuses the deployment with
    /// `message`, before it creates anything.
    pub fn requires<A, B>(
        &mut self,
        name: &str,
        parameter: &ParameterHandle<A>,
        other: &ParameterHandle<B>,
        message: &str,
    ) {
        let rule = json!({
            "RuleCondition": condition::given(parameter),
            "Assertions": [{ "Assert": condition::given(other), "AssertDescription": message }],
        });
        self.insert(|stack| &mut stack.rules, name, rule);
    }

    /// Adds the condition that the parameter isn't empty.
    pub fn given(&mut self, name: &str, parameter: &ParameterHandle<String>) -> Condition {
        self.condition(name, condition::given(parameter))
    }

    /// Adds the condition that the parameter has this value.
    pub fn chosen(&mut self, name: &str, parameter: &ParameterHandle<String>, value: &str) -> Condition {
        self.condition(name, condition::chosen(parameter, value))
    }

    /// Adds the condition that the parameter has another value than this.
    pub fn not_chosen(&mut self, name: &str, parameter: &ParameterHandle<String>, value: &str) -> Condition {
        self.condition(name, serde_json::json!({ "Fn::Not": [condition::chosen(parameter, value)] }))
    }

    /// Adds the condition that the parameter has none of these values.
    pub fn none_chosen(&mut self, name: &str, parameter: &ParameterHandle<String>, values: &[&str]) -> Condition {
        self.condition(name, condition::none_chosen(parameter, values))
    }

    /// Adds the condition that one of the parameters has none of the values beside it.
    pub fn either_not_chosen(&mut self, name: &str, choices: &[(&ParameterHandle<String>, &[&str])]) -> Condition {
        let choices = choices.iter().map(|(parameter, values)| condition::none_chosen(parameter, values));
        self.condition(name, serde_json::json!({ "Fn::Or": choices.collect::<Vec<_>>() }))
    }

    /// Adds the condition that neither parameter is empty.
    pub fn given_both(&mut self, name: &str, parameters: [&ParameterHandle<String>; 2]) -> Condition {
        self.condition(name, serde_json::json!({ "Fn::And": parameters.map(condition::given) }))
    }

    /// Adds the condition that one of the parameters has its value.
    pub fn any_chosen(&mut self, name: &str, choices: &[(&ParameterHandle<String>, &str)]) -> Condition {
        let choices = choices.iter().map(|(parameter, value)| condition::chosen(parameter, value));
        self.condition(name, serde_json::json!({ "Fn::Or": choices.collect::<Vec<_>>() }))
    }

    /// Adds the condition that one of the parameters has its value, or that `other` isn't empty.
    pub fn chosen_or_given(
        &mut self,
        name: &str,
        choices: &[(&ParameterHandle<String>, &str)],
        other: &ParameterHandle<String>,
    ) -> Condition {
        let choices = choices.iter().map(|(parameter, value)| condition::chosen(parameter, value));
        let choices: Vec<_> = choices.chain([condition::given(other)]).collect();
        self.condition(name, serde_json::json!({ "Fn::Or": choices }))
    }

    fn condition(&mut self, name: &str, condition: Json) -> Condition {
        self.insert(|stack| &mut stack.conditions, name, condition);
        Condition { name: name.to_owned() }
    }

    /// Lets every resource and output that `add` adds exist only if `condition` holds.
    pub fn when<T>(&mut self, condition: &Condition, add: impl FnOnce(&mut Self) -> T) -> Optional<T> {
        if let Some(outer) = self.within.replace(condition.clone()) {
            self.mistaken(TemplateError::NestedCondition { outer: outer.name, inner: condition.name.clone() });
        }
        let inner = add(self);
        self.within = None;
        Optional { condition: condition.clone(), inner }
    }

    /// Adds a resource under a logical ID.
    pub fn add<R: Resource>(&mut self, id: &str, resource: R) -> Handle<R> {
        self.add_with(id, resource, Attributes::default())
    }

    /// Adds a resource with attributes of its own.
    #[expect(clippy::needless_pass_by_value, reason = "an added resource is sealed")]
    pub fn add_with<R: Resource>(&mut self, id: &str, resource: R, attributes: Attributes) -> Handle<R> {
        let mut entry = serde_json::Map::new();
        entry.insert("Type".into(), R::TYPE.into());
        let set = |entry: &mut serde_json::Map<_, _>, key: &str, value: Option<Json>| {
            if let Some(value) = value {
                entry.insert(key.to_owned(), value);
            }
        };
        let metadata = resource.metadata();
        self.rights.extend(resource.rights(id));
        set(&mut entry, "Metadata", (!metadata.is_empty()).then(|| metadata.into()));
        set(&mut entry, "Condition", self.within.as_ref().map(|condition| condition.name.clone().into()));
        set(&mut entry, "DependsOn", (!attributes.depends_on.is_empty()).then(|| attributes.depends_on.into()));
        set(&mut entry, "DeletionPolicy", attributes.deletion.map(Json::from));
        set(&mut entry, "UpdateReplacePolicy", attributes.replacement.map(Json::from));
        let properties = serialized(&resource);
        let empty = properties.as_object().is_some_and(serde_json::Map::is_empty);
        set(&mut entry, "Properties", (!empty).then_some(properties));
        self.insert(|stack| &mut stack.resources, id, entry.into());
        Handle { id: id.to_owned(), of: PhantomData }
    }

    /// Writes accepted findings of linters into the metadata of those resources added so far for
    /// which `concerns` returns true, given logical ID and type. It is an error if there is none.
    pub fn accept(&mut self, accepted: &Accepted, concerns: impl Fn(&str, &str) -> bool) {
        let mut count = 0;
        for (id, resource) in &mut self.resources {
            let Some(resource) = resource.as_object_mut() else { continue };
            if !resource.get("Type").and_then(Json::as_str).is_some_and(|kind| concerns(id, kind)) {
                continue;
            }
            count += 1;
            if !resource.contains_key("Metadata") {
                // After the type, where readers expect it.
                resource.shift_insert(1, "Metadata".to_owned(), json!({}));
            }
            if let Some(metadata) = resource.get_mut("Metadata").and_then(Json::as_object_mut) {
                accepted.write(metadata);
            }
        }
        if count == 0 {
            self.mistaken(TemplateError::NothingToAccept { reason: accepted.reason.to_owned() });
        }
    }

    /// The resources added so far whose type begins with `kind`, as text, to detect changes.
    pub(crate) fn resources_as_text(&self, kind: &str) -> String {
        let of_kind = |entry: &Json| entry["Type"].as_str().is_some_and(|name| name.starts_with(kind));
        let resources: Section = self.resources.clone().into_iter().filter(|(_, entry)| of_kind(entry)).collect();
        Json::from(resources).to_string()
    }

    /// Adds an output.
    #[expect(clippy::needless_pass_by_value, reason = "handles make values on the spot")]
    pub fn output<T>(&mut self, name: &str, description: &str, value: Value<T>) {
        let mut output = json!({ "Description": description, "Value": value });
        if let Some(condition) = &self.within {
            output["Condition"] = condition.name.clone().into();
        }
        self.insert(|stack| &mut stack.outputs, name, output);
    }

    /// The finished template, checked for what the compiler can't see.
    pub fn template(self) -> Result<Template, TemplateError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        // `Ref` has one namespace for both.
        if let Some(name) = self.resources.keys().find(|id| self.parameters.contains_key(*id)) {
            return Err(TemplateError::Duplicate { name: name.clone() });
        }
        let mut sections = Section::new();
        sections.insert("AWSTemplateFormatVersion".into(), "2010-09-09".into());
        sections.insert("Description".into(), self.description.into());
        let rest = [
            ("Metadata", self.metadata),
            ("Parameters", self.parameters),
            ("Rules", self.rules),
            ("Conditions", self.conditions),
            ("Resources", self.resources),
            ("Outputs", self.outputs),
        ];
        let filled = rest.into_iter().filter(|(_, section)| !section.is_empty());
        sections.extend(filled.map(|(name, section)| (name.to_owned(), section.into())));
        Template::new(sections, self.rights)
    }

    fn insert(&mut self, section: impl FnOnce(&mut Self) -> &mut Section, name: &str, entry: Json) {
        let section = section(self);
        if section.contains_key(name) {
            self.mistaken(TemplateError::Duplicate { name: name.to_owned() });
        } else {
            section.insert(name.to_owned(), entry);
        }
    }

    /// Remembers the first error, which [`Stack::template`] returns, so that adding stays
    /// infallible.
    fn mistaken(&mut self, mistake: TemplateError) {
        self.mistake.get_or_insert(mistake);
    }
}

/// Properties are structs of strings, numbers, lists and maps with string keys, which can always be
/// JSON. If not, the template's check refuses the null.
fn serialized(value: &impl Serialize) -> Json {
    serde_json::to_value(value).unwrap_or(Json::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::Bucket;

    #[test]
    fn a_logical_id_stands_once() {
        let mut stack = Stack::new("");
        stack.add("Output", Bucket::encrypted());
        stack.add("Output", Bucket::encrypted());
        assert_eq!(stack.template().unwrap_err().to_string(), "the name Output is given twice");
    }

    #[test]
    fn conditions_do_not_nest() {
        let mut stack = Stack::new("");
        let parameter = stack.parameter("Domain", &Parameter::text("", ""));
        let outer = stack.given("HasDomain", &parameter);
        stack.when(&outer, |stack| stack.when(&outer, |stack| stack.add("Output", Bucket::encrypted())));
        assert!(matches!(stack.template(), Err(TemplateError::NestedCondition { .. })));
    }

    #[test]
    fn reference_to_other_stack_is_refused() {
        let elsewhere = Stack::new("").add("Elsewhere", Bucket::encrypted());
        let mut stack = Stack::new("");
        stack.add("Here", Bucket::encrypted());
        stack.output("Bucket", "", elsewhere.name());
        let error = stack.template().unwrap_err();
        assert_eq!(error.to_string(), "Outputs.Bucket.Value refers to Elsewhere, which the template doesn't have");
    }

    #[test]
    fn handles_of_other_stacks_are_refused() {
        let mut other = Stack::new("");
        let elsewhere = other.add("Elsewhere", Bucket::encrypted());
        let parameter = other.parameter("Domain", &Parameter::text("", ""));
        let condition = other.given("HasDomain", &parameter);
        let mut stack = Stack::new("");
        stack.add_with("Here", Bucket::encrypted(), Attributes::default().after(&elsewhere));
        let error = stack.template().unwrap_err().to_string();
        assert_eq!(error, "Resources.Here.DependsOn refers to Elsewhere, which the template doesn't have");
        let mut stack = Stack::new("");
        stack.when(&condition, |stack| stack.add("Here", Bucket::encrypted()));
        let error = stack.template().unwrap_err().to_string();
        assert_eq!(error, "Resources.Here.Condition refers to HasDomain, which the template doesn't have");
    }

    #[test]
    fn conditional_resource_resolves_with_alternative() {
        let mut stack = Stack::new("");
        let parameter = stack.parameter("Domain", &Parameter::text("", ""));
        let condition = stack.given("HasDomain", &parameter);
        let bucket = stack.when(&condition, |stack| stack.add("Output", Bucket::encrypted()));
        let name: Value<String> = bucket.either(|bucket| bucket.name().meaning(), "none".into());
        assert_eq!(
            serde_json::to_value(name).unwrap(),
            json!({ "Fn::If": ["HasDomain", { "Ref": "Output" }, "none"] })
        );
    }
}
