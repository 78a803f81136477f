//! Evaluates a template for given parameters: for tests, and for readers who want to see one
//! deployment instead of all.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

/// Why a template can't be evaluated.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum EvaluateError {
    /// A parameter without a default was not given.
    #[error("the parameter {0} has no default and was not given")]
    Parameter(String),
    /// An intrinsic function has arguments that CloudFormation doesn't accept.
    #[error("{function} has arguments that it doesn't take: {arguments}")]
    Arguments {
        /// The function.
        function: String,
        /// Its arguments.
        arguments: Json,
    },
}

/// Resolves parameters, conditions, `Fn::If`, `Fn::Select`, `Fn::Split` and `Fn::Sub` of a
/// template, and removes what their conditions exclude. Values that only a deployment knows stay: a
/// `Ref` or `Fn::GetAtt` of a resource, a pseudo parameter that isn't among `parameters`, and a
/// `Fn::Sub` with one of them. Such a `Fn::Sub` is for reading only: text substituted in it is not
/// escaped.
pub fn evaluate(template: &Json, parameters: &BTreeMap<String, String>) -> Result<Json, EvaluateError> {
    let evaluation = Evaluation { template, parameters };
    let mut result = template.as_object().cloned().unwrap_or_default();
    for section in ["Resources", "Outputs"] {
        let Some(entries) = template.get(section).and_then(Json::as_object) else { continue };
        let mut kept = Map::new();
        for (id, entry) in entries {
            let condition = entry.get("Condition").and_then(Json::as_str);
            if condition.map_or(Ok(true), |name| evaluation.condition(name))? {
                kept.insert(id.clone(), evaluation.value(entry)?.unwrap_or_default());
            }
        }
        result.insert(section.to_owned(), kept.into());
    }
    Ok(result.into())
}

/// What the template's
/// [rules](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html)
/// that these parameters break: the description of each assertion that doesn't hold. Rules with
/// functions that only a deployment can evaluate count as kept.
pub fn broken_rules(template: &Json, parameters: &BTreeMap<String, String>) -> Vec<String> {
    let evaluation = Evaluation { template, parameters };
    let rules = template.get("Rules").and_then(Json::as_object).into_iter().flat_map(Map::values);
    let applies = |rule: &&Json| rule.get("RuleCondition").is_none_or(|when| evaluation.holds(when) == Ok(true));
    let assertions = rules.filter(applies).filter_map(|rule| rule["Assertions"].as_array()).flatten();
    let broken = assertions.filter(|assertion| evaluation.holds(&assertion["Assert"]) == Ok(false));
    broken.map(|assertion| assertion["AssertDescription"].as_str().unwrap_or_default().to_owned()).collect()
}

struct Evaluation<'a> {
    template: &'a Json,
    parameters: &'a BTreeMap<String, String>,
}

