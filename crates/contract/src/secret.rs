//! Webhook secrets. There can be several, so that one can be rotated without losing a push. Each is
//! valid for all repositories or for some.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::Repositories;

/// The entries of the `ApiSecret` parameter, separated by commas: a secret, or `[globs]secret`,
/// which is valid only for the matching repositories (`host/owner/name`). Empty secrets are
/// dropped, so nothing can match them. An entry that starts with a bracket and can't be parsed is
/// no secret at all, and never a secret for all repositories.
#[derive(Debug, Clone, Default)]
pub struct ApiSecrets {
    secrets: Vec<ApiSecret>,
    refused: Vec<ApiSecretError>,
}

/// One of the secrets.
#[derive(Clone)]
pub struct ApiSecret {
    value: SecretString,
    /// The repositories it is valid for, if not all.
    pub repositories: Option<Repositories>,
}

/// An invalid entry. No message quotes it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiSecretError {
    /// A bracket isn't closed.
    #[error("entry {entry} of ApiSecret begins with [ and has no ] after its globs")]
    Open {
        /// The entry's number, from 1.
        entry: usize,
    },
    /// The end of an earlier entry that isn't closed: taken as a secret, it would be valid for all
    /// repositories.
    #[error("entry {entry} of ApiSecret looks like the end of globs that an earlier entry doesn't close")]
    Tail {
        /// The entry's number, from 1.
        entry: usize,
    },
    /// The brackets contain no valid globs.
    #[error("entry {entry} of ApiSecret has no globs of host/owner/name in its brackets")]
    Globs {
        /// The entry's number, from 1.
        entry: usize,
    },
    /// Nothing follows the brackets.
    #[error("entry {entry} of ApiSecret has no secret after its brackets")]
    Empty {
        /// The entry's number, from 1.
        entry: usize,
    },
}

impl ApiSecrets {
    /// Parses `list`. White space around entries is ignored.
    pub fn parse(list: &SecretString) -> Self {
        let mut read = Self::default();
        let mut rest = list.expose_secret();
        let mut after_open = false;
        for entry in 1.. {
            let (text, after, is_open) = first(rest);
            if !text.is_empty() {
                match secret(text, entry, is_open, after_open) {
                    Ok(secret) => read.secrets.push(secret),
                    Err(error) => read.refused.push(error),
                }
            }
            after_open |= is_open;
            let Some(after) = after else { break };
            rest = after;
        }
        read
    }

    /// The secrets, none of them empty.
    pub fn iter(&self) -> impl Iterator<Item = &ApiSecret> {
        self.secrets.iter()
    }

    /// The invalid entries. They grant nothing.
    pub fn refused(&self) -> &[ApiSecretError] {
        &self.refused
    }

    /// Whether there is no secret, so that nothing can match.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }
}

impl ApiSecret {
    /// The secret itself, never empty.
    pub fn value(&self) -> &[u8] {
        self.value.expose_secret().as_bytes()
    }
}

/// The first entry of a list, the rest after its comma, and whether it has an unclosed bracket.
/// Commas within brackets don't split.
fn first(list: &str) -> (&str, Option<&str>, bool) {
    let closed = if list.trim_start().starts_with('[') { closing(list) } else { Some(0) };
    let from = closed.unwrap_or_default();
    let comma = list.get(from..).and_then(|rest| rest.find(',')).map(|comma| from + comma);
    let (entry, after) = comma.map_or((list, None), |comma| (&list[..comma], list.get(comma + 1..)));
    (entry.trim(), after, closed.is_none())
}

/// The position of the bracket that closes the first one. Brackets inside belong to globs.
fn closing(list: &str) -> Option<usize> {
    let mut depth = 0_usize;
    list.char_indices().find_map(|(index, character)| {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        (character == ']' && depth == 0).then_some(index)
    })
}

