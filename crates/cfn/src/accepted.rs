//! Accepted linter findings, in the form in which each linter reads them from a resource's
//! metadata.

use serde_json::{Map, Value as Json, json};

/// Findings that one reason makes acceptable.
#[derive(Debug, Clone, Copy)]
pub struct Accepted {
    /// IDs of [checkov's checks](https://www.checkov.io/5.Policy%20Index/cloudformation.html).
    pub checkov: &'static [&'static str],
    /// IDs of [cdk-nag's rules](https://github.com/cdklabs/cdk-nag/blob/main/RULES.md).
    pub cdk_nag: &'static [&'static str],
    /// The reason, for reviewers.
    pub reason: &'static str,
}

impl Accepted {
    /// Adds the findings to a resource's metadata.
    pub(crate) fn write(&self, metadata: &mut Map<String, Json>) {
        let reason = self.reason;
        append(metadata, "checkov", "skip", self.checkov, |id| json!({ "id": id, "comment": reason }));
        append(metadata, "cdk_nag", "rules_to_suppress", self.cdk_nag, |id| json!({ "id": id, "reason": reason }));
    }
}

fn append(metadata: &mut Map<String, Json>, tool: &str, list: &str, ids: &[&str], entry: impl Fn(&str) -> Json) {
    if ids.is_empty() {
        return;
    }
    let known = &mut metadata.entry(tool).or_insert_with(|| json!({ list: [] }))[list];
    if let Some(known) = known.as_array_mut() {
        known.extend(ids.iter().map(|id| entry(id)));
    }
}
