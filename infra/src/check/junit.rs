//! The report as [JUnit's XML](https://github.com/testmoapp/junitxml), which GitLab, Jenkins and
//! CodeBuild show as test results: a rule is a test case.

use std::collections::BTreeSet;

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::{Report, Rules};

/// The report of `rules`.
///
/// # Errors
/// A text can't be written as XML.
pub fn junit(report: &Report, rules: &Rules) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new("git2s3 policy");
    let told: BTreeSet<_> = report.findings.iter().map(|finding| finding.rule.clone()).collect();
    let names: BTreeSet<_> = rules.iter().map(super::Rule::id).chain(told).collect();
    for name in names {
        let found: Vec<_> = report.findings.iter().filter(|finding| finding.rule == name).collect();
        let (service, rule) = name.split_once('/').unwrap_or_default();
        let mut status = TestCaseStatus::success();
        if let Some(first) = found.first() {
            let lines: Vec<_> =
                found.iter().map(|each| format!("{} {}: {}", each.resource, each.path, each.message)).collect();
            status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(first.message.clone()).set_description(lines.join("\n"));
        }
        let mut case = TestCase::new(rule, status);
        case.set_classname(service);
        suite.add_test_case(case);
    }
    let mut junit = Junit::new("infra check");
    junit.add_test_suite(suite);
    junit.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Finding, Rule};

    #[test]
    fn a_rule_is_a_test_case() {
        let rule = |name: &str| Rule { service: "s3".into(), name: name.into(), text: String::new() };
        let rules = Rules::new([rule("bucket_encryption"), rule("bucket_versioning")]).unwrap();
        let finding = |resource: &str| Finding {
            rule: "s3/bucket_encryption".into(),
            resource: resource.into(),
            path: "Properties".into(),
            message: "say \"AES256\" & be done".into(),
        };
        let report =
            Report { rules: 2, resources: 2, without_rule: [].into(), findings: vec![finding("A"), finding("B")] };
        insta::assert_snapshot!(junit(&report, &rules).unwrap());
    }
}
