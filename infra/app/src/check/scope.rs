//! What of a template a rule is shown. Guard copies the whole template for each rule and each outcome of the conditions, which
//! takes seconds; a rule that says in its head what it reads is shown just that, and judged in milliseconds.
//!
//! A line `# Scope: AWS::S3::Bucket, AWS::S3::BucketPolicy` names the types of resources, or the sections `Parameters` and
//! `Outputs`, that the rule relates to one another. With `each` before it, `# Scope: each AWS::S3::Bucket` or `# Scope: each resource`,
//! the rule judges every resource by itself: it sees each in all the forms that the conditions can give it, side by side.
//! The resources' `Metadata` is shown to rules that name it. Without such a line a rule sees everything.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::conditions::{self, ConditionsError};

/// Between a resource's logical id, which is alphanumeric, and the number of its form.
const FORM: char = '~';

/// How much of a template a rule sees.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Everything, under each outcome of the conditions.
    Whole,
    /// Every resource by itself, or every one of these types.
    Each(Option<Names>),
    /// These sections and resources of these types.
    Only(Names),
}

type Names = BTreeSet<String>;

impl Scope {
    /// What the head of a rule's text says.
    pub(super) fn of(rule: &str) -> Self {
        let mut head = rule.lines().take_while(|line| line.starts_with('#'));
        let Some(scope) = head.find_map(|line| line.strip_prefix("# Scope:")).map(str::trim) else {
            return Self::Whole;
        };
        let names = |list: &str| list.split(',').map(|name| name.trim().to_owned()).collect();
        match scope.strip_prefix("each ") {
            Some("resource") => Self::Each(None),
            Some(list) => Self::Each(Some(names(list))),
            None => Self::Only(names(scope)),
        }
    }

    /// How many resources, parameters and outputs it shows.
    pub(super) fn breadth(&self, template: &Value) -> usize {
        let entries = |section: &str| template.get(section).and_then(Value::as_object).into_iter().flatten();
        let all = ["Resources", "Parameters", "Outputs"]
            .into_iter()
            .flat_map(|section| entries(section).map(move |(_, entry)| (section, entry)));
        all.filter(|(section, entry)| match self {
            Self::Whole | Self::Each(None) => true,
            Self::Each(Some(names)) | Self::Only(names) => {
                names.contains(*section) || entry["Type"].as_str().is_some_and(|name| names.contains(name))
            }
        })
        .count()
    }

    /// The templates that a rule of this scope has to be held against.
    pub(super) fn views(&self, template: &Value) -> Result<Vec<Value>, ConditionsError> {
        match self {
            Self::Whole => conditions::variants(template),
            Self::Only(names) => conditions::variants(&selected(template, names)),
            Self::Each(None) => Ok(vec![side_by_side(template)?]),
            Self::Each(Some(names)) => Ok(vec![side_by_side(&selected(template, names))?]),
        }
    }
}

/// The logical id without the number of a form.
pub(super) fn logical_id(shown: &str) -> &str {
    shown.split(FORM).next().unwrap_or_default()
}

/// The template without what its resources say for readers and tools.
pub(super) fn without_metadata(template: &Value) -> Value {
    let mut template = template.clone();
    for resource in template.get_mut("Resources").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        resource.as_object_mut().map(|resource| resource.shift_remove("Metadata"));
    }
    template
}

fn selected(template: &Value, names: &Names) -> Value {
    let of_a_type = |resource: &Value| resource["Type"].as_str().is_some_and(|name| names.contains(name));
    let kept = template.as_object().into_iter().flatten().filter_map(|(section, value)| {
        let value = match value {
            Value::Object(resources) if section == "Resources" => entries(resources, |_, resource| of_a_type(resource)),
            _ if section == "Conditions" || names.contains(section) => value.clone(),
            _ => return None,
        };
        Some((section.clone(), value))
    });
    kept.collect::<Map<_, _>>().into()
}

fn entries(map: &Map<String, Value>, is_wanted: impl Fn(&str, &Value) -> bool) -> Value {
    let wanted = map.iter().filter(|(key, value)| is_wanted(key, value));
    wanted.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>().into()
}

