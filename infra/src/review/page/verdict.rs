//! The result of the rules: findings are open, passed rules folded. Also the accepted findings of
//! linters.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use serde_json::Value;

use super::markup::{code, count, folded, listed, plain, table};
use crate::review::Review;

/// The whole section.
pub(super) fn section(review: &Review<'_>) -> Markup {
    let accepted = accepted(review.template.value());
    html! {
        @if review.report.passes() {
            p { span class="good" { "Every rule passes" } ", under every outcome of the conditions: " (review.report.rules) " of them." }
        } @else { (findings(review)) }
        (folded("Each rule, and why there is the rule", &rules(review)))
        (folded(&format!("{} of checkov and cdk-nag that stay, and why", count(accepted.len(), "finding", "findings")), &reasons(accepted)))
    }
}

fn findings(review: &Review<'_>) -> Markup {
    let rows = review.report.findings.iter().map(|finding| {
        let what = html! { span class="bad" { (finding.message) } };
        vec![code(&finding.resource), code(&finding.rule), code(&finding.path), what]
    });
    table("What the rules object to", &["Resource", "Rule", "Where", "What is wrong"], rows)
}

fn rules(review: &Review<'_>) -> Markup {
    let rows = review.rules.iter().map(|rule| {
        let found = review.report.findings.iter().filter(|finding| finding.rule == rule.id()).count();
        let verdict = html! {
            @if found == 0 { span class="good" { "passes" } } @else { span class="bad" { (count(found, "finding", "findings")) } }
        };
        vec![code(&rule.id()), verdict, plain(&rule.description())]
    });
    table("Each rule, under every outcome of the conditions", &["Rule", "Verdict", "Why there is the rule"], rows)
}

/// By finding and reason, the resources that have it.
type Accepted = BTreeMap<(String, String), BTreeSet<String>>;

fn accepted(template: &Value) -> Accepted {
    let mut reasons = Accepted::new();
    for (id, resource) in template["Resources"].as_object().into_iter().flatten() {
        for (tool, list, why) in [("checkov", "skip", "comment"), ("cdk_nag", "rules_to_suppress", "reason")] {
            for entry in resource["Metadata"][tool][list].as_array().into_iter().flatten() {
                let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
                reasons.entry((text("id"), text(why))).or_default().insert(id.clone());
            }
        }
    }
    reasons
}

fn reasons(accepted: Accepted) -> Markup {
    let rows = accepted.into_iter().map(|((finding, reason), ids)| vec![code(&finding), plain(&reason), listed(&ids)]);
    table("What checkov and cdk-nag find, and why it stays", &["Finding", "Why", "Where"], rows)
}