fn secret(text: &str, entry: usize, is_open: bool, after_open: bool) -> Result<ApiSecret, ApiSecretError> {
    if is_open {
        return Err(ApiSecretError::Open { entry });
    }
    let Some((globs, value)) =
        closing(text).filter(|_| text.starts_with('[')).map(|end| (&text[1..end], &text[end + 1..]))
    else {
        if after_open && text.contains([']', '}']) {
            return Err(ApiSecretError::Tail { entry });
        }
        return Ok(ApiSecret { value: text.into(), repositories: None });
    };
    let globs = globs.trim();
    let repositories = Repositories::parse("ApiSecret", globs).ok().filter(|globs| !globs.is_empty());
    let repositories = repositories.ok_or(ApiSecretError::Globs { entry })?;
    if value.trim().is_empty() {
        return Err(ApiSecretError::Empty { entry });
    }
    Ok(ApiSecret { value: value.trim().into(), repositories: Some(repositories) })
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let globs = self.repositories.as_ref().map(Repositories::globs);
        f.debug_struct("ApiSecret").field("repositories", &globs).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(list: &str) -> ApiSecrets {
        ApiSecrets::parse(&list.into())
    }

    fn read(list: &str) -> Vec<(Option<String>, String)> {
        let told = |secret: &ApiSecret| {
            let globs = secret.repositories.as_ref().map(|scope| scope.globs().to_owned());
            (globs, String::from_utf8(secret.value().to_vec()).unwrap())
        };
        parse(list).iter().map(told).collect()
    }

    #[test]
    fn empty_secrets_are_none() {
        for list in ["", ",", " , ,", "\n", "[github.com/**]", "[]"] {
            assert!(parse(list).is_empty(), "{list:?}");
        }
        assert_eq!(read("old,, new "), [(None, "old".to_owned()), (None, "new".to_owned())]);
    }

    #[test]
    fn secret_may_name_its_repositories() {
        let check = |entry: &str, globs: Option<&str>, value: &str| {
            assert_eq!(read(entry), [(globs.map(str::to_owned), value.to_owned())], "{entry}");
            assert!(parse(entry).refused().is_empty(), "{entry}");
        };
        check("[github.com/octo/*]s3cret", Some("github.com/octo/*"), "s3cret");
        check("[github.com/[a-f]*/**]QUJD==", Some("github.com/[a-f]*/**"), "QUJD==");
        check("[github.com/{acme,beta}/*]s3cret", Some("github.com/{acme,beta}/*"), "s3cret");
        check(" [github.com/a/*, github.com/b/*] s3cret ", Some("github.com/a/*, github.com/b/*"), "s3cret");
        check("whsec_ab/cd==", None, "whsec_ab/cd==");
        check("a]b", None, "a]b");
        check("a[b", None, "a[b");
    }

    #[test]
    fn malformed_globs_never_become_general_secret() {
        let check = |list: &str, secrets: &[&str], refused: &[&str]| {
            assert_eq!(
                read(list),
                secrets.iter().map(|secret| (None, (*secret).to_owned())).collect::<Vec<_>>(),
                "{list}"
            );
            let told: Vec<_> = parse(list).refused().iter().map(ToString::to_string).collect();
            assert_eq!(told, refused, "{list}");
        };
        let open = "entry 1 of ApiSecret begins with [ and has no ] after its globs";
        check("[open", &[], &[open]);
        check("[open,good", &["good"], &[open]);
        let tail = "entry 2 of ApiSecret looks like the end of globs that an earlier entry doesn't close";
        check("[github.com/{acme,beta}/*s3cret, good", &["good"], &[open, tail]);
        check("[[]s3cret", &[], &[open]);
        let globs = "entry 2 of ApiSecret has no globs of host/owner/name in its brackets";
        check("good,[]s3cret", &["good"], &[globs]);
        check("good,[!github.com/a/*]s3cret,better", &["good", "better"], &[globs]);
        check("good,[github.com/{a]s3cret", &["good"], &[globs]);
        check("[github.com/**]", &[], &["entry 1 of ApiSecret has no secret after its brackets"]);
    }

    #[test]
    fn debug_tells_no_secret() {
        let text = format!("{:?}", parse("hunter2,[github.com/a/*]hunter3,[hunter4"));
        assert!(text.contains("github.com/a/*") && !text.contains("hunter"), "{text}");
    }

    proptest! {
        #[test]
        fn nothing_in_brackets_is_for_everything(list in "[\\[\\]{},!*a/ ]{0,24}") {
            for entry in list.split(',').map(str::trim).filter(|entry| entry.starts_with('[')) {
                prop_assert!(parse(&list).iter().all(|one| one.repositories.is_some() || one.value() != entry.as_bytes()));
            }
        }
    }
}
