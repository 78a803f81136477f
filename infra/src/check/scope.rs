//! Which part of a template a rule sees. Guard copies the whole template for each rule and each
//! outcome of the conditions, which takes seconds; a rule that declares in its header what it reads
//! sees only that, and is evaluated in milliseconds.
//!
//! A line `# Scope: AWS::S3::Bucket, AWS::S3::BucketPolicy` names the types of resources, or the
//! sections `Parameters` and `Outputs`, that the rule relates to one another.
//! `AWS::Lambda::Function.LoggingConfig` is a type without its other properties, and so without
//! their conditions. With `each` before the list, the rule checks every resource by itself, and
//! sees each in all variants that the conditions allow, side by side: `# Scope: each
//! AWS::S3::Bucket` those of a type, `# Scope: each with Statement` those that have such a key at
//! any depth, with the properties that have it, `# Scope: each resource` all. `Parameters`, which
//! have no conditions, may be beside them. The resources' `Metadata` is shown to rules that name
//! it. Without such a line a rule sees everything.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::conditions::{self, ConditionsError};

/// The separator between a resource's logical ID, which is alphanumeric, and the number of its
/// variant.
const FORM: char = '~';

/// How much of a template a rule sees.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Everything, under each outcome of the conditions.
    Whole,
    /// Every resource by itself.
    Each,
    /// Every resource of these types by itself, beside the parameters if they are named.
    EachOf(Parts),
    /// Every resource by itself that has this key at any depth, with the properties that have it.
    EachWith(String),
    /// These sections and resources of these types.
    Only(Parts),
}

type Parts = BTreeSet<Part>;

/// A section, or the resources of a type, with one property or with all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    name: String,
    property: Option<String>,
}

impl Part {
    fn of(text: &str) -> Self {
        match text.trim().split_once('.') {
            Some((name, property)) => Self { name: name.to_owned(), property: Some(property.to_owned()) },
            None => Self { name: text.trim().to_owned(), property: None },
        }
    }

    fn is_of(&self, resource: &Value) -> bool {
        resource["Type"] == *self.name
    }
}

impl Scope {
    /// Parses the header of a rule.
    pub(super) fn of(rule: &str) -> Self {
        let mut head = rule.lines().take_while(|line| line.starts_with('#'));
        let Some(scope) = head.find_map(|line| line.strip_prefix("# Scope:")).map(str::trim) else {
            return Self::Whole;
        };
        let parts = |list: &str| list.split(',').map(Part::of).collect::<Parts>();
        match scope.strip_prefix("each ").map(|each| (each, each.strip_prefix("with "))) {
            Some((_, Some(key))) => Self::EachWith(key.trim().to_owned()),
            Some(("resource", None)) => Self::Each,
            Some((list, None)) => Self::EachOf(parts(list)),
            None => Self::Only(parts(scope)),
        }
    }

    /// How many resources, parameters and outputs it shows.
    pub(super) fn breadth(&self, template: &Value) -> usize {
        let entries = |section: &str| template.get(section).and_then(Value::as_object).into_iter().flatten();
        let shown = |section| entries(section).filter(move |(_, entry)| self.shows(section, entry)).count();
        ["Resources", "Parameters", "Outputs"].map(shown).iter().sum()
    }

    /// The templates that a rule of this scope has to be evaluated on.
    pub(super) fn views(&self, template: &Value) -> Result<Vec<Value>, ConditionsError> {
        match self {
            Self::Whole => conditions::variants(template),
            Self::Only(_) => conditions::variants(&self.selected(template)),
            Self::Each | Self::EachOf(_) | Self::EachWith(_) => Ok(vec![side_by_side(&self.selected(template))?]),
        }
    }

    fn shows(&self, section: &str, entry: &Value) -> bool {
        let of_a_type = |parts: &Parts| section == "Resources" && parts.iter().any(|part| part.is_of(entry));
        let named = |parts: &Parts| parts.iter().any(|part| part.name == section);
        match self {
            Self::Whole => true,
            Self::Each => section == "Resources",
            Self::EachOf(parts) => of_a_type(parts) || section == "Parameters" && named(parts),
            Self::EachWith(key) => section == "Resources" && has_key(entry, key),
            Self::Only(parts) => of_a_type(parts) || named(parts),
        }
    }

