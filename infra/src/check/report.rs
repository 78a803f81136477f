//! The findings of a check: for people one aligned line each, for programs JSON.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use deployment::render::shown::Shown;
use deployment::render::table::{Align, Table};

/// One thing to fix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `<service>/<rule>`: the rule's file is `policy/<service>/<rule>.guard`.
    pub rule: String,
    /// Logical ID of the resource, parameter or output.
    pub resource: String,
    /// Where in it: names and indices joined with `/`, as deployed; empty for the whole.
    pub path: String,
    /// What to do about it.
    pub message: String,
}

/// The result of checking one template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Number of rules, each of which was evaluated; never zero.
    pub rules: usize,
    /// Number of resources in the template; never zero.
    pub resources: usize,
    /// Types of resources that no rule is about, such as those of other services; most rules ignore
    /// them.
    pub without_rule: BTreeSet<String>,
    /// Ordered by rule and resource, without duplicates.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether there is nothing to fix.
    pub fn passes(&self) -> bool {
        self.findings.is_empty()
    }
}

/// How much of a report is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The first findings of each rule, and how many more there are: nobody reads twenty thousand
    /// of a kind.
    Summary,
    /// Every finding.
    All,
}

/// How many findings of a rule a summary shows, and how many types that no rule is about.
const SHOWN: usize = 10;

impl Report {
    /// The findings in columns, and a last line with the counts.
    pub fn shown(&self, extent: Extent) -> Shown {
        let limit = if extent == Extent::All { usize::MAX } else { SHOWN };
        let mut table = Table::new([("", Align::Left); 4]);
        for of_rule in self.findings.chunk_by(|one, next| one.rule == next.rule) {
            for Finding { rule, resource, path, message } in of_rule.iter().take(limit) {
                table.row([rule, resource, path, message].map(Clone::clone));
            }
            if let (Some(first), more @ 1..) = (of_rule.first(), of_rule.len().saturating_sub(limit)) {
                let message = format!("and {more} more of this rule, which --all shows");
                table.row([first.rule.clone(), String::new(), String::new(), message]);
            }
        }
        let mut shown = table.rows();
        if !self.without_rule.is_empty() {
            let names: Vec<_> = self.without_rule.iter().take(limit).map(String::as_str).collect();
            let more = self.without_rule.len().saturating_sub(limit);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            shown.add(&format!("no rule is about {}{more}", names.join(", ")));
            shown.end_line();
        }
        let counts = [(self.rules, "rule"), (self.resources, "resource"), (self.findings.len(), "finding")];
        shown.add(&counts.map(|(count, noun)| counted(count, noun)).join(", "));
        shown.end_line();
        shown
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(Extent::All).plain())
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_finding_stays_on_one_line() {
        let name = "A\n30 rules, 0 findings\u{202e}\u{1b}[8m";
        let finding =
            Finding { rule: "x/y".into(), resource: name.into(), path: name.into(), message: "fix it".into() };
        let told =
            Report { rules: 1, resources: 1, without_rule: BTreeSet::new(), findings: vec![finding] }.to_string();
        assert_eq!((told.lines().count(), told.matches(r"findings\u{202e}\u{1b}[8m").count()), (2, 2), "{told}");
    }

    #[test]
    fn report_aligns_findings_and_counts_them() {
        let finding = |rule: &str, resource: &str, path: &str| Finding {
            rule: rule.into(),
            resource: resource.into(),
            path: path.into(),
            message: "fix it".into(),
        };
        let mut report = Report {
            rules: 30,
            resources: 1,
            without_rule: BTreeSet::new(),
            findings: vec![finding("s3/bucket_encryption", "Keys", "Properties"), finding("sqs/x", "OutputBucket", "")],
        };
        assert_eq!(
            report.to_string(),
            "s3/bucket_encryption  Keys          Properties  fix it\n\
             sqs/x                 OutputBucket              fix it\n\
             30 rules, 1 resource, 2 findings\n"
        );
        assert!(!report.passes());
        report.findings.clear();
        assert_eq!(report.to_string(), "30 rules, 1 resource, 0 findings\n");
        assert!(report.passes());
    }
    #[test]
    fn summary_shortens_many_findings() {
        let finding = |rule: &str, number: usize| Finding {
            rule: rule.into(),
            resource: format!("R{number:05}"),
            path: String::new(),
            message: "fix it".into(),
        };
        let findings = (0..20_000).map(|number| finding("a/many", number)).chain([finding("b/one", 0)]).collect();
        let without_rule = (10..25).map(|number| format!("AWS::X::Y{number}")).collect();
        let report = Report { rules: 2, resources: 20_000, without_rule, findings };
        let summary = report.shown(Extent::Summary).plain();
        assert_eq!(summary.lines().count(), 10 + 1 + 1 + 2, "{summary}");
        for words in ["and 19990 more of this rule, which --all shows", "AWS::X::Y19 and 5 more", "20001 findings"] {
            assert!(summary.contains(words), "{words}: {summary}");
        }
        assert_eq!(report.to_string().lines().count(), 20_001 + 2);
    }
}
