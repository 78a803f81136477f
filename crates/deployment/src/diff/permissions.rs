//! Extracts the rights in a template, and finds whether one template allows more than another. It
//! compares actions, resources, principals and conditions: a statement that was only moved or split
//! broadens nothing.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever else allows.
    Deny,
}

/// One right: one principal, one action, one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The role's logical ID, or the principal in a resource policy.
    pub who: String,
    /// Allowed or denied.
    pub effect: Effect,
    /// The action, wildcards included.
    pub action: String,
    /// The resource, with references as in `Fn::Sub`.
    pub resource: String,
    /// The conditions on the request or (`Fn::If`) on the deployment.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub conditions: BTreeSet<Condition>,
}

/// One condition on a right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Condition {
    /// IAM's operator, or `Fn::If` for a condition of the template.
    pub operator: String,
    /// IAM's condition key, or the name of the template's condition.
    pub key: String,
    /// The values, of which one has to match.
    pub values: BTreeSet<String>,
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        match (self.operator.as_str(), values.as_slice()) {
            ("Fn::If", ["true"]) => write!(f, "if {}", self.key),
            ("Fn::If", _) => write!(f, "unless {}", self.key),
            (operator, values) => write!(f, "{} {operator} {}", self.key, values.join(" or ")),
        }
    }
}

/// A right that only one of the templates has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PermissionChange {
    /// The right.
    #[serde(flatten)]
    pub grant: Grant,
    /// Whether it was added.
    pub added: bool,
    /// Whether more is allowed because of it.
    pub broadens: bool,
}

/// The effect of a permissions boundary on a role: the policy's content isn't known here.
const NOT_IN: &str = "whatever is not in";

/// The differences in rights, by principal.
pub(super) fn changes(old: &Value, new: &Value) -> Vec<PermissionChange> {
    let (old, new) = (grants(old), grants(new));
    let uncovered = |grant: &Grant, by: &BTreeSet<Grant>, effect| {
        grant.effect == effect && !by.iter().any(|other| other.effect == effect && covers(other, grant))
    };
    let added = new.difference(&old).map(|grant| PermissionChange {
        grant: grant.clone(),
        added: true,
        broadens: uncovered(grant, &old, Effect::Allow),
    });
    let removed = old.difference(&new).map(|grant| PermissionChange {
        grant: grant.clone(),
        added: false,
        broadens: uncovered(grant, &new, Effect::Deny),
    });
    let mut changes: Vec<_> = added.chain(removed).collect();
    changes.sort();
    changes
}

/// Whether `wide` applies to everything that `narrow` applies to.
fn covers(wide: &Grant, narrow: &Grant) -> bool {
    let glob = |wide: &str, narrow: &str| {
        wide == narrow || (!is_negated(wide) && !is_negated(narrow) && matches(wide, narrow))
    };
    let demanded_too = |condition: &Condition| narrow.conditions.iter().any(|other| demands(other, condition));
    (wide.who == narrow.who || wide.who == "*")
        && glob(&wide.action.to_ascii_lowercase(), &narrow.action.to_ascii_lowercase())
        && glob(&wide.resource, &narrow.resource)
        && wide.conditions.iter().all(demanded_too)
}

/// Values of `NotAction` and the like can't be compared with values of other elements.
fn is_negated(text: &str) -> bool {
    text.starts_with("all but ")
}

/// Whether `loose` lets everything through that `strict` does.
fn demands(strict: &Condition, loose: &Condition) -> bool {
    if strict == loose {
        return true;
    }
    let is_plain = !strict.operator.contains(':') && !strict.operator.ends_with("IfExists");
    if (&strict.operator, &strict.key) != (&loose.operator, &loose.key) || !is_plain {
        return false;
    }
    let (fewer, more) = (&strict.values, &loose.values);
    // Each value of a negated operator excludes more.
    if strict.operator.contains("Not") { fewer.is_superset(more) } else { fewer.is_subset(more) }
}

