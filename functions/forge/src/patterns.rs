//! Which repositories and references an endpoint is for: the `Repositories` and `Refs` parameters, and what a secret that
//! isn't good for all repositories is good for.

use std::str::FromStr;

use contract::{Patterns, PatternsError, RefName, Repository};

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
        self.0.includes_nothing()
    }

    /// Whether one of the globs includes the repository.
    pub fn includes(&self, repository: &Repository) -> bool {
        self.0.includes(&repository.to_string())
    }

    /// Whether one of the globs excludes the repository.
    pub fn excludes(&self, repository: &Repository) -> bool {
        self.0.excludes(&repository.to_string())
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
        let names = [reference.as_str(), short];
        let included = self.0.includes_nothing() || names.iter().any(|name| self.0.includes(name));
        included && !names.iter().any(|name| self.0.excludes(name))
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
        let covers =
            |glob: &String| Patterns::parse("ApiSecret", glob).is_ok_and(|patterns| patterns.includes(&repository));
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
    fn an_exclusion_includes_nothing() {
        let only_exclusion: Repositories = "!github.com/octo/secret".parse().unwrap();
        assert!(only_exclusion.is_empty());
        assert!(only_exclusion.excludes(&repository("github.com/octo/secret")));
        assert!(!only_exclusion.excludes(&repository("github.com/octo/hello")));
        let some: Repositories = "github.com/octo/*".parse().unwrap();
        assert!(!some.is_empty() && some.includes(&repository("github.com/octo/hello")));
        assert!(!some.includes(&repository("github.com.evil.example/octo/hello")));
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
