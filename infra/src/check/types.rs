//! Finds resource types that don't exist. No rule is about `AWS::S3::Bukket`, so all rules would
//! pass it unchecked. CloudFormation has 1,800 types and new ones every week, which aren't listed
//! here: only names that can't be a type, or are close to one that the rules and the model know,
//! are found.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Finding, Rules};

/// How many characters may differ from a known type.
const NEAR: usize = 2;

/// Existing types that are spelled nearly like another one that a rule or the model knows.
pub(super) const EXIST: [&str; 8] = [
    "AWS::ApiGateway::BasePathMappingV2",
    "AWS::ApiGateway::DomainNameV2",
    "AWS::ApiGatewayV2::Deployment",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::Stage",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::IoT::Policy",
    "AWS::PCS::Queue",
];

/// The types that the model has or a rule names.
pub(super) fn known(rules: &Rules) -> BTreeSet<String> {
    let mut known: BTreeSet<_> = cfn::registry::TYPES.iter().map(|known| known.name.to_owned()).collect();
    for rule in rules.iter() {
        let words = rule.text.split(|character: char| !character.is_ascii_alphanumeric() && character != ':');
        known.extend(words.filter(|word| word.starts_with("AWS::") && is_type(word)).map(str::to_owned));
    }
    known
}

/// Resources whose type can't exist or is probably misspelt.
pub(super) fn misspelt(template: &Value, known: &BTreeSet<String>) -> Vec<Finding> {
    let found = types(template).filter_map(|(name, kind)| {
        let message = match kind {
            None => "say of which type it is".to_owned(),
            Some(kind) if !is_type(kind) => {
                format!("{kind} is no type: write SERVICE::GROUP::NAME, as in AWS::S3::Bucket")
            }
            Some(kind) if known.contains(kind) || EXIST.contains(&kind) => return None,
            Some(kind) => format!("there is no type {kind}: write {}", nearest(kind, known)?),
        };
        let path = "Type".to_owned();
        Some(Finding { rule: "cloudformation/types".to_owned(), resource: name.to_owned(), path, message })
    });
    found.collect()
}

/// AWS's types that neither a rule nor the model is about.
pub(super) fn without_rule(template: &Value, known: &BTreeSet<String>) -> BTreeSet<String> {
    let kinds = types(template).filter_map(|(_, kind)| kind);
    kinds.filter(|kind| kind.starts_with("AWS::") && !known.contains(*kind)).map(str::to_owned).collect()
}

/// The resources by logical ID, with their types.
fn types(template: &Value) -> impl Iterator<Item = (&str, Option<&str>)> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources.map(|(name, resource)| (name.as_str(), resource["Type"].as_str()))
}

/// Whether CloudFormation accepts a type of this name: [names of
/// types](https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RegisterType.html),
/// modules, and [custom
/// resources](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html).
fn is_type(text: &str) -> bool {
    if let Some(name) = text.strip_prefix("Custom::") {
        return !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_@-:".contains(&byte));
    }
    let parts: Vec<_> = text.strip_suffix("::MODULE").unwrap_or(text).split("::").collect();
    parts.len() == 3
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The known type that was probably meant.
fn nearest<'k>(kind: &str, known: &'k BTreeSet<String>) -> Option<&'k str> {
    let typed = kind.to_ascii_lowercase();
    let near = known.iter().map(|known| (distance(&typed, &known.to_ascii_lowercase()), known.as_str()));
    near.filter(|(distance, _)| *distance <= NEAR).min().map(|(_, known)| known)
}

/// How many insertions, deletions, changes or swaps of adjacent characters turn one into the other,
/// counted up to [`NEAR`].
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len().abs_diff(other.len()) > NEAR {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let changed = rows[i][j] + usize::from(a != b);
            let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(kind: &Value) -> Option<String> {
        let template = json!({ "Resources": { "R": { "Type": kind } } });
        let found = misspelt(&template, &known(&Rules::embedded().unwrap()));
        found.first().map(|finding| finding.message.clone())
    }

    #[test]
    fn a_misspelt_type_is_found() {
        for (typed, meant) in [
            ("AWS::S3::Bukket", "AWS::S3::Bucket"),
            ("AWS::S3::bucket", "AWS::S3::Bucket"),
            ("AWS::S3::Buckets", "AWS::S3::Bucket"),
            ("AWS::SQS::Qeueu", "AWS::SQS::Queue"),
            ("AWS::Lamda::Function", "AWS::Lambda::Function"),
            ("AWS::Lambda::Funktion", "AWS::Lambda::Function"),
            ("aws::iam::role", "AWS::IAM::Role"),
        ] {
            assert_eq!(told(&json!(typed)).unwrap(), format!("there is no type {typed}: write {meant}"));
        }
        for typed in ["", "Bucket", "AWS::S3", "AWS:S3:Bucket", "AWS::S3::Bucket::X", "AWS::S3 ::Bucket", "Custom::"] {
            assert!(told(&json!(typed)).is_some_and(|message| message.contains("is no type")), "{typed:?}");
        }
        for typed in [json!(null), json!(5), json!({ "Ref": "X" })] {
            assert_eq!(told(&typed).as_deref(), Some("say of which type it is"));
        }
    }

    #[test]
    fn a_type_that_exists_is_none() {
        let others = [
            "Custom::Bukket",
            "Custom::a@b_c-d",
            "Acme::S3::Bucket::MODULE",
            "Alexa::ASK::Skill",
            "AWS::EC2::Instance",
        ];
        for typed in others.into_iter().chain(EXIST) {
            assert_eq!(told(&json!(typed)), None, "{typed}");
        }
        let template =
            json!({ "Resources": { "A": { "Type": "AWS::EC2::Instance" }, "B": { "Type": "AWS::S3::Bucket" } } });
        let without = without_rule(&template, &known(&Rules::embedded().unwrap()));
        assert_eq!(without, BTreeSet::from(["AWS::EC2::Instance".to_owned()]));
    }
}