/// IAM's wildcards: `*` is any text, `?` any character. A wildcard in `text` is matched by `*`
/// only.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some('?') if text[read] != '*' => (at, read) = (at + 1, read + 1),
            Some(character) if *character == text[read] => (at, read) = (at + 1, read + 1),
            _ => match star {
                Some((star_at, from)) => {
                    star = Some((star_at, from + 1));
                    (at, read) = (star_at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|character| *character == '*')
}

/// Every right that a template allows or denies.
pub fn grants(template: &Value) -> BTreeSet<Grant> {
    let mut found = Grants(BTreeSet::new());
    for (id, resource) in template.get("Resources").and_then(Value::as_object).into_iter().flatten() {
        let given = resource.get("Condition").and_then(Value::as_str).map(|name| if_condition(name, true));
        found.resource(id, resource, &given.into_iter().collect());
    }
    found.0
}

type Given = BTreeSet<Condition>;

struct Grants(BTreeSet<Grant>);

impl Grants {
    fn resource(&mut self, id: &str, resource: &Value, given: &Given) {
        let properties = &resource["Properties"];
        let itself = format!("${{{id}}}");
        let kind = resource["Type"].as_str().unwrap_or_default();
        match kind {
            "AWS::Lambda::Permission" => self.permission(properties, given),
            "AWS::Lambda::Function" => {
                for (role, given) in each(&properties["Role"], given) {
                    self.add(id, Effect::Allow, "run as", &text(role), given);
                }
            }
            _ if kind.starts_with("AWS::IAM::") => self.identity(id, properties, given),
            _ => {}
        }
        if kind.starts_with("AWS::IAM::") {
            return;
        }
        for name in ["PolicyDocument", "ResourcePolicy", "KeyPolicy", "Policy", "AccessPolicy", "AccessPolicies"] {
            self.document(None, &properties[name], &itself, given);
        }
    }

    fn identity(&mut self, id: &str, properties: &Value, given: &Given) {
        let itself = format!("${{{id}}}");
        self.document(None, &properties["AssumeRolePolicyDocument"], &itself, given);
        for (policy, given) in each(&properties["Policies"], given) {
            self.document(Some(id), &policy["PolicyDocument"], "", &given);
        }
        for (policy, given) in each(&properties["ManagedPolicyArns"], given) {
            self.add(id, Effect::Allow, "whatever is in", &text(policy), given);
        }
        for (boundary, given) in each(&properties["PermissionsBoundary"], given) {
            self.add(id, Effect::Deny, NOT_IN, &text(boundary), given);
        }
        let holders = ["Roles", "Users", "Groups", "RoleName", "UserName", "GroupName"];
        for (holder, given) in holders.iter().flat_map(|name| each(&properties[*name], given)) {
            // By its logical ID, as for an inline policy.
            let holder = holder["Ref"].as_str().map_or_else(|| text(holder), str::to_owned);
            self.document(Some(&holder), &properties["PolicyDocument"], "", &given);
        }
    }

    fn permission(&mut self, properties: &Value, given: &Given) {
        let mut given = given.clone();
        for (name, key) in [
            ("SourceArn", "aws:SourceArn"),
            ("SourceAccount", "aws:SourceAccount"),
            ("PrincipalOrgID", "aws:PrincipalOrgID"),
        ] {
            if let Some(value) = properties.get(name) {
                let values = BTreeSet::from([text(value)]);
                given.insert(Condition { operator: "ArnLike".to_owned(), key: key.to_owned(), values });
            }
        }
        let [who, action, function] = ["Principal", "Action", "FunctionName"].map(|name| text(&properties[name]));
        self.add(&who, Effect::Allow, &action, &function, given);
    }

    /// Adds the statements of a document, for `holder` or else for the principals that they name.
    fn document(&mut self, holder: Option<&str>, document: &Value, itself: &str, given: &Given) {
        for (document, given) in each(document, given) {
            for (statement, given) in each(&document["Statement"], &given) {
                self.statement(holder, statement, itself, &given);
            }
        }
    }

    fn statement(&mut self, holder: Option<&str>, statement: &Value, itself: &str, given: &Given) {
        let effect = if statement["Effect"] == "Deny" { Effect::Deny } else { Effect::Allow };
        let mut given = given.clone();
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            for (key, value) in keys.as_object().into_iter().flatten() {
                let values = each(value, &Given::new()).into_iter().map(|(value, _)| text(value)).collect();
                given.insert(Condition { operator: operator.clone(), key: key.clone(), values });
            }
        }
        let who = match holder {
            Some(holder) => vec![(holder.to_owned(), given)],
            None => principals(statement, &given),
        };
        for (who, given) in who {
            for (action, given) in named(statement, "Action", &given) {
                let mut resources = named(statement, "Resource", &given);
                if resources.is_empty() {
                    resources.push((itself.to_owned(), given));
                }
                for (resource, given) in resources {
                    self.add(&who, effect, &action, &resource, given);
                }
            }
        }
    }

    fn add(&mut self, who: &str, effect: Effect, action: &str, resource: &str, conditions: Given) {
        let [who, action, resource] = [who, action, resource].map(str::to_owned);
        self.0.insert(Grant { who, effect, action, resource, conditions });
    }
}

