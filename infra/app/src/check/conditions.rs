//! A template with conditions is several templates. Here they all are, with `Fn::If` and
//! `AWS::NoValue` resolved and resources whose condition is false left out.
//!
//! To cfn-guard an intrinsic is a plain map: a bucket whose encryption is `Fn::If` would fail by
//! its shape, and a wildcard inside a branch would pass unseen.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// More comparisons than this in one template's conditions can't be gone through (2^12 outcomes).
const MOST_COMPARISONS: usize = 12;
/// More different outcomes than this take too long to judge.
const MOST_OUTCOMES: usize = 512;

/// Why a template's conditions can't be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ConditionsError {
    /// `Fn::If` or `Condition` names a condition that the template lacks.
    #[error("condition {0} is used but not defined")]
    Unknown(String),
    /// A condition is defined by itself.
    #[error("condition {0} depends on itself")]
    Circular(String),
    /// `Fn::If` has to hold a condition's name and two values.
    #[error("Fn::If is not [condition, value, value] but {0}")]
    If(String),
    /// The outcomes are too many to judge each.
    #[error("the conditions compare {comparisons} things: more than can be gone through")]
    TooMany {
        /// Distinct comparisons (`Fn::Equals`) in the conditions in use.
        comparisons: usize,
    },
}

/// Outcome of every condition in use.
type Outcome = BTreeMap<String, bool>;

/// The template under every possible outcome of the conditions that it uses; at least one.
pub(super) fn variants(template: &Value) -> Result<Vec<Value>, ConditionsError> {
    outcomes(template)?.iter().map(|outcome| deployed(template, outcome)).collect()
}

/// Whether every outcome can be gone through.
pub(super) fn verify(template: &Value) -> Result<(), ConditionsError> {
    outcomes(template).map(|_| ())
}

fn outcomes(template: &Value) -> Result<BTreeSet<Outcome>, ConditionsError> {
    let mut used = BTreeSet::new();
    for section in ["Resources", "Outputs"] {
        let entries = template.get(section).and_then(Value::as_object);
        for entry in entries.into_iter().flat_map(Map::values) {
            used.extend(entry.get("Condition").and_then(Value::as_str));
            collect_ifs(entry, &mut used)?;
        }
    }

    let formulas = Formulas(template.get("Conditions").and_then(Value::as_object));
    let mut comparisons = BTreeMap::new();
    for name in &used {
        formulas.comparisons(name, &mut Vec::new(), &mut comparisons)?;
    }
    let too_many = ConditionsError::TooMany { comparisons: comparisons.len() };
    if comparisons.len() > MOST_COMPARISONS {
        return Err(too_many);
    }

    let mut outcomes = BTreeSet::new();
    for bits in 0..1_u32 << comparisons.len() {
        let truth: BTreeMap<&str, bool> =
            comparisons.keys().enumerate().map(|(index, key)| (key.as_str(), bits >> index & 1 == 1)).collect();
        if contradictory(&comparisons, &truth) {
            continue;
        }
        outcomes.insert(used.iter().map(|name| ((*name).to_owned(), formulas.holds(name, &truth))).collect());
        if outcomes.len() > MOST_OUTCOMES {
            return Err(too_many);
        }
    }
    Ok(outcomes)
}

fn collect_ifs<'t>(value: &'t Value, used: &mut BTreeSet<&'t str>) -> Result<(), ConditionsError> {
    if let Some(arguments) = single(value, "Fn::If") {
        used.insert(branches(arguments)?.0);
    }
    match value {
        Value::Object(map) => map.values().try_for_each(|each| collect_ifs(each, used)),
        Value::Array(list) => list.iter().try_for_each(|each| collect_ifs(each, used)),
        _ => Ok(()),
    }
}

/// The argument of `function`, if `value` is a call of it.
fn single<'t>(value: &'t Value, function: &str) -> Option<&'t Value> {
    value.as_object().filter(|map| map.len() == 1).and_then(|map| map.get(function))
}

fn branches(arguments: &Value) -> Result<(&str, &Value, &Value), ConditionsError> {
    match arguments.as_array().map(Vec::as_slice) {
        Some([Value::String(condition), yes, no]) => Ok((condition, yes, no)),
        _ => Err(ConditionsError::If(arguments.to_string())),
    }
}