impl Evaluation<'_> {
    /// The value, or `None` if it is `AWS::NoValue`.
    fn value(&self, value: &Json) -> Result<Option<Json>, EvaluateError> {
        Ok(Some(match value {
            Json::Object(map) => match map.iter().next() {
                Some((function, arguments)) if map.len() == 1 => match self.intrinsic(function, arguments)? {
                    Resolved::Value(value) => return Ok(value),
                    Resolved::NoIntrinsic => self.object(map)?,
                },
                _ => self.object(map)?,
            },
            Json::Array(list) => self.list(list)?.into(),
            scalar => scalar.clone(),
        }))
    }

    fn object(&self, map: &Map<String, Json>) -> Result<Json, EvaluateError> {
        let mut result = Map::new();
        for (key, child) in map {
            if let Some(child) = self.value(child)? {
                result.insert(key.clone(), child);
            }
        }
        Ok(result.into())
    }

    fn list(&self, list: &[Json]) -> Result<Vec<Json>, EvaluateError> {
        list.iter().filter_map(|child| self.value(child).transpose()).collect()
    }

    fn intrinsic(&self, function: &str, arguments: &Json) -> Result<Resolved, EvaluateError> {
        let wrong = || EvaluateError::Arguments { function: function.to_owned(), arguments: arguments.clone() };
        let list = arguments.as_array().map(Vec::as_slice);
        Ok(Resolved::Value(match (function, list) {
            ("Ref", _) => match arguments.as_str().ok_or_else(wrong)? {
                "AWS::NoValue" => None,
                name => Some(self.parameter(name)?.unwrap_or_else(|| serde_json::json!({ "Ref": name }))),
            },
            ("Fn::If", Some([condition, then, otherwise])) => {
                let holds = self.condition(condition.as_str().ok_or_else(wrong)?)?;
                return Ok(Resolved::Value(self.value(if holds { then } else { otherwise })?));
            }
            ("Fn::Split", Some([Json::String(separator), text])) => {
                let text = self.value(text)?.unwrap_or_default();
                let parts = text.as_str().map(|text| text.split(separator.as_str()).collect::<Vec<_>>().into());
                Some(parts.unwrap_or_else(|| serde_json::json!({ function: [separator, text] })))
            }
            ("Fn::Select", Some([index, items])) => {
                let items = self.value(items)?.unwrap_or_default();
                let index = index.as_u64().and_then(|index| usize::try_from(index).ok()).ok_or_else(wrong)?;
                Some(items.get(index).cloned().unwrap_or_else(|| serde_json::json!({ function: [index, items] })))
            }
            ("Fn::Sub", None) => Some(self.substitute(arguments.as_str().ok_or_else(wrong)?, &Map::new())?),
            ("Fn::Sub", Some([Json::String(text), Json::Object(variables)])) => Some(self.substitute(text, variables)?),
            _ => return Ok(Resolved::NoIntrinsic),
        }))
    }

    /// Substitutes all known values. The result is a plain text if all are known.
    fn substitute(&self, text: &str, variables: &Map<String, Json>) -> Result<Json, EvaluateError> {
        let (mut whole, mut open) = (String::new(), Map::new());
        let mut pieces = text.split("${");
        whole.push_str(pieces.next().unwrap_or_default());
        let mut is_plain = true;
        for piece in pieces {
            let Some((name, after)) = piece.split_once('}') else {
                whole.extend(["${", piece]);
                continue;
            };
            let known = match variables.get(name) {
                Some(variable) => self.value(variable)?,
                None => self.parameter(name)?,
            };
            match (name.strip_prefix('!'), known) {
                (Some(literal), _) => whole.extend(["${", literal, "}"]),
                (None, Some(Json::String(value))) => whole.push_str(&value),
                (None, known) => {
                    is_plain = false;
                    whole.extend(["${", name, "}"]);
                    open.extend(known.map(|value| (name.to_owned(), value)));
                }
            }
            whole.push_str(after);
        }
        Ok(match (is_plain, open.is_empty()) {
            (true, _) => whole.into(),
            (false, true) => serde_json::json!({ "Fn::Sub": whole }),
            (false, false) => serde_json::json!({ "Fn::Sub": [whole, open] }),
        })
    }

    /// The value of a parameter, or `None` if `name` is not a parameter.
    fn parameter(&self, name: &str) -> Result<Option<Json>, EvaluateError> {
        let Some(parameter) = self.template.pointer(&format!("/Parameters/{name}")) else {
            return Ok(self
                .parameters
                .get(name)
                .filter(|_| name.starts_with("AWS::"))
                .map(|text| text.as_str().into()));
        };
        let default = || parameter.get("Default").and_then(Json::as_str).map(str::to_owned);
        let text = self.parameters.get(name).cloned().or_else(default);
        let text = text.ok_or_else(|| EvaluateError::Parameter(name.to_owned()))?;
        Ok(Some(text.into()))
    }

    fn condition(&self, name: &str) -> Result<bool, EvaluateError> {
        let expression = self.template.pointer(&format!("/Conditions/{name}")).unwrap_or(&Json::Null);
        self.holds(expression)
    }

    fn holds(&self, expression: &Json) -> Result<bool, EvaluateError> {
        let wrong = || EvaluateError::Arguments { function: "a condition".to_owned(), arguments: expression.clone() };
        let (function, arguments) = expression.as_object().and_then(|map| map.iter().next()).ok_or_else(wrong)?;
        let arguments = arguments.as_array().map(Vec::as_slice);
        match (function.as_str(), arguments) {
            ("Fn::Equals", Some([left, right])) => Ok(self.value(left)? == self.value(right)?),
            ("Fn::Not", Some([inner])) => Ok(!self.holds(inner)?),
            ("Fn::And", Some(all)) => all.iter().try_fold(true, |holds, inner| Ok(holds && self.holds(inner)?)),
            ("Fn::Or", Some(any)) => any.iter().try_fold(false, |holds, inner| Ok(holds || self.holds(inner)?)),
            _ => Err(wrong()),
        }
    }
}