    fn selected(&self, template: &Value) -> Value {
        let kept = template.as_object().into_iter().flatten().filter_map(|(section, value)| {
            if section == "Conditions" {
                return Some((section.clone(), value.clone()));
            }
            let shown = value.as_object()?.iter().filter(|(_, entry)| self.shows(section, entry));
            let shown: Map<_, _> = shown.map(|(key, entry)| (key.clone(), self.cut(entry))).collect();
            (section == "Resources" || !shown.is_empty()).then(|| (section.clone(), shown.into()))
        });
        kept.collect::<Map<_, _>>().into()
    }

    /// A property that a rule names and doesn't see, or `*` if it reads any. Nothing for a rule
    /// that sees a type with all properties, since it isn't known whose property it names.
    pub(super) fn unseen<'r>(&self, rule: &'r str) -> Option<&'r str> {
        let (Self::EachOf(parts) | Self::Only(parts)) = self else { return None };
        let types = parts.iter().filter(|part| part.name.contains("::"));
        let seen: BTreeSet<_> = types.map(|part| part.property.as_deref()).collect::<Option<_>>()?;
        let code = rule.lines().filter(|line| !line.starts_with('#'));
        let named = code.flat_map(|line| line.split("Properties").skip(1)).map(|after| {
            let name = after.strip_prefix('.').unwrap_or_default();
            let end = name.find(|char: char| !char.is_ascii_alphanumeric()).unwrap_or(name.len());
            if end == 0 { "*" } else { &name[..end] }
        });
        named.into_iter().find(|name| !seen.contains(name))
    }

    /// A resource without the properties that the rule doesn't read.
    fn cut(&self, resource: &Value) -> Value {
        let mut cut = resource.clone();
        if let Some(properties) = cut.get_mut("Properties").and_then(Value::as_object_mut) {
            properties.retain(|name, value| self.reads(resource, name, value));
        }
        cut
    }

    fn reads(&self, resource: &Value, name: &str, value: &Value) -> bool {
        match self {
            Self::Whole | Self::Each => true,
            Self::EachWith(key) => has_key(value, key),
            Self::EachOf(parts) | Self::Only(parts) => parts
                .iter()
                .any(|part| part.is_of(resource) && part.property.as_deref().is_none_or(|property| property == name)),
        }
    }
}

fn has_key(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(map) => map.contains_key(key) || map.values().any(|value| has_key(value, key)),
        Value::Array(values) => values.iter().any(|value| has_key(value, key)),
        _ => false,
    }
}

/// The logical ID without the number of a variant.
pub(super) fn logical_id(shown: &str) -> &str {
    shown.split(FORM).next().unwrap_or_default()
}

