//! Which names may become entries of a zip. The tree is untrusted: a pusher can write any bytes
//! into it.
//!
//! | name in the tree | outcome |
//! |---|---|
//! | empty, `.`, `..`, with a `/` in it | refused: it would be absolute or lead out of the folder |
//! | `.git` in any spelling that a file system takes for it | refused, as a checkout does |
//! | a backslash inside (`unit\x2dname`) | kept, as `git archive` does: on Unix it is a character like others |
//! | a backslash that Windows would follow out of the folder (`\x`, `a\..\x`, `a\.git`) | refused |
//! | `C:` at the start, or a name that only Windows has another use for (`NUL`, `a?`) | kept: who unpacks there refuses |
//! | a zero byte | impossible: it ends the name in a tree |
//! | UTF-8 that isn't ASCII | kept, and marked as UTF-8 |
//! | no UTF-8 | kept byte for byte and not marked, as `git archive` does |
//! | a path of more than 65,534 bytes, or 2,048 folders deep | refused: a zip can't hold it, and Git stops there too |

use bstr::{BStr, BString, ByteSlice};
use gix_validate::path::component::Options;

/// One byte less than a zip holds: a folder's name gets a slash at its end.
const LONGEST: usize = u16::MAX as usize - 1;

/// Trees inside of trees: Git itself stops there (`core.maxTreeDepth`).
const DEEPEST: usize = 2048;

/// A path that no zip may have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no zip may have the path {0:?}")]
pub struct IllegalPath(pub BString);

/// The path of the entry `name` in the folder `parent`, which is empty for the tree's root.
pub fn join(parent: &BStr, name: &BStr) -> Result<BString, IllegalPath> {
    let mut path = parent.to_owned();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    // Names that only Windows can't have are for who unpacks there to refuse.
    let options = Options { protect_windows: false, ..Options::default() };
    let legal = name.split_str("\\").all(|part| gix_validate::path::component(part.as_bstr(), None, options).is_ok());
    if legal && !name.contains(&b'/') && path.len() <= LONGEST && path.find_iter("/").count() < DEEPEST {
        Ok(path)
    } else {
        Err(IllegalPath(path))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unsafe_names_are_refused_others_kept() {
        for refused in [
            "",
            ".",
            "..",
            "/",
            "/etc",
            "a/b",
            "../x",
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            ".git ",
            ".git.",
            ".git::$INDEX_ALLOCATION",
            ".g\u{200c}it",
            "\\x",
            "a\\..\\x",
            "..\\x",
            "a\\.git",
            "x\\",
            "a\\\\b",
        ] {
            assert!(matches!(join("".into(), refused.into()), Err(IllegalPath(_))), "{refused:?}");
        }
        for kept in
            ["a", "...", ".gitignore", ".github", "unit\\x2dname", "C:", "NUL", "a?", "grüße", " ", "a b", "'\""]
        {
            assert_eq!(join("f".into(), kept.into()).unwrap(), format!("f/{kept}"), "{kept:?}");
        }
        assert_eq!(join("".into(), b"\xff\xfe".as_bstr()).unwrap(), b"\xff\xfe".as_bstr());
    }

    #[test]
    fn path_length_and_depth_are_limited() {
        let longest = "x".repeat(LONGEST - 2);
        assert!(join("f".into(), longest.as_str().into()).is_ok());
        assert!(join("ff".into(), longest.as_str().into()).is_err());
        let deep = "d/".repeat(DEEPEST - 2) + "d";
        assert!(join(deep.as_str().into(), "x".into()).is_ok());
        assert!(join(format!("{deep}/d").as_str().into(), "x".into()).is_err());
    }

    proptest! {
        /// Read by Unix or by Windows: no part is one that leads elsewhere.
        #[test]
        fn no_path_escapes(name in prop::collection::vec(prop::sample::select(b"./\\agit~1 ".to_vec()), 0..10)) {
            if let Ok(path) = join("f".into(), name.as_bstr()) {
                for part in path.split_str("/").flat_map(|part| part.split_str("\\")) {
                    prop_assert!(!part.is_empty() && part != b"." && part != b".." && !part.eq_ignore_ascii_case(b".git"));
                }
            }
        }
    }
}
