//! How two templates differ, by resource and property, and which resources an update would replace.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::permissions::is_intrinsic;

/// What happens to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It is removed with its content.
    Removed,
    /// It is replaced by a new one, without its content.
    Replaced,
    /// It is replaced if a computed create-only property changes.
    PerhapsReplaced,
    /// It is changed in place.
    Changed,
    /// It is added.
    Added,
}

/// A change to an entry of a section.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryChange {
    /// `Resources`, `Parameters`, `Outputs` and so on.
    pub section: String,
    /// The entry's name: a logical ID in `Resources`.
    pub name: String,
    /// The resource's type; empty for other entries.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// What happens to it.
    pub action: Action,
    /// The properties that differ, if it is changed or replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyChange>,
}

/// A change to one property.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PropertyChange {
    /// Names and positions, joined with dots.
    pub path: String,
    /// The old value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// The new value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// Whether it is create-only.
    #[serde(rename = "createOnly", skip_serializing_if = "std::ops::Not::not")]
    pub create_only: bool,
}

pub(super) fn changes(old: &Value, new: &Value) -> Vec<EntryChange> {
    let empty = Map::new();
    let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
    let mut found = Vec::new();
    let sections = new.keys().chain(old.keys().filter(|name| !new.contains_key(*name)));
    for section in sections {
        match (old.get(section), new.get(section)) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => entries(section, old, new, &mut found),
            (None, Some(Value::Object(new))) => entries(section, &empty, new, &mut found),
            (Some(Value::Object(old)), None) => entries(section, old, &empty, &mut found),
            (old, new) if old != new => found.extend(entry("", section, old, new)),
            _ => {}
        }
    }
    found.sort_by_key(|change| {
        (change.section != "Resources", change.action, change.section.clone(), change.name.clone())
    });
    found
}

fn entries(section: &str, old: &Map<String, Value>, new: &Map<String, Value>, found: &mut Vec<EntryChange>) {
    let names = new.keys().chain(old.keys().filter(|name| !new.contains_key(*name)));
    found.extend(names.filter_map(|name| entry(section, name, old.get(name), new.get(name))));
}

