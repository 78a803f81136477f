//! What a check found, for people as one aligned line each, for programs as JSON.

use std::fmt;

use serde::Serialize;

use crate::render::shown::Shown;
use crate::render::table::{Align, Table};

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `<service>/<rule>`: the rule's file is `policy/<service>/<rule>.guard`.
    pub rule: String,
    /// Logical id of the resource, parameter or output.
    pub resource: String,
    /// Where in it: names and indices joined with `/`, as deployed; empty for the whole.
    pub path: String,
    /// What to do about it.
    pub message: String,
}

/// What a check of one template came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Number of rules, each of which was evaluated; never zero.
    pub rules: usize,
    /// Number of resources in the template; never zero.
    pub resources: usize,
    /// Ordered by rule and resource, without duplicates.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether there is nothing to mend.
    pub fn passes(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Report {
    /// The findings in columns, and a last line that counts.
    pub fn shown(&self) -> Shown {
        let mut table = Table::new([("", Align::Left); 4]);
        for Finding { rule, resource, path, message } in &self.findings {
            table.row([rule, resource, path, message].map(Clone::clone));
        }
        let mut shown = table.rows();
        let counts = [(self.rules, "rule"), (self.resources, "resource"), (self.findings.len(), "finding")];
        shown.add(&counts.map(|(count, noun)| counted(count, noun)).join(", "));
        shown.end_line();
        shown
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown().plain())
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_in_a_template_of_others_stays_on_its_line() {
        let name = "A\n30 rules, 0 findings\u{202e}\u{1b}[8m";
        let finding =
            Finding { rule: "x/y".into(), resource: name.into(), path: name.into(), message: "mend it".into() };
        let told = Report { rules: 1, resources: 1, findings: vec![finding] }.to_string();
        assert_eq!((told.lines().count(), told.matches(r"findings\u{202e}\u{1b}[8m").count()), (2, 2), "{told}");
    }

    #[test]
    fn findings_stand_in_columns_and_the_last_line_counts() {
        let finding = |rule: &str, resource: &str, path: &str| Finding {
            rule: rule.into(),
            resource: resource.into(),
            path: path.into(),
            message: "mend it".into(),
        };
        let mut report = Report {
            rules: 30,
            resources: 1,
            findings: vec![finding("s3/bucket_encryption", "Keys", "Properties"), finding("sqs/x", "OutputBucket", "")],
        };
        assert_eq!(
            report.to_string(),
            "s3/bucket_encryption  Keys          Properties  mend it\n\
             sqs/x                 OutputBucket              mend it\n\
             30 rules, 1 resource, 2 findings\n"
        );
        assert!(!report.passes());
        report.findings.clear();
        assert_eq!(report.to_string(), "30 rules, 1 resource, 0 findings\n");
        assert!(report.passes());
    }
}
