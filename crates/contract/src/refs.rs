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
    /// What the full names of included references begin with.
    prefixes: Vec<String>,
}

/// The folders of branches and tags.
const FOLDERS: [&str; 2] = ["refs/heads/", "refs/tags/"];

impl FromStr for Refs {
    type Err = PatternsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let is_full = |entry: &&str| entry.trim_start_matches('!').trim_start().starts_with("refs/");
        let (full, short): (Vec<&str>, Vec<&str>) = crate::patterns::entries(list).partition(is_full);
        let prefixes = prefixes(&full, &short);
        let parse = |entries: Vec<&str>| Patterns::parse("Refs", &entries.join(","));
        Ok(Self { full: parse(full)?, short: parse(short)?, prefixes })
    }
}

/// What each glob that includes begins with, up to its first special character; a shorter beginning
/// stands for the longer ones.
fn prefixes(full: &[&str], short: &[&str]) -> Vec<String> {
    let plain = |glob: &&str| glob.split(['*', '?', '[', '{', '\\']).next().unwrap_or_default().to_owned();
    let includes = |glob: &&&str| !glob.starts_with('!');
    let of_full = full.iter().filter(includes).map(plain);
    let of_short = short.iter().filter(includes).map(plain);
    let of_short = of_short.flat_map(|glob| FOLDERS.map(|folder| format!("{folder}{glob}")));
    let mut prefixes: Vec<_> = of_full.chain(of_short).collect();
    prefixes.sort();
    prefixes.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
    prefixes
}

impl Refs {
    /// What the full names of included references begin with, to ask a host for no others. Not all
    /// that begin with it are included.
    pub fn prefixes(&self) -> Vec<String> {
        let all = || FOLDERS.map(str::to_owned).to_vec();
        if self.prefixes.is_empty() { all() } else { self.prefixes.clone() }
    }

    /// Whether the reference is to be fetched.
    pub fn include(&self, reference: &RefName) -> bool {
        let Self { full, short, .. } = self;
        let (full_name, short_name) = (reference.as_str(), reference.short());
        let all = full.includes_nothing() && short.includes_nothing();
        let included = all || full.includes(full_name) || short.includes(short_name);
        included && !full.excludes(full_name) && !short.excludes(short_name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    #[test]
    fn prefixes_cover_included_references() {
        let check = |globs: &str, expected: &[&str]| {
            assert_eq!(globs.parse::<Refs>().unwrap().prefixes(), expected, "{globs}");
        };
        let all = ["refs/heads/", "refs/tags/"];
        check("", &all);
        check("!wip/**", &all);
        check("**,main", &all);
        check("main, release/*", &["refs/heads/main", "refs/heads/release/", "refs/tags/main", "refs/tags/release/"]);
        check("refs/tags/v[0-9]*", &["refs/tags/v"]);
        check("refs/tags/v*, refs/tags/v1, {a,b}", &["refs/heads/", "refs/tags/"]);
        check("refs/heads/a\\*b", &["refs/heads/a"]);
    }

    proptest! {
        #[test]
        fn included_references_have_their_prefix(
            globs in "(!?(refs/(heads|tags)/)?[ab*?/]{1,4},?){0,3}", name in "refs/(heads|tags)/[ab]{1,2}(/[ab]{1,2})?",
        ) {
            let (Ok(refs), Ok(name)) = (globs.parse::<Refs>(), name.parse::<RefName>()) else { return Ok(()) };
            if refs.include(&name) {
                prop_assert!(refs.prefixes().iter().any(|prefix| name.as_str().starts_with(prefix.as_str())));
            }
        }
    }
}
