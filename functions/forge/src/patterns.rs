//! Which repositories and references an endpoint is for: the `Repositories` and `Refs` parameters, and what a secret that
//! isn't good for all repositories is good for.

use std::str::FromStr;

use contract::{RefName, Repository};
use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// Why a text isn't a list of globs.
#[derive(Debug, thiserror::Error)]
pub enum PatternsError {
    /// An entry is not a glob.
    #[error("{parameter} has the entry {entry:?}, expected a glob")]
    Glob {
        /// The parameter.
        parameter: &'static str,
        /// The entry.
        entry: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// All of them together are too large for one automaton.
    #[error("{parameter} is too large")]
    Set {
        /// The parameter.
        parameter: &'static str,
        /// What is too large.
        source: globset::Error,
    },
}

/// Globs separated by commas, in which `*` stays within one part and `**` doesn't. One that begins with `!` excludes.
#[derive(Debug, Clone, Default)]
struct Patterns {
    included: GlobSet,
    excluded: GlobSet,
}

impl Patterns {
    fn parse(parameter: &'static str, list: &str) -> Result<Self, PatternsError> {
        let (mut included, mut excluded) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for entry in entries(list) {
            let (set, pattern) =
                entry.strip_prefix('!').map_or((&mut included, entry), |pattern| (&mut excluded, pattern));
            let glob = glob(pattern);
            set.add(glob.map_err(|source| PatternsError::Glob { parameter, entry: entry.to_owned(), source })?);
        }
        let build = |set: GlobSetBuilder| set.build().map_err(|source| PatternsError::Set { parameter, source });
        Ok(Self { included: build(included)?, excluded: build(excluded)? })
    }
}

fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}

/// The entries of a list, none of them empty.
pub(crate) fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// The repositories that may be fetched, as globs of `host/owner/name`. None at all: any repository on an allowed host that
/// isn't excluded, for senders who know a secret.
#[derive(Debug, Clone, Default)]
pub struct Repositories(Patterns);

impl FromStr for Repositories {
    type Err = PatternsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        Patterns::parse("Repositories", list).map(Self)
    }
}

impl Repositories {
    /// Whether the list includes no repository.
    pub fn is_empty(&self) -> bool {
        self.0.included.is_empty()
    }

    /// Whether one of the globs includes the repository.
    pub fn includes(&self, repository: &Repository) -> bool {
        self.0.included.is_match(repository.to_string())
    }

    /// Whether one of the globs excludes the repository.
    pub fn excludes(&self, repository: &Repository) -> bool {
        self.0.excluded.is_match(repository.to_string())
    }
}

/// The references that are fetched, as globs of short names (`main`, `release/*`) or full ones (`refs/tags/v*`). None at
/// all: all that aren't excluded.
#[derive(Debug, Clone, Default)]
pub struct Refs(Patterns);

impl FromStr for Refs {
    type Err = PatternsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        Patterns::parse("Refs", list).map(Self)
    }
}

impl Refs {
    /// Whether the reference is one to fetch.
    pub fn include(&self, reference: &RefName) -> bool {
        let short = reference.branch().or_else(|| reference.tag()).unwrap_or_default();
        let matches = |set: &GlobSet| set.is_match(reference.as_str()) || set.is_match(short);
        (self.0.included.is_empty() || matches(&self.0.included)) && !matches(&self.0.excluded)
    }
}

/// What the secrets that fit one signature are good for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    everything: bool,
    repositories: Vec<String>,
}

impl Scope {
    /// Adds what one more secret is good for: all repositories, or those of a glob.
    pub(crate) fn add(&mut self, repositories: Option<&str>) {
        match repositories {
            Some(glob) => self.repositories.push(glob.to_owned()),
            None => self.everything = true,
        }
    }

    /// Whether one of the secrets is good for the repository. One with a malformed glob is good for none.
    pub(crate) fn covers(&self, repository: &Repository) -> bool {
        let repository = repository.to_string();
        let covers = |pattern: &String| glob(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(&repository));
        self.everything || self.repositories.iter().any(covers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(name: &str) -> Repository {
        let (host, path) = name.split_once('/').unwrap();
        Repository::new(host.parse().unwrap(), path.parse().unwrap())
    }

    #[test]
    fn a_star_stays_within_one_part() {
        let check = |globs: &str, name: &str, expected: bool| {
            let included = globs.parse::<Repositories>().unwrap().includes(&repository(name));
            assert_eq!(included, expected, "{globs} {name}");
        };
        check("github.com/octo/*", "github.com/octo/hello", true);
        check("github.com/octo/*", "github.com/octo/sub/hello", false);
        check("github.com/octo/**", "github.com/octo/sub/hello", true);
        check("github.com/octo/*", "github.com/octopus/hello", false);
        check("github.com/octo/*", "github.com.evil.example/octo/hello", false);
        check("*/octo/hello", "git.example/octo/hello", true);
        check("gitlab.com/x/y, github.com/octo/hel?o", "github.com/octo/hello", true);
        check("", "github.com/octo/hello", false);
        check("!github.com/octo/*", "github.com/octo/hello", false);
    }

    #[test]
    fn an_exclusion_includes_nothing() {
        let only_exclusion: Repositories = "!github.com/octo/secret".parse().unwrap();
        assert!(only_exclusion.is_empty());
        assert!(only_exclusion.excludes(&repository("github.com/octo/secret")));
        assert!(!only_exclusion.excludes(&repository("github.com/octo/hello")));
    }

    #[test]
    fn references_are_meant_by_short_or_full_name() {
        let check = |globs: &str, reference: &str, expected: bool| {
            let included = globs.parse::<Refs>().unwrap().include(&reference.parse().unwrap());
            assert_eq!(included, expected, "{globs} {reference}");
        };
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
    fn a_bad_glob_is_named() {
        let error = "github.com/[".parse::<Repositories>().unwrap_err();
        assert_eq!(error.to_string(), "Repositories has the entry \"github.com/[\", expected a glob");
        assert_eq!("![".parse::<Refs>().unwrap_err().to_string(), "Refs has the entry \"![\", expected a glob");
    }

    #[test]
    fn a_scope_covers_what_any_of_its_secrets_is_for() {
        let covers = |globs: &[Option<&str>], name: &str| {
            let mut scope = Scope::default();
            for glob in globs {
                scope.add(*glob);
            }
            scope.covers(&repository(name))
        };
        assert!(!covers(&[], "github.com/octo/hello"));
        assert!(covers(&[None], "github.com/octo/hello"));
        assert!(covers(&[Some("github.com/x/*"), Some("github.com/octo/*")], "github.com/octo/hello"));
        assert!(!covers(&[Some("github.com/x/*")], "github.com/octo/hello"));
        assert!(!covers(&[Some("[")], "github.com/octo/hello"));
    }
}