/// The texts of an element of a statement, or of its negation.
fn named(statement: &Value, element: &str, given: &Given) -> Vec<(String, Given)> {
    let told = |name: &str, before: &str| -> Vec<_> {
        let values = each(&statement[name], given).into_iter();
        values.map(|(value, given)| (format!("{before}{}", text(value)), given)).collect()
    };
    let mut found = told(element, "");
    found.extend(told(&format!("Not{element}"), "all but "));
    found
}

fn principals(statement: &Value, given: &Given) -> Vec<(String, Given)> {
    let mut found = Vec::new();
    for (name, before) in [("Principal", ""), ("NotPrincipal", "all but ")] {
        for (principal, given) in each(&statement[name], given) {
            match principal.as_object() {
                Some(kinds) if !is_intrinsic(kinds) => {
                    for (value, given) in kinds.values().flat_map(|value| each(value, &given)) {
                        found.push((format!("{before}{}", text(value)), given));
                    }
                }
                _ => found.push((format!("{before}{}", text(principal)), given)),
            }
        }
    }
    found
}

/// The possible values of an expression: the elements of lists and both branches of `Fn::If`,
/// without `AWS::NoValue`.
fn each<'t>(value: &'t Value, given: &Given) -> Vec<(&'t Value, Given)> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list.iter().flat_map(|item| each(item, given)).collect(),
        Value::Object(map) if map.get("Ref").is_some_and(|name| name == "AWS::NoValue") => Vec::new(),
        Value::Object(map) => match map.get("Fn::If").and_then(Value::as_array).map(Vec::as_slice) {
            Some([Value::String(name), then, otherwise]) => {
                let with = |holds| given.iter().cloned().chain([if_condition(name, holds)]).collect();
                let mut found = each(then, &with(true));
                found.extend(each(otherwise, &with(false)));
                found
            }
            _ => vec![(value, given.clone())],
        },
        _ => vec![(value, given.clone())],
    }
}

fn if_condition(name: &str, holds: bool) -> Condition {
    Condition { operator: "Fn::If".to_owned(), key: name.to_owned(), values: BTreeSet::from([holds.to_string()]) }
}

