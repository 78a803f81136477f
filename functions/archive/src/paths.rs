//! Which files of a tree go into the zip: the `Paths` parameter.

use std::str::FromStr;

use contract::{Patterns, PatternsError};
use gix::bstr::{BStr, ByteSlice};

/// Globs of files and folders, as in `src/**/*.rs, docs, !docs/internal`: a folder stands for all that is in it. None at all:
/// everything that isn't excluded.
#[derive(Debug, Clone, Default)]
pub struct Paths(Patterns);

impl FromStr for Paths {
    type Err = PatternsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        Patterns::parse("Paths", list).map(Self)
    }
}

impl Paths {
    /// Whether a file is wanted: it or a folder that it is in is included, and none of them excluded.
    pub(crate) fn include(&self, path: &BStr) -> bool {
        let path = path.to_str_lossy();
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        let (mut included, mut excluded) = (self.0.includes_nothing(), false);
        for above in ends.filter_map(|end| path.get(..end)) {
            included |= self.0.includes(above);
            excluded |= self.0.excludes(above);
        }
        included && !excluded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_what_is_in_it() {
        let check = |globs: &str, path: &str, expected: bool| {
            assert_eq!(globs.parse::<Paths>().unwrap().include(path.into()), expected, "{globs} {path}");
        };
        check("", "a/b", true);
        check("src", "src/a/b.rs", true);
        check("src/", "src/a", false);
        check("src", "source/a", false);
        check("src/**/*.rs", "src/a/b.rs", true);
        check("src/*.rs", "src/a/b.rs", false);
        check("*.md", "README.md", true);
        check("*.md", "docs/x.md", false);
        check("**/*.md", "README.md", true);
        check("src, docs, !docs/internal", "docs/internal/x", false);
        check("src, docs, !docs/internal", "docs/x", true);
        check("!target", "target/debug/x", false);
        check("!target", "src/x", true);
    }
}
