//! What a check found, for people as one aligned line each, for programs as JSON.

use serde::Serialize;
use std::fmt;

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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: fn(&Finding) -> &str| {
            let widths = self.findings.iter().map(|each| column(each).chars().count());
            widths.max().unwrap_or_default()
        };
        let (rule, resource, path) = (width(|each| &each.rule), width(|each| &each.resource), width(|each| &each.path));
        for each in &self.findings {
            writeln!(f, "{:rule$}  {:resource$}  {:path$}  {}", each.rule, each.resource, each.path, each.message)?;
        }
        writeln!(
            f,
            "{}, {}, {}",
            counted(self.rules, "rule"),
            counted(self.resources, "resource"),
            counted(self.findings.len(), "finding"),
        )
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

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
