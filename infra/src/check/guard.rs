//! Runs cfn-guard in process, with rules and templates from memory and a JSON report. Every doubt
//! about what it did is an error.
//!
//! By itself it passes without rules, continues after a rule file that it can't parse, and returns
//! the failure's code instead of the error's if both happen. So the report is compared with the
//! rules: each has to be in it, under its own name, for each template.

use super::{Finding, Rule, Rules, scope};
use cfn_guard::{
    CommandBuilder, ValidateBuilder,
    commands::{
        Executable, FAILURE_STATUS_CODE, SUCCESS_STATUS_CODE,
        validate::{OutputFormatType, ShowSummaryType},
    },
    utils::{
        reader::{ReadBuffer, Reader},
        writer::{WriteBuffer, Writer},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{self, Cursor, Read, Seek},
};

/// Why it isn't certain that every rule was evaluated.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Guard failed.
    #[error("guard failed")]
    Execute(#[source] cfn_guard::Error),
    /// Guard's error output could not be captured.
    #[error("can't capture guard's error output")]
    Capture(#[source] io::Error),
    /// Guard complained, usually about a rule that does not parse.
    #[error("guard complained: {0}")]
    Complaint(String),
    /// Guard ended in a way that means neither pass nor fail.
    #[error("guard ended with status {0}, which is neither pass nor fail")]
    Status(i32),
    /// Guard's report could not be read.
    #[error("can't read guard's report")]
    Report(#[source] serde_json::Error),
    /// Guard reported on fewer or more templates than it was given.
    #[error("guard reported on {got} templates instead of {expected}")]
    Templates {
        /// Templates in the report.
        got: usize,
        /// Templates that were given.
        expected: usize,
    },
    /// A rule file has other rules than the one that it is named after.
    #[error("rules {got:?} were evaluated instead of {expected:?}")]
    Rules {
        /// Rules in the report, without those that were expected.
        got: Vec<String>,
        /// Rules that were given, without those in the report.
        expected: Vec<String>,
    },
    /// The status says pass and the report has failures, or the reverse.
    #[error("guard ended with status {status}, but its report has {failures} failed rules")]
    Contradiction {
        /// Guard's exit status.
        status: i32,
        /// Failed rules in its report.
        failures: usize,
    },
    /// A rule failed, and the report doesn't say where.
    #[error("rule {0} failed without a reason in guard's report")]
    Unexplained(String),
}

/// One template's part of guard's report.
#[derive(Deserialize)]
struct FileReport {
    not_compliant: Vec<FailedRule>,
    not_applicable: BTreeSet<String>,
    compliant: BTreeSet<String>,
}

#[derive(Deserialize)]
struct FailedRule {
    #[serde(rename = "Rule")]
    rule: RuleReport,
}

#[derive(Deserialize)]
struct RuleReport {
    name: String,
    checks: Vec<Value>,
}

/// Findings of all rules in all templates, in order and without duplicates.
pub(super) fn evaluate(rules: &Rules, templates: &[Value]) -> Result<BTreeSet<Finding>, GuardError> {
    let payload = json!({
        "rules": rules.iter().map(|rule| &rule.text).collect::<Vec<_>>(),
        "data": templates.iter().map(Value::to_string).collect::<Vec<_>>(),
    });
    let (status, output) = execute(payload.to_string())?;
    let reports: Vec<FileReport> = serde_json::from_str(&output).map_err(GuardError::Report)?;

    if reports.len() != templates.len() {
        return Err(GuardError::Templates { got: reports.len(), expected: templates.len() });
    }
    let failures: usize = reports.iter().map(|report| report.not_compliant.len()).sum();
    if (status == SUCCESS_STATUS_CODE) != (failures == 0) {
        return Err(GuardError::Contradiction { status, failures });
    }

    let mut findings = BTreeSet::new();
    for report in &reports {
        let failed = evaluated(rules, report)?;
        for (rule, checks) in failed {
            let found = Finder::new(rule).findings(checks);
            if found.is_empty() {
                return Err(GuardError::Unexplained(rule.name.clone()));
            }
            findings.extend(found);
        }
    }
    Ok(findings)
}

fn execute(payload: String) -> Result<(i32, String), GuardError> {
    let command = ValidateBuilder::default()
        .payload(true)
        .structured(true)
        .output_format(OutputFormatType::JSON)
        .show_summary(vec![ShowSummaryType::None])
        .try_build()
        .map_err(GuardError::Execute)?;

    // A writer returns its output or its errors, not both, so the errors go to a file.
    let mut complaints = tempfile::tempfile().map_err(GuardError::Capture)?;
    let kept = complaints.try_clone().map_err(GuardError::Capture)?;
    let mut writer =
        Writer::new_with_err(WriteBuffer::Vec(Vec::new()), WriteBuffer::File(kept)).map_err(GuardError::Execute)?;
    let mut reader = Reader::new(ReadBuffer::Cursor(Cursor::new(payload.into_bytes())));

    let status = command.execute(&mut writer, &mut reader).map_err(GuardError::Execute)?;
    let mut complaint = String::new();
    complaints.rewind().and_then(|()| complaints.read_to_string(&mut complaint)).map_err(GuardError::Capture)?;
    if !complaint.is_empty() {
        return Err(GuardError::Complaint(complaint.trim().to_owned()));
    }
    if ![SUCCESS_STATUS_CODE, FAILURE_STATUS_CODE].contains(&status) {
        return Err(GuardError::Status(status));
    }
    Ok((status, writer.into_string().map_err(GuardError::Execute)?))
}

/// The failed rules of a report, after checking that it covers exactly these rules.
fn evaluated<'a>(rules: &'a Rules, report: &'a FileReport) -> Result<Vec<(&'a Rule, &'a [Value])>, GuardError> {
    let failed = report.not_compliant.iter().map(|failed| &failed.rule);
    let got: BTreeSet<&str> = failed
        .clone()
        .map(|rule| &rule.name)
        .chain(&report.not_applicable)
        .chain(&report.compliant)
        .map(String::as_str)
        .collect();
    let expected: BTreeSet<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    if got != expected {
        let without = |these: &BTreeSet<&str>, those: &BTreeSet<&str>| {
            these.difference(those).map(|&name| name.to_owned()).collect()
        };
        return Err(GuardError::Rules { got: without(&got, &expected), expected: without(&expected, &got) });
    }
    Ok(failed.filter_map(|failed| Some((rules.get(&failed.name)?, failed.checks.as_slice()))).collect())
}

/// Turns the tree of failed clauses of one rule into findings.
struct Finder {
    rule: String,
}

impl Finder {
    fn new(rule: &Rule) -> Self {
        Self { rule: rule.id() }
    }

    fn findings(&self, checks: &[Value]) -> Vec<Finding> {
        checks.iter().flat_map(|check| self.of_check(check)).collect()
    }

    fn of_check(&self, check: &Value) -> Vec<Finding> {
        let nested = |kind: &str| check.get(kind)?.get("checks")?.as_array();
        if let Some(rule) = nested("Rule") {
            return self.findings(rule);
        }
        // Alternatives that failed together are one finding, with the remedy of the first.
        if let Some(alternatives) = nested("Disjunctions") {
            return self.findings(alternatives).into_iter().take(1).collect();
        }
        let clause = check.get("Clause").or_else(|| check.get("Block"));
        let leaf = clause.and_then(|clause| clause.get("Unary").or_else(|| clause.get("Binary")).or(Some(clause)));
        leaf.map(|leaf| self.of_leaf(leaf)).into_iter().collect()
    }

    fn of_leaf(&self, leaf: &Value) -> Finding {
        let (resource, path) = leaf.get("check").or_else(|| leaf.get("unresolved")).and_then(place).unwrap_or_default();
        let message = |kind: &str| {
            let text = leaf.get("messages")?.get(kind)?.as_str()?;
            let words: Vec<&str> = text.split_whitespace().collect();
            Some(words.join(" ")).filter(|text| !text.is_empty())
        };
        Finding {
            rule: self.rule.clone(),
            resource: scope::logical_id(&resource).to_owned(),
            path,
            message: message("custom_message").or_else(|| message("error_message")).unwrap_or_default(),
        }
    }
}

/// Logical ID and path of the failed value, which guard nests in its data about the clause.
fn place(check: &Value) -> Option<(String, String)> {
    if let Some(path) = check.get("path").and_then(Value::as_str) {
        let mut parts = path.split('/').skip(2);
        return match parts.next() {
            Some(id) => Some((id.to_owned(), parts.collect::<Vec<_>>().join("/"))),
            // The key of a resource, captured by the rule, is in `/Resources`.
            None => Some((check.get("value")?.as_str()?.to_owned(), String::new())),
        };
    }
    if let (Some(reached), Some(query)) = (check.get("traversed_to"), check.get("remaining_query")) {
        let (resource, path) = place(reached)?;
        // The first part of the query is missing; the rest would be below it.
        let missing = query.as_str().and_then(|query| query.split(['.', '[']).next());
        let parts = [path.as_str(), missing.unwrap_or_default()];
        return Some((resource, parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")));
    }
    ["Resolved", "InResolved", "UnResolved", "from", "value"].iter().find_map(|key| place(check.get(key)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rules: &[(&str, &str)]) -> Rules {
        Rules::new(rules.iter().map(|(name, text)| Rule {
            service: "test".into(),
            name: (*name).into(),
            text: (*text).into(),
        }))
        .unwrap()
    }

    const TYPED: &str = "rule typed { Resources.*.Type == 'T' <<say\n  T>> }";

    fn with_type(kind: &str) -> Value {
        json!({"Resources": {"A": {"Type": kind}}})
    }

    #[test]
    fn failed_clause_names_path_and_remedy() {
        let found = evaluate(&rules(&[("typed", TYPED)]), &[with_type("U"), with_type("V")]);
        assert_eq!(
            Vec::from_iter(found.unwrap()),
            [Finding { rule: "test/typed".into(), resource: "A".into(), path: "Type".into(), message: "say T".into() }]
        );
        let found = evaluate(&rules(&[("typed", TYPED)]), &[with_type("T")]);
        assert_eq!(found.unwrap(), BTreeSet::new());
    }

    #[test]
    fn unparsable_rule_always_fails_evaluation() {
        let broken = rules(&[("typed", TYPED), ("broken", "rule broken { %% }")]);
        for kind in ["T", "U"] {
            let error = evaluate(&broken, &[with_type(kind)]).unwrap_err();
            assert!(matches!(error, GuardError::Complaint(_)), "{error:?}");
        }
    }

    #[test]
    fn rule_file_without_expected_rule_fails() {
        for text in ["", "# nothing\n", "let a = Resources.*\n", "rule other { Resources exists }"] {
            let error = evaluate(&rules(&[("typed", TYPED), ("named", text)]), &[with_type("T")]).unwrap_err();
            assert!(
                matches!(&error, GuardError::Rules { expected, .. } if expected == &["named"]),
                "{text:?}: {error:?}"
            );
        }
    }

    #[test]
    fn alternatives_are_one_finding() {
        let text = "rule either { Resources.* { Type == 'T' <<t or u>> or Type == 'U' <<t or u>> } }";
        let found = evaluate(&rules(&[("either", text)]), &[with_type("V")]).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|finding| finding.message == "t or u"));
    }
}