fn side_by_side(template: &Value) -> Result<Value, ConditionsError> {
    let mut forms = Map::new();
    for (id, resource) in template.get("Resources").and_then(Value::as_object).into_iter().flatten() {
        let alone = serde_json::json!({ "Conditions": template.get("Conditions"), "Resources": { id: resource } });
        let variants = conditions::variants(&alone)?;
        let variants = variants.into_iter().filter_map(|mut variant| Some(variant["Resources"].get_mut(id)?.take()));
        for (number, form) in variants.enumerate() {
            let name = if number == 0 { id.clone() } else { format!("{id}{FORM}{number}") };
            forms.insert(name, form);
        }
    }
    Ok(serde_json::json!({ "Resources": forms }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template() -> Value {
        json!({
            "Conditions": { "A": { "Fn::Equals": [{ "Ref": "X" }, ""] }, "B": { "Fn::Equals": [{ "Ref": "Y" }, ""] } },
            "Parameters": { "X": {}, "Y": {} },
            "Resources": {
                "Plain": { "Type": "T" },
                "Sometimes": { "Type": "T", "Condition": "A" },
                "Twofold": { "Type": "U", "Properties": { "P": { "Fn::If": ["B", 1, 2] } } },
            },
        })
    }

    #[test]
    fn the_head_of_a_rule_names_its_scope() {
        assert_eq!(Scope::of("rule x { }\n# Scope: each resource"), Scope::Whole);
        assert_eq!(Scope::of("# Why\n# Scope: each resource\nrule x { }"), Scope::Each(None));
        let role = Scope::Each(Some(BTreeSet::from(["AWS::IAM::Role".to_owned()])));
        assert_eq!(Scope::of("# Scope: each AWS::IAM::Role\nrule x { }"), role);
        let both = BTreeSet::from(["Parameters".to_owned(), "T".to_owned()]);
        assert_eq!(Scope::of("# Scope: T, Parameters\n"), Scope::Only(both));
    }

    #[test]
    fn each_resource_stands_in_all_its_forms() {
        let views = Scope::Each(None).views(&template()).unwrap();
        let [view] = views.as_slice() else { panic!("{views:#?}") };
        let resources = view["Resources"].as_object().unwrap();
        let ids: Vec<_> = resources.keys().map(|shown| logical_id(shown)).collect();
        assert_eq!(ids, ["Plain", "Sometimes", "Twofold", "Twofold"]);
        let values: BTreeSet<_> = resources.values().filter_map(|form| form["Properties"]["P"].as_u64()).collect();
        assert_eq!(values, BTreeSet::from([1, 2]));
        let [view] = &Scope::of("# Scope: each U").views(&template()).unwrap()[..] else { panic!("one view") };
        assert_eq!(view["Resources"].as_object().unwrap().len(), 2);
    }

    #[test]
    fn metadata_can_be_left_out() {
        let template = json!({ "Metadata": 1, "Resources": { "A": { "Type": "T", "Metadata": { "B": "C" } } } });
        assert_eq!(without_metadata(&template), json!({ "Metadata": 1, "Resources": { "A": { "Type": "T" } } }));
    }

    #[test]
    fn what_is_not_named_is_not_shown_nor_its_conditions_gone_through() {
        let views = Scope::of("# Scope: T").views(&template()).unwrap();
        assert_eq!(views.len(), 2);
        assert!(views.iter().all(|view| view["Resources"]["Twofold"].is_null() && view["Parameters"].is_null()));
        assert_eq!(Scope::of("# Scope: U, Parameters").views(&template()).unwrap()[0]["Parameters"]["X"], json!({}));
        assert_eq!(Scope::Whole.views(&template()).unwrap().len(), 4);
        let breadths = ["# Scope: U, Parameters", "# Scope: each T", "# Scope: each resource"].map(Scope::of);
        assert_eq!(breadths.map(|scope| scope.breadth(&template())), [3, 2, 5]);
    }
}
