//! The `Refs` parameter: which branches and tags are fetched.

use std::str::FromStr;

use crate::{Patterns, PatternsError, RefName};

/// Globs of references. A glob that starts with `refs/` matches full names (`refs/tags/v*`), any
/// other matches short names (`main`, `release/*`), so that a tag named `refs/heads/main` isn't
/// mistaken for a branch. If empty, all references are included.
#[derive(Debug, Clone, Default)]
pub struct Refs {
    full: Patterns,
    short: Patterns,
}

impl FromStr for Refs {
    type Err = PatternsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let is_full = |entry: &&str| entry.trim_start_matches('!').trim_start().starts_with("refs/");
        let (full, short): (Vec<&str>, Vec<&str>) = crate::patterns::entries(list).partition(is_full);
        let parse = |entries: Vec<&str>| Patterns::parse("Refs", &entries.join(","));
        Ok(Self { full: parse(full)?, short: parse(short)? })
    }
}

impl Refs {
    /// Whether the reference is to be fetched.
    pub fn include(&self, reference: &RefName) -> bool {
        let Self { full, short } = self;
        let (full_name, short_name) = (reference.as_str(), reference.short());
        let all = full.includes_nothing() && short.includes_nothing();
        let included = all || full.includes(full_name) || short.includes(short_name);
        included && !full.excludes(full_name) && !short.excludes(short_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(globs: &str, reference: &str, expected: bool) {
        let included = globs.parse::<Refs>().unwrap().include(&reference.parse().unwrap());
        assert_eq!(included, expected, "{globs} {reference}");
    }

    #[test]
    fn short_and_full_names_match_references() {
        check("", "refs/heads/anything", true);
        check("main, release/*", "refs/heads/main", true);
        check("main, release/*", "refs/heads/release/1", true);
        check("main, release/*", "refs/heads/release/1/x", false);
        check("main, release/*", "refs/heads/feature", false);
        check("main", "refs/tags/main", true);
        check("refs/heads/main", "refs/tags/main", false);
        check("refs/tags/v*", "refs/tags/v1.0", true);
        check("refs/tags/v*", "refs/heads/v1.0", false);
        check("!wip/**", "refs/heads/wip/a/b", false);
        check("!wip/**", "refs/heads/main", true);
        check("**, !refs/tags/**", "refs/tags/v1", false);
        check("**, !refs/tags/**", "refs/heads/a/b", true);
    }

    #[test]
    fn full_pattern_never_matches_short_name() {
        check("refs/heads/main", "refs/heads/main", true);
        check("refs/heads/main", "refs/tags/refs/heads/main", false);
        check("refs/heads/main", "refs/heads/refs/heads/main", false);
        check("refs/heads/**", "refs/tags/refs/heads/x", false);
        check("**, !refs/heads/main", "refs/tags/refs/heads/main", true);
        check("**, ! refs/heads/main", "refs/heads/main", false);
        check("refs/tags/refs/heads/main", "refs/tags/refs/heads/main", true);
    }
}
