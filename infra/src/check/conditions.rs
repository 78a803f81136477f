//! A template with conditions is several templates. This makes all of them, with `Fn::If` and
//! `AWS::NoValue` resolved and without resources whose condition is false.
//!
//! For cfn-guard an intrinsic is a plain map: a bucket whose encryption is an `Fn::If` would fail
//! because of its form, and a wildcard inside a branch would pass unnoticed.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The maximum number of comparisons in a template's conditions (2^12 outcomes).
const MOST_COMPARISONS: usize = 12;
/// The maximum number of different outcomes; more take too long to check.
const MOST_OUTCOMES: usize = 1536;

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
    /// There are too many outcomes to check each.
    #[error("the conditions of what the rule reads have more than {MOST_OUTCOMES} outcomes")]
    TooMany,
}

/// Outcome of every condition in use.
type Outcome = BTreeMap<String, bool>;

/// The template under every possible outcome of the conditions that it uses; at least one.
pub(super) fn variants(template: &Value) -> Result<Vec<Value>, ConditionsError> {
    let (used, outcomes) = outcomes(template)?;
    let named = |outcome: &Vec<bool>| used.iter().map(|name| (*name).to_owned()).zip(outcome.iter().copied()).collect();
    outcomes.iter().map(|outcome| deployed(template, &named(outcome))).collect()
}

/// Checks that each condition in use is defined, even one that no rule looks at.
pub(super) fn verify(template: &Value) -> Result<(), ConditionsError> {
    let mut formulas = Formulas::of(template);
    used(template)?.into_iter().try_for_each(|name| formulas.named(name, &mut Vec::new()).map(drop))
}

/// The conditions in use.
fn used(template: &Value) -> Result<BTreeSet<&str>, ConditionsError> {
    let mut used = BTreeSet::new();
    for section in ["Resources", "Outputs"] {
        let entries = template.get(section).and_then(Value::as_object);
        for entry in entries.into_iter().flat_map(Map::values) {
            used.extend(entry.get("Condition").and_then(Value::as_str));
            collect_ifs(entry, &mut used)?;
        }
    }
    Ok(used)
}

/// The conditions in use, and all their possible combined outcomes.
fn outcomes(template: &Value) -> Result<(BTreeSet<&str>, BTreeSet<Vec<bool>>), ConditionsError> {
    let used = used(template)?;
    let mut formulas = Formulas::of(template);
    let conditions: Vec<_> =
        used.iter().copied().map(|name| formulas.named(name, &mut Vec::new())).collect::<Result<_, _>>()?;
    let comparisons = formulas.comparisons.len();
    if comparisons > MOST_COMPARISONS {
        return Err(ConditionsError::TooMany);
    }

    let contradictions = formulas.contradictions();
    let mut outcomes = BTreeSet::new();
    for bits in 0..1_u32 << comparisons {
        let holds = |comparison: usize| bits >> comparison & 1 == 1;
        if contradictions.iter().any(|(one, other)| holds(*one) && holds(*other)) {
            continue;
        }
        outcomes.insert(conditions.iter().map(|condition| condition.is_true(&holds)).collect());
        if outcomes.len() > MOST_OUTCOMES {
            return Err(ConditionsError::TooMany);
        }
    }
    Ok((used, outcomes))
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

/// A condition of And, Or and Not over numbered comparisons.
enum Formula {
    Comparison(usize),
    And(Vec<Formula>),
    Or(Vec<Formula>),
    /// That none of them holds.
    Not(Vec<Formula>),
}

impl Formula {
    fn is_true(&self, holds: &impl Fn(usize) -> bool) -> bool {
        match self {
            Self::Comparison(number) => holds(*number),
            Self::And(parts) => parts.iter().all(|part| part.is_true(holds)),
            Self::Or(parts) => parts.iter().any(|part| part.is_true(holds)),
            Self::Not(parts) => !parts.iter().any(|part| part.is_true(holds)),
        }
    }
}

/// The template's `Conditions`, and the different comparisons in those that were asked for.
/// Everything except And, Or and Not counts as a comparison, which may be true or false.
struct Formulas<'t> {
    conditions: Option<&'t Map<String, Value>>,
    comparisons: Vec<&'t Value>,
}

impl<'t> Formulas<'t> {
    fn of(template: &'t Value) -> Self {
        Self { conditions: template.get("Conditions").and_then(Value::as_object), comparisons: Vec::new() }
    }

    /// The formula of a condition; `above` are the conditions that contain it.
    fn named(&mut self, name: &'t str, above: &mut Vec<&'t str>) -> Result<Formula, ConditionsError> {
        if above.contains(&name) {
            return Err(ConditionsError::Circular(name.to_owned()));
        }
        let formula = self.conditions.and_then(|conditions| conditions.get(name));
        let formula = formula.ok_or_else(|| ConditionsError::Unknown(name.to_owned()))?;
        above.push(name);
        let read = self.read(formula, above)?;
        above.pop();
        Ok(read)
    }

    fn read(&mut self, formula: &'t Value, above: &mut Vec<&'t str>) -> Result<Formula, ConditionsError> {
        if let Some(name) = single(formula, "Condition").and_then(Value::as_str) {
            return self.named(name, above);
        }
        for function in ["Fn::And", "Fn::Or", "Fn::Not"] {
            let Some(parts) = single(formula, function).and_then(Value::as_array) else { continue };
            let parts = parts.iter().map(|part| self.read(part, above)).collect::<Result<_, _>>()?;
            return Ok(match function {
                "Fn::And" => Formula::And(parts),
                "Fn::Or" => Formula::Or(parts),
                _ => Formula::Not(parts),
            });
        }
        let known = self.comparisons.iter().position(|comparison| *comparison == formula);
        Ok(Formula::Comparison(known.unwrap_or_else(|| {
            self.comparisons.push(formula);
            self.comparisons.len() - 1
        })))
    }

    /// Pairs of comparisons that can't both be true: one parameter can't equal two different texts.
    fn contradictions(&self) -> Vec<(usize, usize)> {
        let equals = |comparison: &&'t Value| match single(comparison, "Fn::Equals")?.as_array()?.as_slice() {
            [Value::String(text), side] | [side, Value::String(text)] => Some((side, text)),
            _ => None,
        };
        let equals: Vec<_> = self.comparisons.iter().map(equals).collect();
        let pairs = (0..equals.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
        pairs
            .filter(|(one, other)| match (equals[*one], equals[*other]) {
                (Some((side, text)), Some((other_side, other))) => side == other_side && text != other,
                _ => false,
            })
            .collect()
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
    fn variants_cover_outcomes_without_contradictions() {
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
    fn unresolvable_conditions_are_refused() {
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
        assert!(matches!(refused(Value::Object(many), Value::Array(all)), ConditionsError::TooMany));
    }
}
