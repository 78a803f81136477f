//! Parameters with two values. Any other spelling is an error.

use std::str::FromStr;

/// `on` or `off`: the parameters `Lfs` and `Submodules`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// `on`.
    On,
    /// `off`.
    Off,
}

/// The text is neither of the two values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is neither {one} nor {other}")]
pub struct SwitchError {
    value: String,
    one: &'static str,
    other: &'static str,
}

impl FromStr for Switch {
    type Err = SwitchError;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        either(value, ("on", Self::On), ("off", Self::Off))
    }
}

/// `True` or `False`: the parameter `ExcludeGit`, spelled as in the Quick Start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth(pub bool);

impl FromStr for Truth {
    type Err = SwitchError;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        either(value, ("True", Self(true)), ("False", Self(false)))
    }
}

fn either<T>(value: &str, one: (&'static str, T), other: (&'static str, T)) -> Result<T, SwitchError> {
    match value {
        value if value == one.0 => Ok(one.1),
        value if value == other.0 => Ok(other.1),
        value => Err(SwitchError { value: value.to_owned(), one: one.0, other: other.0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_is_an_error() {
        assert_eq!("on".parse(), Ok(Switch::On));
        assert_eq!("off".parse(), Ok(Switch::Off));
        assert_eq!("True".parse(), Ok(Truth(true)));
        assert_eq!("False".parse(), Ok(Truth(false)));
        for value in ["", "On", "true", "yes", "off ", "0"] {
            assert!(value.parse::<Switch>().is_err() && value.parse::<Truth>().is_err(), "{value}");
        }
        assert_eq!("true".parse::<Switch>().unwrap_err().to_string(), "\"true\" is neither on nor off");
    }
}