/// One parameter can't equal two different texts at once.
fn contradictory(comparisons: &BTreeMap<String, &Value>, truth: &BTreeMap<&str, bool>) -> bool {
    let mut equals: BTreeMap<String, &str> = BTreeMap::new();
    comparisons
        .iter()
        .filter(|(key, _)| truth.get(key.as_str()) == Some(&true))
        .filter_map(|(_, formula)| single(formula, "Fn::Equals")?.as_array())
        .any(|sides| match sides.as_slice() {
            [Value::String(text), side] | [side, Value::String(text)] => {
                equals.insert(side.to_string(), text).is_some_and(|other| other != text)
            }
            _ => false,
        })
}

/// The template's `Conditions`: formulas of And, Or and Not over comparisons. Whatever else stands
/// in one counts as a comparison, which may fall out either way.
struct Formulas<'t>(Option<&'t Map<String, Value>>);

impl<'t> Formulas<'t> {
    fn get(&self, name: &str) -> Option<&'t Value> {
        self.0?.get(name)
    }

    fn comparisons(
        &self,
        name: &str,
        above: &mut Vec<String>,
        found: &mut BTreeMap<String, &'t Value>,
    ) -> Result<(), ConditionsError> {
        if above.iter().any(|each| each == name) {
            return Err(ConditionsError::Circular(name.to_owned()));
        }
        let formula = self.get(name).ok_or_else(|| ConditionsError::Unknown(name.to_owned()))?;
        above.push(name.to_owned());
        self.comparisons_in(formula, above, found)?;
        above.pop();
        Ok(())
    }

    fn comparisons_in(
        &self,
        formula: &'t Value,
        above: &mut Vec<String>,
        found: &mut BTreeMap<String, &'t Value>,
    ) -> Result<(), ConditionsError> {
        match Formula::of(formula) {
            Formula::Named(name) => self.comparisons(name, above, found),
            Formula::And(parts) | Formula::Or(parts) | Formula::Not(parts) => {
                parts.iter().try_for_each(|part| self.comparisons_in(part, above, found))
            }
            Formula::Comparison => {
                found.insert(formula.to_string(), formula);
                Ok(())
            }
        }
    }

    fn holds(&self, name: &str, truth: &BTreeMap<&str, bool>) -> bool {
        self.get(name).is_some_and(|formula| self.is_true(formula, truth))
    }

    fn is_true(&self, formula: &Value, truth: &BTreeMap<&str, bool>) -> bool {
        match Formula::of(formula) {
            Formula::Named(name) => self.holds(name, truth),
            Formula::And(parts) => parts.iter().all(|part| self.is_true(part, truth)),
            Formula::Or(parts) => parts.iter().any(|part| self.is_true(part, truth)),
            Formula::Not(parts) => !parts.iter().any(|part| self.is_true(part, truth)),
            Formula::Comparison => truth.get(formula.to_string().as_str()).copied().unwrap_or_default(),
        }
    }
}

