//! A parameter as a template declares it, and whether a value fits: judged here as CloudFormation
//! does, which says it only after everything was uploaded.

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

/// What a template asks of a parameter's value and isn't so. The value isn't repeated: it may be a
/// secret.
#[derive(Debug, thiserror::Error)]
pub enum Constraint {
    /// What the template says about it.
    #[error("expected {0}")]
    Described(String),
    /// Another value than those that there are.
    #[error("expected one of {0}")]
    Values(String),
    /// It doesn't match.
    #[error("expected something that matches {0}")]
    Pattern(String),
    /// It has more characters than so many.
    #[error("expected at most {0} characters, it has {1}")]
    TooLong(usize, usize),
    /// It has fewer characters than so many.
    #[error("expected at least {0} characters, it has {1}")]
    TooShort(usize, usize),
    /// It is no number.
    #[error("expected a number")]
    Number,
    /// It is more than that.
    #[error("expected at most {0}")]
    TooLarge(f64),
    /// It is less than that.
    #[error("expected at least {0}")]
    TooSmall(f64),
}

impl Declared {
    /// Judges a value as CloudFormation does. A pattern that can't be read here is left to it.
    ///
    /// # Errors
    /// See [`Constraint`].
    pub fn judge(&self, value: &str) -> Result<(), Constraint> {
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

    /// The value that it has if nobody gives one.
    pub fn default(&self) -> Option<String> {
        self.default.as_ref().map(text)
    }

    /// Whether a stack can be made without a value for it.
    pub fn has_default(&self) -> bool {
        self.default.is_some()
    }

    /// Whether `CloudFormation` hides its value. It takes the word as well as the truth value.
    pub fn is_secret(&self) -> bool {
        match &self.no_echo {
            Value::Bool(no_echo) => *no_echo,
            Value::String(no_echo) => no_echo.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }
}

/// CloudFormation takes numbers and truth values as words, too.
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
            declared.judge(value).err().map(|error| error.to_string())
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
        // Java has patterns that we can't read; they are CloudFormation's affair.
        check(r#"{"Type": "String", "AllowedPattern": "(?=x)x"}"#, &["x", "y"], &[], "");
        check(r#"{"Type": "String", "MaxLength": "2"}"#, &["äö"], &["abc"], "expected at most 2 characters, it has 3");
        check(r#"{"Type": "String", "MinLength": 1}"#, &["a"], &[""], "expected at least 1 characters, it has 0");
        let number = r#"{"Type": "Number", "MinValue": 2, "MaxValue": "10"}"#;
        check(number, &["2", "9.5", "10"], &["1"], "expected at least 2");
        check(number, &[], &["11"], "expected at most 10");
        check(number, &[], &["x", ""], "expected a number");
    }
}
