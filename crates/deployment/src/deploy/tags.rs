//! The tags of a stack, which `CloudFormation` gives to every resource that supports them, and of
//! the account's bucket for code. Tags that AWS would refuse in the middle of a deployment are
//! refused before it begins.

use std::collections::BTreeMap;

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-add-tags.html>
const MOST: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// Why tags are refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The text is not a pair.
    #[error("expected KEY=VALUE")]
    NoPair,
    /// There are too many.
    #[error("{count} tags are too many: a stack has at most {MOST}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// A key is invalid.
    #[error("the key of tag {key:?} {reason}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value is invalid.
    #[error("the value of tag {key:?} {reason}")]
    Value {
        /// The tag's key.
        key: String,
        /// What is wrong with its value.
        reason: String,
    },
}

/// Key and value of `KEY=VALUE`. The value may have `=` in it.
///
/// # Errors
/// There is no `=`.
pub fn pair(text: &str) -> Result<(String, String), TagError> {
    text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or(TagError::NoPair)
}

/// Checks that every service accepts the tags: letters, digits, spaces and `_ . : / = + - @`, and
/// no key reserved by AWS.
///
/// # Errors
/// See [`TagError`], for the first invalid tag.
pub fn check(tags: &BTreeMap<String, String>) -> Result<(), TagError> {
    for (key, value) in tags {
        let wrong_key = |reason: String| Err(TagError::Key { key: key.clone(), reason });
        if key.is_empty() {
            return wrong_key("is empty".to_owned());
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return wrong_key("begins with aws:, which only AWS's own do".to_owned());
        }
        if let Some(reason) = unfit(key, LONGEST_KEY) {
            return wrong_key(reason);
        }
        if let Some(reason) = unfit(value, LONGEST_VALUE) {
            return Err(TagError::Value { key: key.clone(), reason });
        }
    }
    if tags.len() > MOST { Err(TagError::TooMany { count: tags.len() }) } else { Ok(()) }
}

fn unfit(text: &str, longest: usize) -> Option<String> {
    let count = text.chars().count();
    if count > longest {
        return Some(format!("has {count} characters, and at most {longest} are possible"));
    }
    let fits = |character: &char| character.is_alphanumeric() || " _.:/=+-@".contains(*character);
    let other = text.chars().find(|character| !fits(character))?;
    Some(format!("has {other:?} in it: letters, digits, spaces and _ . : / = + - @ are possible"))
}

/// How a stack's tags change: new and changed ones with their value, removed ones without. If none
/// are given, a stack keeps its own.
pub fn changes(old: &BTreeMap<String, String>, given: &BTreeMap<String, String>) -> BTreeMap<String, Option<String>> {
    if given.is_empty() {
        return BTreeMap::new();
    }
    let set = given.iter().filter(|(key, value)| old.get(*key) != Some(value));
    let mut changes: BTreeMap<_, _> = set.map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
    changes.extend(old.keys().filter(|key| !given.contains_key(*key)).map(|key| (key.clone(), None)));
    changes
}

/// The changes in words, one line each.
pub fn in_words(changes: &BTreeMap<String, Option<String>>) -> impl Iterator<Item = String> {
    changes.iter().map(|(key, value)| match value {
        Some(value) => format!("tag {key}: {value}"),
        None => format!("tag {key} goes"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn invalid_tags_are_refused() {
        let (key, value) = ("k".repeat(128), "v".repeat(256));
        assert_eq!(check(&tags(&[(&key, &value), ("Größe: a/b=c+d-e_f@g.h", "")])), Ok(()));
        for (key, value, words) in [
            ("", "x", "is empty"),
            ("aws:team", "x", "begins with aws:"),
            ("AWS:team", "x", "begins with aws:"),
            (&format!("{key}k"), "x", "129 characters"),
            ("team", &format!("{value}v"), "257 characters"),
            ("te;am", "x", "';'"),
            ("team", "a\nb", "'\\n'"),
        ] {
            let error = check(&tags(&[(key, value)])).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let many = |count: usize| (0..count).map(|number| (number.to_string(), String::new())).collect();
        assert_eq!((check(&many(50)), check(&many(51))), (Ok(()), Err(TagError::TooMany { count: 51 })));
    }

    #[test]
    fn tag_value_may_contain_equals_sign() {
        assert_eq!(pair("a=b=c").unwrap(), ("a".to_owned(), "b=c".to_owned()));
        assert_eq!(pair("a"), Err(TagError::NoPair));
    }

    #[test]
    fn tags_that_nobody_gives_stay() {
        let old = tags(&[("team", "platform"), ("cost", "1")]);
        assert_eq!(changes(&old, &tags(&[])), BTreeMap::new());
        let told: Vec<_> = in_words(&changes(&old, &tags(&[("team", "delivery"), ("new", "x")]))).collect();
        assert_eq!(told, ["tag cost goes", "tag new: x", "tag team: delivery"]);
    }
}
