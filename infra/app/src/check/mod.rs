//! Judges a template by the rules of `policy/`, with cfn-guard in process, and never says "all
//! pass" of rules that it did not evaluate.
//!
//! A rule sees the template as `CloudFormation` will deploy it: `Fn::If` is resolved and
//! `AWS::NoValue` dropped, once for every way in which the conditions can fall out
//! ([`conditions`]). So nothing hides in a branch, and `exists` means that the property is there.

mod conditions;
mod guard;
mod report;
mod rules;
mod template;

pub use conditions::ConditionsError;
pub use guard::GuardError;
pub use report::{Finding, Report};
pub use rules::{Rule, Rules, RulesError};
pub use template::TemplateError;

use serde_json::Value;
use std::path::Path;

/// Why there is no verdict. None of these means that the template is well.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The file is no template.
    #[error("can't read the template")]
    Template(#[source] TemplateError),
    /// The template's conditions can't be resolved.
    #[error("can't resolve the template's conditions")]
    Conditions(#[source] ConditionsError),
    /// Guard did not evaluate every rule.
    #[error("can't evaluate the rules")]
    Guard(#[source] GuardError),
}

/// Judges `template` (a whole template in long form) by `rules`, each under every outcome of the
/// template's conditions.
pub fn check(template: &Value, rules: &Rules) -> Result<Report, CheckError> {
    let resources = template::resource_count(template).map_err(CheckError::Template)?;
    let variants = conditions::variants(template).map_err(CheckError::Conditions)?;
    let findings = guard::evaluate(rules, &variants).map_err(CheckError::Guard)?;
    Ok(Report { rules: rules.len(), resources, findings })
}

/// Reads a file that holds a template, as [`parse_template`] does.
pub fn read_template(path: &Path) -> Result<Value, CheckError> {
    template::read(path).map_err(CheckError::Template)
}

/// Parses a template in JSON or YAML, short-form intrinsics included, into its long form.
pub fn parse_template(text: &str) -> Result<Value, CheckError> {
    template::parse(text).map_err(CheckError::Template)
}
