//! Who may do what: equal rights merged, and, folded, every right by itself with the evidence that
//! it is needed.

use std::collections::BTreeSet;

use cfn::Template;
use maud::{Markup, html};
use serde_json::Value;

use super::markup::{code, codes, folded, listed, only, plain, soft, table};
use crate::review::rights::{self, Alike, Evidence, Policy};
use deployment::diff::Effect;

const TRUST: &str = "sts:AssumeRole";

/// The whole section.
pub(super) fn section(template: &Template) -> Markup {
    let content = template.value();
    let policies = rights::policies(content);
    let (trust, policies): (Vec<_>, Vec<_>) = policies.into_iter().partition(is_trust);
    let functions = trust.iter().find(|policy| policy.who == "lambda.amazonaws.com").map(|policy| &policy.resources);
    html! {
        @for policy in &trust { (trusted(policy)) }
        (in_short(&rights::alike(template), functions))
        (in_policies(&policies))
        (folded("Every right by itself, and what fails without it", &html! { (every(template)) (others(content)) }))
    }
}

/// Whether it only says who may assume a role.
fn is_trust(policy: &Policy) -> bool {
    policy.actions.iter().eq([TRUST])
}

/// Who may assume which role.
fn trusted(policy: &Policy) -> Markup {
    let verb = if policy.effect == Effect::Allow { "may be taken on by" } else { "may not be taken on by" };
    html! { p { (listed(&policy.resources)) " " (verb) " " (code(&policy.who)) (only(&policy.conditions)) "." } }
}

fn in_short(rights: &[Alike], functions: Option<&BTreeSet<String>>) -> Markup {
    let rows = rights.iter().map(|right| {
        let Alike { roles, resources, actions, conditions, reason } = right;
        let who = if roles.len() > 2 && functions == Some(roles) {
            html! { "Every function" }
        } else {
            html! { (listed(roles)) }
        };
        vec![who, listed(actions), html! { (listed(resources)) (only(conditions)) }, why(reason)]
    });
    table("Rights of the stack's roles, and what is alike said once", &["Role", "May", "On", "Why"], rows)
}

fn why(reason: &str) -> Markup {
    if reason.is_empty() {
        html! { span class="bad" { "nobody wrote down why" } }
    } else {
        plain(reason)
    }
}

fn in_policies(policies: &[Policy]) -> Markup {
    let rows = policies.iter().map(|policy| {
        let Policy { who, effect, actions, conditions, resources } = policy;
        let who = if who == "*" { plain("Everybody (*)") } else { code(who) };
        let may = if *effect == Effect::Allow { "may" } else { "may not" };
        vec![who, html! { strong { (may) } " " (listed(actions)) }, html! { (listed(resources)) (only(conditions)) }]
    });
    table("What the policies of resources say", &["Principal", "May", "On"], rows)
}

fn every(template: &Template) -> Markup {
    let rows = rights::matrix(template).into_iter().map(|right| {
        let evidence = match right.evidence {
            Some(Evidence::Scenario(name)) => code(name),
            Some(Evidence::Documented(page)) => html! { a href=(page) { "AWS's documentation" } },
            None => html! { span class="bad" { "nobody showed that it is needed" } },
        };
        let conditions = right.conditions.join(", ");
        let cells = [codes(&right.actions), code(&right.resource), plain(&conditions), why(right.reason), evidence];
        std::iter::once(code(&right.role)).chain(cells).collect()
    });
    table(
        "Rights of the stack's roles",
        &["Role", "Actions", "Resource", "Only where", "Why", "Fails without it"],
        rows,
    )
}

fn others(template: &Value) -> Markup {
    let rows = rights::others(template).into_iter().map(|grant| {
        let effect = if grant.effect == Effect::Allow { "Allow" } else { "Deny" };
        let conditions: Vec<_> = grant.conditions.iter().map(ToString::to_string).collect();
        vec![code(&grant.who), plain(effect), code(&grant.action), code(&grant.resource), soft(&conditions.join(", "))]
    });
    let columns = ["Principal", "Effect", "Action", "Resource", "Only where"];
    table("What policies of resources and the trust of roles say", &columns, rows)
}