/// The result of resolving a map with one entry.
enum Resolved {
    /// It was an intrinsic function; `None` is `AWS::NoValue`.
    Value(Option<Json>),
    /// It was not an intrinsic function that can be resolved here.
    NoIntrinsic,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Parameter, Stack, Value};

    fn output(chosen: &str, value: impl FnOnce(&mut Stack) -> Value<String>) -> Json {
        let mut stack = Stack::new("");
        let value = value(&mut stack);
        stack.output("Result", "", value);
        let parameters = BTreeMap::from([("Chosen".to_owned(), chosen.to_owned())]);
        let template = stack.template().unwrap().into_value();
        evaluate(&template, &parameters).unwrap()["Outputs"]["Result"].get("Value").cloned().unwrap_or_default()
    }

    #[test]
    fn no_value_leaves_the_property_out() {
        let result = output("", |stack| {
            let chosen = stack.parameter("Chosen", &Parameter::text("", ""));
            stack.given("IsChosen", &chosen).either("yes".into(), Value::none())
        });
        assert_eq!(result, Json::Null);
    }

    #[test]
    fn broken_rule_shows_assertion_description() {
        let empty = |name: &str| json!({ "Fn::Equals": [{ "Ref": name }, ""] });
        let assertion = |assert: Json| json!([{ "Assert": assert, "AssertDescription": "A takes B." }]);
        let template = json!({
            "Parameters": { "A": { "Default": "" }, "B": { "Default": "" } },
            "Rules": {
                "Both": { "RuleCondition": { "Fn::Not": [empty("A")] }, "Assertions": assertion(json!({ "Fn::Not": [empty("B")] })) },
                "Unknown": { "Assertions": assertion(json!({ "Fn::Contains": [["a"], { "Ref": "A" }] })) },
            },
        });
        let broken = |a: &str, b: &str| {
            let given = [("A", a), ("B", b)].map(|(name, value)| (name.to_owned(), value.to_owned()));
            broken_rules(&template, &given.into())
        };
        assert_eq!(broken("x", ""), ["A takes B."]);
        for (a, b) in [("", ""), ("", "y"), ("x", "y")] {
            assert!(broken(a, b).is_empty(), "{a} {b}");
        }
    }

    #[test]
    fn pseudo_parameter_stays_unresolved() {
        assert_eq!(output("", |_| crate::pseudo::region()), json!({ "Ref": "AWS::Region" }));
    }

    proptest! {
        #[test]
        fn evaluation_keeps_template_meaning(chosen in "[a-z,]{0,12}", index in 0usize..3) {
            let parts: Vec<&str> = chosen.split(',').collect();
            let result = output(&chosen, |stack| {
                let parameter = stack.parameter::<String>("Chosen", &Parameter::text("", ""));
                let condition = stack.given("IsChosen", &parameter);
                condition.either(parameter.value().split(",").select(index), "nothing".into())
            });
            match (chosen.is_empty(), parts.get(index)) {
                (true, _) => prop_assert_eq!(result, "nothing"),
                (false, Some(part)) => prop_assert_eq!(result, *part),
                (false, None) => prop_assert!(result.get("Fn::Select").is_some()),
            }
        }

        #[test]
        fn text_survives_substitution(chosen in "[ -~]{0,20}", texts in prop::collection::vec("[${}!A-z]{0,6}", 0..4)) {
            let written = output(&chosen, |stack| {
                let parameter = stack.parameter::<String>("Chosen", &Parameter::text("", ""));
                crate::sub(texts.iter().flat_map(|text| [text.as_str().into(), parameter.value().into()]))
            });
            let expected: String = texts.iter().flat_map(|text| [text.as_str(), &chosen]).collect();
            prop_assert_eq!(written, expected);
        }
    }
}