enum Formula<'t> {
    Named(&'t str),
    And(&'t [Value]),
    Or(&'t [Value]),
    Not(&'t [Value]),
    Comparison,
}

impl<'t> Formula<'t> {
    fn of(formula: &'t Value) -> Self {
        if let Some(name) = single(formula, "Condition").and_then(Value::as_str) {
            return Self::Named(name);
        }
        let parts = |function| single(formula, function).and_then(Value::as_array);
        if let Some(all) = parts("Fn::And") {
            Self::And(all)
        } else if let Some(any) = parts("Fn::Or") {
            Self::Or(any)
        } else if let Some(none) = parts("Fn::Not") {
            Self::Not(none)
        } else {
            Self::Comparison
        }
    }
}

fn deployed(template: &Value, outcome: &Outcome) -> Result<Value, ConditionsError> {
    let mut sections = template.as_object().cloned().unwrap_or_default();
    sections.shift_remove("Conditions");
    for name in ["Resources", "Outputs"] {
        if let Some(Value::Object(entries)) = sections.get_mut(name) {
            entries.retain(|_, entry| match entry.get("Condition") {
                Some(Value::String(condition)) => outcome.get(condition) == Some(&true),
                _ => true,
            });
            for entry in entries.values_mut() {
                *entry = resolve(entry, outcome)?.unwrap_or(Value::Null);
            }
        }
    }
    Ok(Value::Object(sections))
}

/// `None` stands for `AWS::NoValue`.
fn resolve(value: &Value, outcome: &Outcome) -> Result<Option<Value>, ConditionsError> {
    if single(value, "Ref").and_then(Value::as_str) == Some("AWS::NoValue") {
        return Ok(None);
    }
    if let Some(arguments) = single(value, "Fn::If") {
        let (condition, yes, no) = branches(arguments)?;
        let holds = outcome.get(condition) == Some(&true);
        return resolve(if holds { yes } else { no }, outcome);
    }
    Ok(Some(match value {
        Value::Object(map) => {
            let mut resolved = Map::new();
            for (key, each) in map {
                if let Some(each) = resolve(each, outcome)? {
                    resolved.insert(key.clone(), each);
                }
            }
            Value::Object(resolved)
        }
        Value::Array(list) => {
            let mut resolved = Vec::new();
            for each in list {
                resolved.extend(resolve(each, outcome)?);
            }
            Value::Array(resolved)
        }
        scalar => scalar.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn buckets(template: &Value) -> Vec<Value> {
        variants(template).unwrap().iter().map(|variant| variant["Resources"].clone()).collect()
    }

    #[test]
    fn without_conditions_there_is_one_variant() {
        let template = json!({"Resources": {"A": {"Type": "T", "Properties": {
            "Gone": {"Ref": "AWS::NoValue"}, "List": [1, {"Ref": "AWS::NoValue"}, {"Ref": "B"}],
        }}}});
        assert_eq!(buckets(&template), [json!({"A": {"Type": "T", "Properties": {"List": [1, {"Ref": "B"}]}}})]);
    }

    #[test]
    fn every_outcome_is_a_variant_and_opposites_are_never_true_together() {
        let template = json!({
            "Conditions": {
                "Named": {"Fn::Not": [{"Condition": "Unnamed"}]},
                "Unnamed": {"Fn::Equals": [{"Ref": "Name"}, ""]},
                "InNetwork": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Network"}, ""]}]},
                "Unused": {"Fn::Equals": [{"Ref": "Other"}, ""]},
            },
            "Resources": {
                "A": {"Type": "T", "Condition": "Named"},
                "B": {"Type": "T", "Condition": "Unnamed"},
                "C": {"P": {"Fn::If": ["InNetwork", {"Fn::If": ["Named", 1, 2]}, 3]}},
            },
        });
        let variants = buckets(&template);
        assert_eq!(variants.len(), 4);
        for variant in &variants {
            assert_ne!(variant.get("A").is_some(), variant.get("B").is_some());
        }
        let inner: BTreeSet<String> = variants.iter().map(|variant| variant["C"]["P"].to_string()).collect();
        assert_eq!(inner, ["1", "2", "3"].map(str::to_owned).into());
    }

    #[test]
    fn one_parameter_has_one_value() {
        let template = json!({
            "Conditions": {
                "Small": {"Fn::Equals": [{"Ref": "Size"}, "small"]},
                "Large": {"Fn::Equals": ["large", {"Ref": "Size"}]},
            },
            "Resources": {"A": {"Condition": "Small"}, "B": {"Condition": "Large"}},
        });
        assert_eq!(buckets(&template).len(), 3);
    }

    #[test]
    fn what_cannot_be_resolved_is_refused() {
        let refused = |conditions: Value, property: Value| {
            variants(&json!({"Conditions": conditions, "Resources": {"A": {"P": property}}})).unwrap_err()
        };
        assert!(matches!(
            refused(json!({}), json!({"Fn::If": ["Missing", 1, 2]})),
            ConditionsError::Unknown(name) if name == "Missing"
        ));
        assert!(matches!(
            refused(json!({"A": {"Condition": "A"}}), json!({"Fn::If": ["A", 1, 2]})),
            ConditionsError::Circular(name) if name == "A"
        ));
        assert!(matches!(refused(json!({}), json!({"Fn::If": ["A", 1]})), ConditionsError::If(_)));
        let many: Map<String, Value> =
            (0..13).map(|n| (format!("C{n}"), json!({"Fn::Equals": [{"Ref": format!("P{n}")}, ""]}))).collect();
        let all: Vec<Value> = many.keys().map(|name| json!({"Fn::If": [name, 1, 2]})).collect();
        assert!(matches!(
            refused(Value::Object(many), Value::Array(all)),
            ConditionsError::TooMany { comparisons: 13 }
        ));
    }
}
