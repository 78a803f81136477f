//! Which repositories: the `Repositories` parameter, and what a webhook secret that isn't for all
//! of them is for. The webhook function judges by it what a payload names, and the workers whatever
//! a repository leads on to.

use std::str::FromStr;

use crate::{AllowedHost, Patterns, PatternsError, Repository};

/// A list of globs of `host/owner/name`. None at all: any repository on an allowed host that isn't
/// excluded.
///
/// Host names have no case. Where a host tells `Acme/App` from `acme/app`, so do the globs that
/// include; where it doesn't, they don't. Globs that exclude never do: whatever a host takes a name
/// for, an excluded one stays out.
#[derive(Debug, Clone, Default)]
pub struct Repositories {
    globs: String,
    /// As they are written, but for the host.
    exact: Patterns,
    /// In lower case.
    folded: Patterns,
}

/// The repository isn't one to fetch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Repositories has no {0} in it, or excludes it")]
pub struct NotPermitted(pub Repository);

impl FromStr for Repositories {
    type Err = PatternsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        Self::parse("Repositories", list)
    }
}

impl Repositories {
    /// Reads what a parameter says.
    ///
    /// # Errors
    /// An entry isn't a glob, or they are too many.
    pub fn parse(parameter: &'static str, list: &str) -> Result<Self, PatternsError> {
        let exact = Patterns::parse(parameter, &with_folded_hosts(list))?;
        Ok(Self { globs: list.to_owned(), exact, folded: Patterns::parse(parameter, &list.to_lowercase())? })
    }

    /// The list as it was read.
    pub fn globs(&self) -> &str {
        &self.globs
    }

    /// Whether the list includes no repository.
    pub fn is_empty(&self) -> bool {
        self.exact.includes_nothing()
    }

    /// Whether one of the globs includes the repository, which lies on `host`.
    pub fn includes(&self, repository: &Repository, host: &AllowedHost) -> bool {
        let name = repository.to_string();
        if host.ignores_case() { self.folded.includes(&name.to_lowercase()) } else { self.exact.includes(&name) }
    }

    /// Whether one of the globs excludes the repository.
    pub fn excludes(&self, repository: &Repository) -> bool {
        self.folded.excludes(&repository.to_string().to_lowercase())
    }

    /// Whether the repository, which lies on `host`, may be fetched for somebody who knows a
    /// secret.
    ///
    /// # Errors
    /// It isn't included, though others are, or it is excluded.
    pub fn permit(&self, repository: &Repository, host: &AllowedHost) -> Result<(), NotPermitted> {
        let included = self.is_empty() || self.includes(repository, host);
        if included && !self.excludes(repository) { Ok(()) } else { Err(NotPermitted(repository.clone())) }
    }
}

/// The list with the host of each glob in lower case: what stands before its first slash.
fn with_folded_hosts(list: &str) -> String {
    let folded = crate::patterns::entries(list).map(|entry| match entry.split_once('/') {
        Some((host, path)) => format!("{}/{path}", host.to_lowercase()),
        None => entry.to_lowercase(),
    });
    folded.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(name: &str) -> Repository {
        name.parse().unwrap()
    }

    fn included(globs: &str, host: &str, name: &str) -> bool {
        globs.parse::<Repositories>().unwrap().includes(&repository(name), &host.parse().unwrap())
    }

    #[test]
    fn an_exclusion_includes_nothing() {
        let only_exclusion: Repositories = "!github.com/octo/secret".parse().unwrap();
        assert!(only_exclusion.is_empty());
        assert!(only_exclusion.excludes(&repository("github.com/octo/secret")));
        assert!(!only_exclusion.excludes(&repository("github.com/octo/hello")));
    }

    #[test]
    fn a_host_is_meant_whole() {
        assert!(included("github.com/octo/*", "github.com", "github.com/octo/hello"));
        assert!(!included("github.com/octo/*", "github.com.evil.example", "github.com.evil.example/octo/hello"));
    }

    #[test]
    fn repository_case_follows_its_host() {
        for host in ["github.com", "gitlab.com", "bitbucket.org", "git.example=gitea", "git.example=bitbucket-dc"] {
            let name = host.split('=').next().unwrap();
            for glob in ["Acme/App", "acme/app", "ACME/*"] {
                assert!(included(&format!("{name}/{glob}"), host, &format!("{name}/aCME/aPP")), "{host} {glob}");
            }
        }
        assert!(included("Git.Example/Acme/App", "git.example", "git.example/Acme/App"));
        assert!(!included("git.example/Acme/App", "git.example", "git.example/acme/app"));
        assert!(included("GitHub.com/a/b", "github.com", "github.com/a/b"));
        assert!(included("dev.azure.com/\u{dc}ber/*", "dev.azure.com", "dev.azure.com/\u{fc}BER/x"));
    }

    #[test]
    fn an_exclusion_knows_no_case() {
        for host in ["github.com", "git.example"] {
            let repositories: Repositories = format!("**, !{host}/Acme/Secret").parse().unwrap();
            let permit =
                |path: &str| repositories.permit(&repository(&format!("{host}/{path}")), &host.parse().unwrap());
            assert_eq!(permit("acme/other"), Ok(()));
            for path in ["Acme/Secret", "acme/secret", "ACME/SECRET"] {
                assert!(permit(path).is_err(), "{host} {path}");
            }
        }
    }

    #[test]
    fn only_included_repositories_are_permitted() {
        let permit = |globs: &str, name: &str| {
            let repository = repository(name);
            globs.parse::<Repositories>().unwrap().permit(&repository, &repository.host.as_str().parse().unwrap())
        };
        assert_eq!(permit("", "github.com/a/b"), Ok(()));
        assert_eq!(permit("github.com/a/*", "github.com/a/b"), Ok(()));
        assert_eq!(permit("github.com/{a,c}/*", "github.com/c/b"), Ok(()));
        let error = permit("github.com/a/*", "github.com/private/secret").unwrap_err();
        assert_eq!(error.to_string(), "Repositories has no github.com/private/secret in it, or excludes it");
    }
}