fn entry(section: &str, name: &str, old: Option<&Value>, new: Option<&Value>) -> Option<EntryChange> {
    if old == new {
        return None;
    }
    let kind = |entry: Option<&Value>| match section {
        "Resources" => entry.and_then(|entry| entry["Type"].as_str()).unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    let mut properties = Vec::new();
    let action = match (old, new) {
        (None, _) => Action::Added,
        (_, None) => Action::Removed,
        (Some(old), Some(new)) => {
            difference("", old, new, &mut properties);
            let create_only = cfn::registry::create_only(&kind(Some(new)));
            for property in &mut properties {
                property.create_only = create_only.iter().any(|name| is_below(&property.path, name));
            }
            action(&kind(Some(old)), &kind(Some(new)), &properties)
        }
    };
    let kind = if new.is_some() { kind(new) } else { kind(old) };
    Some(EntryChange { section: section.to_owned(), name: name.to_owned(), kind, action, properties })
}

fn action(old: &str, new: &str, properties: &[PropertyChange]) -> Action {
    let is_computed = |value: &Option<Value>| value.as_ref().is_some_and(|value| value.is_object() || value.is_array());
    let mut create_only = properties.iter().filter(|property| property.create_only).peekable();
    if old != new {
        Action::Replaced
    } else if create_only.peek().is_none() {
        Action::Changed
    } else if create_only.all(|property| is_computed(&property.old) || is_computed(&property.new)) {
        Action::PerhapsReplaced
    } else {
        Action::Replaced
    }
}

/// Whether a path of a resource is its property `name` (`Code/ImageUri` in the registry's notation)
/// or below it.
fn is_below(path: &str, name: &str) -> bool {
    let prefix = format!("Properties.{}", name.replace('/', "."));
    path.strip_prefix(&prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn difference(path: &str, old: &Value, new: &Value, found: &mut Vec<PropertyChange>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let mut tell = |path: String, old: Option<&Value>, new: Option<&Value>| {
        found.push(PropertyChange { path, old: old.cloned(), new: new.cloned(), create_only: false });
    };
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(old), Value::Object(new)) if !is_intrinsic(old) && !is_intrinsic(new) => {
            for (key, new) in new {
                match old.get(key) {
                    Some(old) => difference(&below(key), old, new, found),
                    None => found.push(PropertyChange {
                        path: below(key),
                        old: None,
                        new: Some(new.clone()),
                        create_only: false,
                    }),
                }
            }
            for (key, old) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
                found.push(PropertyChange { path: below(key), old: Some(old.clone()), new: None, create_only: false });
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                difference(&below(&index.to_string()), old, new, found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            let without = |these: &[Value], those: &[Value]| -> Vec<Value> {
                these.iter().filter(|value| !those.contains(value)).cloned().collect()
            };
            let (gone, come) = (without(old, new), without(new, old));
            if gone.is_empty() && come.is_empty() {
                tell(path.to_owned(), Some(&json!(old)), Some(&json!(new)));
            }
            for value in &gone {
                tell(path.to_owned(), Some(value), None);
            }
            for value in &come {
                tell(path.to_owned(), None, Some(value));
            }
        }
        (old, new) => tell(path.to_owned(), Some(old), Some(new)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(properties: &Value) -> Value {
        json!({ "Resources": { "B": { "Type": "AWS::S3::Bucket", "Properties": properties } } })
    }

    fn check(old: &Value, new: &Value, action: Action, paths: &[&str]) {
        let [change] = &changes(&bucket(old), &bucket(new))[..] else { panic!("not one change") };
        assert_eq!(change.action, action, "{change:#?}");
        let told: Vec<_> = change.properties.iter().map(|property| property.path.as_str()).collect();
        assert_eq!(told, paths);
    }

    #[test]
    fn only_immutable_properties_cause_replacement() {
        let named = |name: Value| json!({ "BucketName": name, "Tags": [] });
        check(&named(json!("a")), &named(json!("b")), Action::Replaced, &["Properties.BucketName"]);
        check(&named(json!("a")), &json!({ "Tags": [] }), Action::Replaced, &["Properties.BucketName"]);
        let computed = named(json!({ "Fn::If": ["C", "a", "b"] }));
        check(&named(json!({ "Ref": "P" })), &computed, Action::PerhapsReplaced, &["Properties.BucketName"]);
        let tagged = json!({ "BucketName": "a", "Tags": [{ "Key": "k", "Value": "v" }] });
        check(&named(json!("a")), &tagged, Action::Changed, &["Properties.Tags"]);
    }

    #[test]
    fn changed_resource_type_replaces_resource() {
        let queue = json!({ "Resources": { "B": { "Type": "AWS::SQS::Queue" } } });
        assert_eq!(changes(&bucket(&json!({})), &queue)[0].action, Action::Replaced);
    }

    #[test]
    fn removed_resources_sort_before_other_changes() {
        let old = json!({ "Description": "a", "Parameters": { "P": {} }, "Resources": { "A": { "Type": "T" }, "C": { "Type": "T" } } });
        let new = json!({ "Description": "b", "Resources": { "B": { "Type": "T" }, "C": { "Type": "T", "DependsOn": "B" } } });
        let told: Vec<_> = changes(&old, &new).into_iter().map(|change| (change.action, change.name)).collect();
        let expected = [
            (Action::Removed, "A"),
            (Action::Changed, "C"),
            (Action::Added, "B"),
            (Action::Removed, "P"),
            (Action::Changed, "Description"),
        ];
        assert_eq!(told, expected.map(|(action, name)| (action, name.to_owned())));
        assert_eq!(changes(&old, &old), []);
    }
}
