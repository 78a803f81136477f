//! Checks a template with the rules of `policy/`, with cfn-guard in process. It never reports
//! success for rules that it did not evaluate.
//!
//! A rule sees the template as `CloudFormation` will deploy it: `Fn::If` is resolved and
//! `AWS::NoValue` dropped, once for every outcome of the conditions ([`conditions`]). So nothing
//! hides in a branch, and `exists` means that the property is there. A rule may declare that it
//! reads only a part, and then sees only that ([`scope`]).

mod conditions;
mod guard;
mod junit;
mod report;
mod rules;
mod sarif;
mod scope;
mod types;

pub use conditions::ConditionsError;
pub use guard::GuardError;
pub use junit::junit;
pub use report::{Extent, Finding, Report};
pub use rules::{Rule, Rules, RulesError};
pub use sarif::sarif;

use cfn::{ParseError, Template};
use scope::Scope;

use serde_json::Value;
use std::{
    cmp::Reverse,
    collections::BTreeSet,
    num::NonZero,
    panic::resume_unwind,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Why there is no result. None of these means that the template is good.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The file is not a template.
    #[error("can't read the template")]
    Template(#[source] ParseError),
    /// A macro would change it after the check.
    #[error("can't read the template: it has a Transform, so what is deployed isn't what was checked")]
    Transform,
    /// No `Resources`, or an empty one: there is nothing to check.
    #[error("can't read the template: it has no resources")]
    NoResources,
    /// The template's conditions can't be resolved.
    #[error("can't resolve the template's conditions")]
    Conditions(#[source] ConditionsError),
    /// A rule reads so much that it can't be evaluated under each outcome of the conditions.
    #[error("can't evaluate {rules}: say what the rule reads, with a line `# Scope:` in its header (docs/ci.md)")]
    Scope {
        /// The rules with this scope.
        rules: String,
        /// What their part of the template has too much of.
        source: ConditionsError,
    },
    /// Guard did not evaluate every rule.
    #[error("can't evaluate the rules")]
    Guard(#[source] GuardError),
}

/// Checks `template` with `rules`, each under every outcome of the template's conditions.
pub fn check(template: &Template, rules: &Rules) -> Result<Report, CheckError> {
    let template = template.value();
    let resources = resource_count(template)?;
    conditions::verify(template).map_err(CheckError::Conditions)?;
    let mut findings = quotas(template);
    findings.extend(texts(template));
    findings.extend(order(template));
    let known = types::known(rules);
    findings.extend(types::misspelt(template, &known));
    let bare = scope::without_metadata(template);
    let mut groups: Vec<_> = rules.by_scope().into_iter().collect();
    // The longest first, so that no processor waits for the last one.
    groups.sort_by_key(|(scope, rules)| Reverse(rules.len() * scope.breadth(template)));
    for found in in_parallel(&groups, |(scope, rules)| {
        let needs_all = *scope == Scope::Whole || rules.iter().any(|rule| rule.text.contains("Metadata"));
        let views = scope.views(if needs_all { template } else { &bare }).map_err(|source| CheckError::Scope {
            rules: rules.iter().map(|rule| format!("{}/{}", rule.service, rule.name)).collect::<Vec<_>>().join(", "),
            source,
        })?;
        guard::evaluate(rules, &views).map_err(CheckError::Guard)
    }) {
        findings.extend(found?);
    }
    let without_rule = types::without_rule(template, &known);
    Ok(Report { rules: rules.len(), resources, without_rule, findings: findings.into_iter().collect() })
}

/// Runs `one` for each item on all processors, each of which takes the next item, since durations
/// vary from one to a hundred milliseconds.
fn in_parallel<T: Sync, R: Send>(all: &[T], one: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mine = std::iter::from_fn(|| all.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(&one).collect::<Vec<_>>()
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let others = others.into_iter().flat_map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        own.into_iter().chain(others).collect()
    })
}

/// Exceeded quotas of CloudFormation, without the white space that a template's file may have.
fn quotas(template: &Value) -> BTreeSet<Finding> {
    let exceeded = cfn::quota::exceeded(template, template.to_string().len()).into_iter();
    let finding = |excess: cfn::quota::Excess| Finding {
        rule: "cloudformation/quotas".to_owned(),
        message: excess.to_string(),
        resource: excess.name,
        path: String::new(),
    };
    exceeded.map(finding).collect()
}

/// Names and descriptions that the services behind CloudFormation would refuse.
fn texts(template: &Value) -> impl Iterator<Item = Finding> {
    cfn::texts::refused(template).into_iter().map(|refused| Finding {
        rule: "cloudformation/texts".to_owned(),
        message: refused.to_string(),
        path: refused.property,
        resource: refused.name,
    })
}

/// Resources that CloudFormation would create or delete in an order that fails.
fn order(template: &Value) -> impl Iterator<Item = Finding> {
    cfn::order::missing(template).into_iter().map(|disorder| Finding {
        rule: "cloudformation/order".to_owned(),
        message: disorder.to_string(),
        path: "DependsOn".to_owned(),
        resource: disorder.name,
    })
}

/// How many resources the template has; an error if it has no resource, or if a macro could add
/// some.
fn resource_count(template: &Value) -> Result<usize, CheckError> {
    if template.get("Transform").is_some() {
        return Err(CheckError::Transform);
    }
    match template.get("Resources").and_then(Value::as_object) {
        Some(resources) if !resources.is_empty() => Ok(resources.len()),
        _ => Err(CheckError::NoResources),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_without_resources_is_refused() {
        let counted = |text: &str| resource_count(Template::parse(text.to_owned()).unwrap().value());
        for text in ["", "[]", "{}", "Resources:", "Resources: {}", "just text"] {
            assert!(matches!(counted(text), Err(CheckError::NoResources)), "{text:?}");
        }
        let macros = counted("Transform: AWS::LanguageExtensions\nResources: {A: {Type: T}}");
        assert!(matches!(macros, Err(CheckError::Transform)));
    }
}
