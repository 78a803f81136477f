//! The report as [SARIF 2.1.0](https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html),
//! which code scanning services such as GitHub's show beside the change that caused a finding.

use serde_json::{Value, json};

use super::{Finding, Report, Rule, Rules};

/// The report of `rules` on the template that is the `text` of the file at `uri` (relative to the
/// repository).
pub fn sarif(report: &Report, rules: &Rules, uri: &str, text: &str) -> Value {
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "git2s3 policy",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(descriptor).collect::<Vec<_>>(),
            } },
            "artifacts": [{ "location": { "uri": uri } }],
            "results": report.findings.iter().map(|finding| result(finding, uri, text)).collect::<Vec<_>>(),
            "columnKind": "unicodeCodePoints",
        }],
    })
}

fn descriptor(rule: &Rule) -> Value {
    let description = rule.description();
    let text = if description.is_empty() { rule.id() } else { description };
    json!({
        "id": rule.id(),
        "name": rule.name,
        "shortDescription": { "text": text },
        "defaultConfiguration": { "level": "error" },
        "properties": { "tags": ["security", rule.service] },
    })
}

fn result(finding: &Finding, uri: &str, text: &str) -> Value {
    let Finding { rule, resource, path, message } = finding;
    let place = format!("{resource}/{path}");
    json!({
        "ruleId": rule,
        "level": "error",
        "message": { "text": format!("{resource}: {message}") },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri, "index": 0 },
                "region": { "startLine": line_of(text, resource) },
            },
            "logicalLocations": [{ "name": resource, "fullyQualifiedName": place.trim_end_matches('/') }],
        }],
        // The line moves with whatever stands above; rule and place tell whether it is the same
        // finding.
        "partialFingerprints": { "rulePlace/v1": format!("{rule}:{place}") },
    })
}

/// Where a template defines `id`, counted from 1; the first line if that isn't to be seen.
fn line_of(text: &str, id: &str) -> usize {
    let defines = |line: &str| {
        let line = line.trim_start().trim_start_matches('"');
        line.strip_prefix(id).is_some_and(|rest| rest.trim_start_matches('"').starts_with(':'))
    };
    text.lines().position(defines).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_points_to_resource_line() {
        for text in ["{\n  \"Resources\": {\n    \"Keys\": {\n", "Resources:\n  KeysToo:\n  Keys:\n"] {
            assert_eq!(line_of(text, "Keys"), 3, "{text}");
        }
        assert_eq!(line_of("", "Keys"), 1);
    }

    #[test]
    fn sarif_describes_rules_and_locates_findings() {
        let rules = Rules::embedded().unwrap();
        let finding = Finding {
            rule: "s3/bucket_encryption".into(),
            resource: "Keys".into(),
            path: "Properties/BucketEncryption".into(),
            message: "set it".into(),
        };
        let report = Report { rules: rules.len(), resources: 1, without_rule: [].into(), findings: vec![finding] };
        let sarif = sarif(&report, &rules, "dist/git2s3.template.json", "\n\"Keys\": {}");
        let driver = &sarif["runs"][0]["tool"]["driver"];
        assert_eq!(driver["rules"].as_array().unwrap().len(), rules.len());
        let described = |rule: &Value| rule["shortDescription"]["text"].as_str().unwrap().len() > 40;
        assert!(driver["rules"].as_array().unwrap().iter().all(described), "{driver:#}");
        insta::assert_json_snapshot!(sarif["runs"][0]["results"]);
    }
}
