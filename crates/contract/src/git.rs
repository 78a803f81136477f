//! Git reference names and object IDs. A reference from a payload becomes part of the S3 key and of
//! the Git protocol, so Git's own rules are checked first.

use serde::{Deserialize, Serialize};

use crate::text::checked_text;

/// The full name of a branch or a tag, such as `refs/heads/main`, valid by `git check-ref-format`.
///
/// The rules exclude `..`, a leading dot and control characters, so a name is safe in an S3 key.
/// They don't exclude shell characters: `refs/heads/$(x)` is valid. No shell is involved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefName(String);

/// Why a text is not a [`RefName`].
#[derive(Debug, thiserror::Error)]
pub enum RefNameError {
    /// It violates a rule of `git check-ref-format`.
    #[error("{name:?} is not a valid reference name ({rule})")]
    Illegal {
        /// The text.
        name: String,
        /// The violated rule, in Git's words.
        rule: String,
    },
    /// It is valid, but neither a branch nor a tag.
    #[error("{0:?} is neither a branch (refs/heads/…) nor a tag (refs/tags/…)")]
    NeitherBranchNorTag(String),
    /// It is too long for an S3 key with the repository name.
    #[error("the reference name has {0} bytes, at most {max} are supported", max = RefName::MAX_BYTES)]
    TooLong(usize),
}

checked_text!(RefName, RefNameError, check_ref_name);

fn check_ref_name(name: &str) -> Result<(), RefNameError> {
    if name.len() > RefName::MAX_BYTES {
        return Err(RefNameError::TooLong(name.len()));
    }
    gix_validate::reference::name(name.into())
        .map_err(|error| RefNameError::Illegal { name: name.to_owned(), rule: error.to_string() })?;
    if name.starts_with("refs/heads/") || name.starts_with("refs/tags/") {
        Ok(())
    } else {
        Err(RefNameError::NeitherBranchNorTag(name.to_owned()))
    }
}

impl RefName {
    /// The longest supported name: twice this and a repository's path fit into the 1,024 bytes of
    /// an [S3 key](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
    pub const MAX_BYTES: usize = 400;

    /// The short name of a branch.
    pub fn branch(&self) -> Option<&str> {
        self.0.strip_prefix("refs/heads/")
    }

    /// The short name of a tag.
    pub fn tag(&self) -> Option<&str> {
        self.0.strip_prefix("refs/tags/")
    }

    /// The short name, of a branch or a tag.
    pub fn short(&self) -> &str {
        self.branch().or_else(|| self.tag()).unwrap_or_default()
    }
}

/// The ID of a commit (or of an annotated tag of one) in lower-case hexadecimal: 40 digits for
/// SHA-1, 64 for SHA-256. Never the null ID, which means "no object".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

/// Why a text is not a [`CommitId`].
#[derive(Debug, thiserror::Error)]
pub enum CommitIdError {
    /// It isn't 40 or 64 lower-case hexadecimal digits.
    #[error("{0:?} is not an object ID of 40 or 64 lower-case hexadecimal digits")]
    Malformed(String),
    /// It is the null ID, which in webhooks means that the reference was deleted or didn't exist.
    #[error("the null object ID names no commit")]
    Null,
}

checked_text!(CommitId, CommitIdError, check_commit_id);

fn check_commit_id(id: &str) -> Result<(), CommitIdError> {
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !matches!(id.len(), 40 | 64) || !id.bytes().all(hexadecimal) {
        return Err(CommitIdError::Malformed(id.to_owned()));
    }
    if id.bytes().all(|byte| byte == b'0') {
        return Err(CommitIdError::Null);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn legal(name: &str) -> bool {
        name.parse::<RefName>().is_ok()
    }

    #[test]
    fn reference_is_branch_or_tag() {
        let branch: RefName = "refs/heads/release/1.0".parse().unwrap();
        assert_eq!((branch.branch(), branch.tag()), (Some("release/1.0"), None));
        let tag: RefName = "refs/tags/v1".parse().unwrap();
        assert_eq!((tag.branch(), tag.tag()), (None, Some("v1")));
        for neither in ["HEAD", "refs/notes/commits", "refs/pull/1/head", "main", ""] {
            assert!(!legal(neither), "{neither}");
        }
    }

    #[test]
    fn names_that_escape_are_refused() {
        for name in [
            "refs/heads/../../x",
            "refs/heads/..",
            "refs/heads/.hidden",
            "refs/heads/a b",
            "refs/heads/a\nb",
            "refs/heads/a\0b",
            "refs/heads/a//b",
            "refs/heads/a.lock",
            "refs/heads/",
            "refs/heads/a~1",
            "refs/heads/a\\b",
        ] {
            assert!(!legal(name), "{name:?}");
        }
        assert!(!legal(&format!("refs/heads/{}", "a".repeat(400))));
    }

    #[test]
    fn shell_characters_are_legal() {
        assert!(legal("refs/heads/;$(touch${IFS}x)`'\"|&{}%"));
        assert!(legal("refs/heads/-oProxyCommand=x"));
    }

    #[test]
    fn commit_id_is_lowercase_nonnull_hex() {
        let parse = |id: String| id.parse::<CommitId>();
        assert!(parse("a".repeat(40)).is_ok());
        assert!(parse("0f".repeat(32)).is_ok());
        assert!(matches!(parse("0".repeat(40)), Err(CommitIdError::Null)));
        for malformed in ["A".repeat(40), "a".repeat(39), "g".repeat(40), String::new()] {
            assert!(matches!(parse(malformed), Err(CommitIdError::Malformed(_))));
        }
    }

    proptest! {
        #[test]
        fn accepted_references_never_escape(name in "refs/heads/[a-z./~^: -]{0,24}") {
            if let Ok(name) = name.parse::<RefName>() {
                prop_assert!(name.as_str().split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
            }
        }
    }
}