/// The template without its resources' `Metadata`.
pub(super) fn without_metadata(template: &Value) -> Value {
    let mut template = template.clone();
    for resource in template.get_mut("Resources").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        resource.as_object_mut().map(|resource| resource.shift_remove("Metadata"));
    }
    template
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
    let mut view = serde_json::json!({ "Resources": forms });
    if let Some(parameters) = template.get("Parameters") {
        view["Parameters"] = parameters.clone();
    }
    Ok(view)
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
    fn scope_is_read_from_rule_header() {
        assert_eq!(Scope::of("rule x { }\n# Scope: each resource"), Scope::Whole);
        assert_eq!(Scope::of("# Why\n# Scope: each resource\nrule x { }"), Scope::Each);
        assert_eq!(Scope::of("# Scope: each with Statement\n"), Scope::EachWith("Statement".to_owned()));
        let part = |name: &str, property: Option<&str>| Part { name: name.into(), property: property.map(Into::into) };
        let role = Scope::EachOf(BTreeSet::from([part("AWS::IAM::Role", None)]));
        assert_eq!(Scope::of("# Scope: each AWS::IAM::Role\nrule x { }"), role);
        let both = BTreeSet::from([part("Parameters", None), part("T", Some("P"))]);
        assert_eq!(Scope::of("# Scope: T.P, Parameters\n"), Scope::Only(both));
    }

    #[test]
    fn each_scope_shows_all_resource_variants() {
        let views = Scope::Each.views(&template()).unwrap();
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
    fn unread_properties_are_left_out() {
        let mut template = template();
        template["Resources"]["Twofold"]["Properties"]["Q"] = json!(3);
        let view = |scope: &str| Scope::of(scope).views(&template).unwrap().remove(0)["Resources"]["Twofold"].take();
        assert_eq!(view("# Scope: U.Q, T"), json!({ "Type": "U", "Properties": { "Q": 3 } }));
        assert_eq!(view("# Scope: each U.Q, U.R"), json!({ "Type": "U", "Properties": { "Q": 3 } }));
        assert_eq!(view("# Scope: U, U.Q"), json!({ "Type": "U", "Properties": { "P": 2, "Q": 3 } }));
        assert_eq!(Scope::of("# Scope: U.Q").views(&template).unwrap().len(), 1, "the condition of P isn't read");
    }

    #[test]
    fn scope_knows_unseen_properties() {
        let unseen = |scope: &str, rule: &'static str| Scope::of(scope).unseen(rule);
        let rule = "# Properties.R\nlet x = Resources.*.Properties.P.Q\nlet y = %x[ Properties.Q exists ]";
        assert_eq!(unseen("# Scope: each A::T.P", rule), Some("Q"));
        for scope in ["# Scope: A::T.P, A::U.Q, Parameters", "# Scope: A::T.P, A::U", "# Scope: each with P", ""] {
            assert_eq!(unseen(scope, rule), None, "{scope}");
        }
        for rule in ["%x.Properties.* exists", "%x.Properties { P exists }", "%x.Properties[ k | k == 'P' ] exists"] {
            assert_eq!(unseen("# Scope: each A::T.P", rule), Some("*"), "{rule}");
        }
    }

    #[test]
    fn each_resource_is_beside_parameters() {
        let views = Scope::of("# Scope: each U, Parameters").views(&template()).unwrap();
        let [view] = views.as_slice() else { panic!("{views:#?}") };
        assert_eq!(
            (view["Resources"].as_object().unwrap().len(), &view["Parameters"]),
            (2, &json!({ "X": {}, "Y": {} }))
        );
    }

    #[test]
    fn scope_finds_key_at_any_depth() {
        let mut template = template();
        template["Resources"]["Deep"] = json!({
            "Type": "V",
            "Properties": { "Q": { "Fn::If": ["B", 1, 2] }, "P": { "Fn::If": ["A", [{ "Statement": [] }], { "Ref": "AWS::NoValue" }] } },
        });
        let views = Scope::of("# Scope: each with Statement").views(&template).unwrap();
        let [view] = views.as_slice() else { panic!("{views:#?}") };
        let ids: Vec<_> = view["Resources"].as_object().unwrap().keys().map(|shown| logical_id(shown)).collect();
        assert_eq!(ids, ["Deep", "Deep"]);
        assert!(view.get("Parameters").is_none());
    }

    #[test]
    fn metadata_can_be_left_out() {
        let template = json!({ "Metadata": 1, "Resources": { "A": { "Type": "T", "Metadata": { "B": "C" } } } });
        assert_eq!(without_metadata(&template), json!({ "Metadata": 1, "Resources": { "A": { "Type": "T" } } }));
    }

    #[test]
    fn scope_limits_resources_and_condition_variants() {
        let views = Scope::of("# Scope: T").views(&template()).unwrap();
        assert_eq!(views.len(), 2);
        assert!(views.iter().all(|view| view["Resources"]["Twofold"].is_null() && view["Parameters"].is_null()));
        assert_eq!(Scope::of("# Scope: U, Parameters").views(&template()).unwrap()[0]["Parameters"]["X"], json!({}));
        assert_eq!(Scope::Whole.views(&template()).unwrap().len(), 4);
        let breadths = ["# Scope: U, Parameters", "# Scope: each T", "# Scope: each resource"].map(Scope::of);
        assert_eq!(breadths.map(|scope| scope.breadth(&template())), [3, 2, 3]);
    }
}