/// Whether a map is an intrinsic function.
pub(super) fn is_intrinsic(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

/// A value as readable text, with references as in `Fn::Sub`.
pub fn text(value: &Value) -> String {
    let reference = |value: &Value| -> Option<String> {
        let (function, argument) = value.as_object().filter(|map| is_intrinsic(map))?.iter().next()?;
        match (function.as_str(), argument) {
            ("Ref", Value::String(name)) => Some(format!("${{{name}}}")),
            ("Fn::GetAtt", Value::Array(path)) => {
                Some(format!("${{{}}}", path.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(".")))
            }
            ("Fn::Sub", Value::String(text)) => Some(text.clone()),
            _ => None,
        }
    };
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => reference(value).unwrap_or_else(|| value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn role(statements: &Value) -> Value {
        let policy = json!({ "PolicyName": "P", "PolicyDocument": { "Statement": statements } });
        json!({ "Resources": { "Role": { "Type": "AWS::IAM::Role", "Properties": { "Policies": [policy] } } } })
    }

    fn bucket_policy(statement: &Value) -> Value {
        let properties = json!({ "Bucket": { "Ref": "B" }, "PolicyDocument": { "Statement": [statement] } });
        json!({ "Resources": { "Policy": { "Type": "AWS::S3::BucketPolicy", "Properties": properties } } })
    }

    fn broadens(old: &Value, new: &Value) -> bool {
        changes(old, new).iter().any(|change| change.broadens)
    }

    /// Checks that `wide` is broader than `narrow`, and not the reverse.
    fn check(what: &str, narrow: &Value, wide: &Value) {
        assert!(broadens(narrow, wide), "{what}: {:#?}", changes(narrow, wide));
        assert!(!broadens(wide, narrow), "{what}, back: {:#?}", changes(wide, narrow));
        assert!(changes(wide, wide).is_empty(), "{what}");
    }

    fn allow(action: &Value, resource: &Value) -> Value {
        json!({ "Effect": "Allow", "Action": action, "Resource": resource })
    }

    #[test]
    fn broadening_is_seen_in_one_direction() {
        let get = allow(&json!("s3:GetObject"), &json!({ "Fn::Sub": "${B.Arn}/a/*" }));
        let with = |key: &str, value: Value| {
            let mut statement = get.clone();
            statement[key] = value;
            role(&json!([statement]))
        };
        let narrow = role(&json!([get]));
        check("another statement", &narrow, &role(&json!([get, allow(&json!("s3:PutObject"), &json!("x"))])));
        check("another action", &narrow, &with("Action", json!(["s3:GetObject", "s3:PutObject"])));
        check("a wildcard", &narrow, &with("Action", json!("s3:Get*")));
        check("a wider resource", &narrow, &with("Resource", json!({ "Fn::Sub": "${B.Arn}/*" })));
        check("every resource", &narrow, &with("Resource", json!("*")));
        check("from none", &json!({ "Resources": {} }), &narrow);

        let equals = |values: Value| with("Condition", json!({ "StringEquals": { "k": values } }));
        check("a condition gone", &equals(json!("a")), &narrow);
        check("one value more", &equals(json!(["a"])), &equals(json!(["a", "b"])));
        let differs = |values: Value| with("Condition", json!({ "StringNotEquals": { "k": values } }));
        check("one exception less", &differs(json!(["a", "b"])), &differs(json!(["a"])));

        let sometimes =
            with("Resource", json!({ "Fn::If": ["C", { "Fn::Sub": "${B.Arn}/a/*" }, { "Ref": "AWS::NoValue" }] }));
        check("a condition of the template gone", &sometimes, &narrow);
        let managed = |list: Value| json!({ "Resources": { "Role": { "Type": "AWS::IAM::Role", "Properties": { "ManagedPolicyArns": list } } } });
        check("a managed policy", &managed(json!([])), &managed(json!(["arn:aws:iam::aws:policy/ReadOnlyAccess"])));
        let bounded =
            |boundary: Value| json!({ "Resources": { "Role": { "Type": "AWS::IAM::Role", "Properties": boundary } } });
        let boundary = |arn: Value| bounded(json!({ "PermissionsBoundary": arn }));
        check("a boundary gone", &boundary(json!("arn:x")), &bounded(json!({})));
        let chosen = boundary(json!({ "Fn::If": ["C", { "Ref": "P" }, { "Ref": "AWS::NoValue" }] }));
        check("a boundary that may be chosen gone", &chosen, &bounded(json!({})));
        assert!(broadens(&boundary(json!("arn:x")), &boundary(json!("arn:y"))), "nobody knows what is in the other");
    }

    #[test]
    fn resource_policies_and_permissions_count_too() {
        let statement = |effect: &str, principal: Value| json!({ "Effect": effect, "Principal": principal, "Action": "s3:GetObject", "Resource": "x" });
        let one = statement("Allow", json!({ "AWS": "arn:aws:iam::111122223333:root" }));
        check("everybody", &bucket_policy(&one), &bucket_policy(&statement("Allow", json!("*"))));
        let two =
            statement("Allow", json!({ "AWS": ["arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:root"] }));
        check("another account", &bucket_policy(&one), &bucket_policy(&two));
        let deny = bucket_policy(&statement("Deny", json!("*")));
        check("a denial gone", &deny, &json!({ "Resources": {} }));
        check("a denial for one only", &deny, &bucket_policy(&statement("Deny", json!({ "AWS": "x" }))));

        let permission = |properties: Value| json!({ "Resources": { "P": { "Type": "AWS::Lambda::Permission", "Properties": properties } } });
        let from_one = json!({ "Principal": "s3.amazonaws.com", "Action": "lambda:InvokeFunction", "FunctionName": { "Ref": "F" },
            "SourceArn": "arn:aws:s3:::b" });
        let mut from_all = from_one.clone();
        from_all.as_object_mut().unwrap().remove("SourceArn");
        check("whatever source", &permission(from_one), &permission(from_all));
    }

    #[test]
    fn changed_function_role_broadens_permissions() {
        let runs = |role: &str| {
            let properties = json!({ "Role": { "Fn::GetAtt": [role, "Arn"] } });
            json!({ "Resources": { "F": { "Type": "AWS::Lambda::Function", "Properties": properties } } })
        };
        assert!(broadens(&runs("Small"), &runs("Large")) && broadens(&runs("Large"), &runs("Small")));
    }

    #[test]
    fn rewritten_statement_broadens_nothing() {
        let actions = json!(["s3:GetObject", "s3:PutObject"]);
        let together = role(&json!([allow(&actions, &json!(["a", "b"]))]));
        let apart: Vec<Value> = ["a", "b"].iter().map(|resource| allow(&actions, &json!(resource))).collect();
        assert_eq!(changes(&together, &role(&json!(apart))), []);
        assert!(!broadens(&together, &role(&json!([allow(&json!("S3:getobject"), &json!("a"))]))));
    }

    #[test]
    fn changed_negation_counts_as_broader() {
        let all_but = |action: &str| role(&json!([{ "Effect": "Allow", "NotAction": action, "Resource": "*" }]));
        assert!(broadens(&all_but("iam:*"), &all_but("s3:*")));
        assert!(broadens(&role(&json!([allow(&json!("*"), &json!("*"))])), &all_but("iam:*")));
        assert_eq!(changes(&all_but("iam:*"), &all_but("iam:*")), []);
    }

    proptest! {
        #[test]
        fn a_pattern_covers_what_it_matches(text in "[ab?/]{0,8}", cut in 0usize..8, rest in 0usize..8) {
            let from = cut.min(text.len());
            let to = (from + rest).min(text.len());
            let pattern = format!("{}*{}", &text[..from], &text[to..]);
            prop_assert!(matches(&pattern, &text), "{pattern} {text}");
            prop_assert!(matches("*", &pattern) && matches(&pattern, &pattern));
            if !text.contains('*') { prop_assert!(!matches(&text, &pattern) || text == pattern); }
        }

        #[test]
        fn less_is_never_broader(actions in prop::collection::vec("s3:(Get|Put)[A-C*]", 1..5), kept in 0usize..4) {
            let all = role(&json!([allow(&json!(actions), &json!("r"))]));
            let some = role(&json!([allow(&json!(actions[..kept.min(actions.len())]), &json!("r"))]));
            prop_assert!(!broadens(&all, &some));
        }
    }
}
