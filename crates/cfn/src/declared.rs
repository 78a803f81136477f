//! A parameter as a template declares it. Values are checked here as CloudFormation does, which
//! reports a wrong one only after everything has been uploaded.

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

/// A declared parameter.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Declared {
    default: Option<Value>,
    #[serde(default)]
    no_echo: Value,
    #[serde(default)]
    allowed_values: Vec<Value>,
    allowed_pattern: Option<String>,
    constraint_description: Option<String>,
    min_length: Option<Value>,
    max_length: Option<Value>,
    min_value: Option<Value>,
    max_value: Option<Value>,
    #[serde(rename = "Type", default)]
    kind: String,
}

/// A constraint of the template that a parameter's value violates. The value isn't repeated: it may
/// be a secret.
#[derive(Debug, thiserror::Error)]
pub enum Constraint {
    /// The template's own description of the constraint.
    #[error("expected {0}")]
    Described(String),
    /// It is not one of the allowed values.
    #[error("expected one of {0}")]
    Values(String),
    /// It doesn't match the pattern.
    #[error("expected something that matches {0}")]
    Pattern(String),
    /// It has too many characters.
    #[error("expected at most {0} characters, it has {1}")]
    TooLong(usize, usize),
    /// It has too few characters.
    #[error("expected at least {0} characters, it has {1}")]
    TooShort(usize, usize),
    /// It is not a number.
    #[error("expected a number")]
    Number,
    /// It is above the maximum.
    #[error("expected at most {0}")]
    TooLarge(f64),
    /// It is below the minimum.
    #[error("expected at least {0}")]
    TooSmall(f64),
}

impl Declared {
    /// Checks a value as CloudFormation does. A pattern that can't be parsed here is left to it.
    ///
    /// # Errors
    /// See [`Constraint`].
    pub fn check(&self, value: &str) -> Result<(), Constraint> {
        let described =
            |otherwise: Constraint| self.constraint_description.clone().map_or(otherwise, Constraint::Described);
        let length = value.chars().count();
        if let Some(most) = number::<usize>(self.max_length.as_ref()).filter(|most| length > *most) {
            return Err(Constraint::TooLong(most, length));
        }
        if let Some(least) = number::<usize>(self.min_length.as_ref()).filter(|least| length < *least) {
            return Err(Constraint::TooShort(least, length));
        }
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|allowed| text(allowed) == value) {
            let allowed: Vec<_> = self.allowed_values.iter().map(text).collect();
            return Err(Constraint::Values(allowed.join(", ")));
        }
        if let Some(pattern) = &self.allowed_pattern
            && let Ok(whole) = Regex::new(&format!("^(?:{pattern})$"))
            && !whole.is_match(value)
        {
            return Err(described(Constraint::Pattern(pattern.clone())));
        }
        if self.kind == "Number" {
            let given: f64 = value.parse().map_err(|_| described(Constraint::Number))?;
            if let Some(most) = number::<f64>(self.max_value.as_ref()).filter(|most| given > *most) {
                return Err(described(Constraint::TooLarge(most)));
            }
            if let Some(least) = number::<f64>(self.min_value.as_ref()).filter(|least| given < *least) {
                return Err(described(Constraint::TooSmall(least)));
            }
        }
        Ok(())
    }

    /// The default value, if it has one.
    pub fn default(&self) -> Option<String> {
        self.default.as_ref().map(text)
    }

    /// Whether a stack can be created without a value for it.
    pub fn has_default(&self) -> bool {
        self.default.is_some()
    }

    /// Whether `CloudFormation` hides its value. `NoEcho` may be a string or a boolean.
    pub fn is_secret(&self) -> bool {
        match &self.no_echo {
            Value::Bool(no_echo) => *no_echo,
            Value::String(no_echo) => no_echo.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }
}

/// CloudFormation accepts strings as well as numbers and booleans.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number<N: std::str::FromStr>(value: Option<&Value>) -> Option<N> {
    text(value?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_parameter_constraints_are_enforced() {
        let of = |declared: &str, value: &str| {
            let declared: Declared = serde_json::from_str(declared).unwrap();
            declared.check(value).err().map(|error| error.to_string())
        };
        let check = |declared: &str, good: &[&str], bad: &[&str], said: &str| {
            for value in good {
                assert_eq!(of(declared, value), None, "{declared} {value:?}");
            }
            for value in bad {
                assert_eq!(of(declared, value).as_deref(), Some(said), "{declared} {value:?}");
            }
        };
        let values = r#"{"Type": "String", "AllowedValues": ["off", "on", 5]}"#;
        check(values, &["on", "5"], &["", "On", "onoff"], "expected one of off, on, 5");
        let pattern = r#"{"Type": "String", "AllowedPattern": "[a-z]+|^$", "ConstraintDescription": "letters"}"#;
        check(pattern, &["", "abc"], &["a1", "1"], "expected letters");
        let bare = r#"{"Type": "String", "AllowedPattern": "a"}"#;
        check(bare, &["a"], &["", "ab", "a\nb"], "expected something that matches a");
        // Java has patterns that the `regex` crate lacks; they are left to CloudFormation.
        check(r#"{"Type": "String", "AllowedPattern": "(?=x)x"}"#, &["x", "y"], &[], "");
        check(r#"{"Type": "String", "MaxLength": "2"}"#, &["äö"], &["abc"], "expected at most 2 characters, it has 3");
        check(r#"{"Type": "String", "MinLength": 1}"#, &["a"], &[""], "expected at least 1 characters, it has 0");
        let number = r#"{"Type": "Number", "MinValue": 2, "MaxValue": "10"}"#;
        check(number, &["2", "9.5", "10"], &["1"], "expected at least 2");
        check(number, &[], &["11"], "expected at most 10");
        check(number, &[], &["x", ""], "expected a number");
    }
}
