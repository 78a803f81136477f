//! Runs the rules on public templates, which `.ci/templates` downloads: what a rule finds there has
//! to be what it is about. Users run `infra check` on templates like these.
#![expect(clippy::unwrap_used, reason = "what surprises a test fails it")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use deployment::deploy::Template;
use infra::check::{Finding, Rules, check};
use serde_json::Value;

/// Every public template that can be checked, by its file.
fn templates() -> BTreeMap<PathBuf, Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/templates");
    assert!(root.join("complete").exists(), "{}: run .ci/templates", root.display());
    let mut folders = vec![root];
    let mut found = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // Some are broken on purpose.
            let text = fs::read_to_string(&path).unwrap_or_default();
            let Ok(template) = Template::parse(text) else { continue };
            let mut template = template.into_value();
            let Some(sections) = template.as_object_mut() else { continue };
            // What its macros would make isn't checked, but the rest is.
            sections.remove("Transform");
            found.insert(path, template);
        }
    }
    found
}

/// All findings in all of them, each with its resource.
fn findings() -> Vec<(PathBuf, Value, Finding)> {
    let rules = Rules::embedded().unwrap();
    let (mut checked, mut found) = (0, Vec::new());
    for (path, template) in templates() {
        // Templates that can't be resolved aren't checked.
        let Ok(report) = check(&template.clone().into(), &rules) else { continue };
        checked += 1;
        for finding in report.findings {
            let resource = template["Resources"][&finding.resource].clone();
            found.push((path.clone(), resource, finding));
        }
    }
    assert!(checked > 300, "only {checked} templates could be checked");
    found
}

/// Whether a statement anywhere in the value allows something to everybody, or names no principal.
fn lets_everybody(value: &Value) -> bool {
    match value {
        Value::Object(map) if map.contains_key("Effect") || map.contains_key("Principal") => {
            let principals = map.get("Principal").map(ToString::to_string);
            map.get("Effect").is_none_or(|effect| effect != "Deny") && principals.is_none_or(|text| text.contains('*'))
        }
        Value::Object(map) => map.values().any(lets_everybody),
        Value::Array(items) => items.iter().any(lets_everybody),
        _ => false,
    }
}

#[test]
fn public_principal_findings_are_correct() {
    let mut count = 0;
    for (path, resource, finding) in findings() {
        if finding.rule != "iam/no_public_principal" {
            continue;
        }
        let kind = resource["Type"].as_str().unwrap();
        let of_an_identity = kind.starts_with("AWS::IAM::") && kind != "AWS::IAM::Role";
        assert!(!of_an_identity && kind != "AWS::IoT::Policy", "{}: {finding:?}", path.display());
        assert!(lets_everybody(&resource["Properties"]), "{}: {finding:?}", path.display());
        count += 1;
    }
    assert!(count > 20, "only {count} were found");
}

#[test]
fn every_finding_matches_rule_scope() {
    let rules = Rules::embedded().unwrap();
    let mut count = 0;
    for (path, resource, finding) in findings() {
        let Some(rule) = rules.iter().find(|rule| format!("{}/{}", rule.service, rule.name) == finding.rule) else {
            continue;
        };
        let scope = rule.text.lines().find_map(|line| line.strip_prefix("# Scope: ")).unwrap_or("each resource");
        let kind = resource["Type"].as_str().unwrap_or_default();
        let is_about = match scope.strip_prefix("each with ") {
            Some(key) => resource.to_string().contains(&format!("\"{key}\":")),
            None => scope.contains("each resource") || kind.is_empty() || scope.contains(kind),
        };
        assert!(is_about, "{}: {finding:?}", path.display());
        count += 1;
    }
    assert!(count > 1_000, "only {count} were found");
}

/// Whether a key's policy allows kms:* to somebody other than the key's own account, as far as the
/// template tells.
fn gives_the_key_away(statement: &Value) -> bool {
    let principal = statement["Principal"].to_string();
    let own = principal.contains("${AWS::AccountId}:root") && principal.matches("arn:").count() == 1;
    statement["Effect"] == "Allow" && statement["Action"].to_string().contains('*') && !own
}

#[test]
fn flagged_key_policies_give_key_away() {
    let mut count = 0;
    for (path, resource, finding) in findings() {
        if finding.rule != "kms/key_policy_account_root" || !finding.message.starts_with("give kms:*") {
            continue;
        }
        let statements = resource["Properties"]["KeyPolicy"]["Statement"].as_array().unwrap();
        assert!(statements.iter().any(gives_the_key_away), "{}: {finding:?}", path.display());
        count += 1;
    }
    assert!(count > 0, "none was found");
}
