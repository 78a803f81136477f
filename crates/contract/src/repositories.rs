//! Lists of repositories: the `Repositories` parameter, and the globs of a webhook secret. The
//! webhook function checks the payload's repository with them, the workers everything else that a
//! job fetches.

use std::str::FromStr;

use crate::{AllowedHost, Patterns, PatternsError, Repository};

/// Globs of `host/owner/name`. If empty, any repository on an allowed host is included, unless
/// excluded.
///
/// Host names are case-insensitive. Including globs are case-sensitive only if the host's
/// repository paths are. Excluding globs are always case-insensitive: an excluded repository stays
/// excluded, however its name is written.
#[derive(Debug, Clone, Default)]
pub struct Repositories {
    globs: String,
    /// As written, except for the host's case.
    exact: Patterns,
    /// In lower case.
    folded: Patterns,
}

/// The repository isn't permitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Repositories doesn't include {0}, or excludes it")]
pub struct NotPermitted(pub Repository);

impl FromStr for Repositories {
    type Err = PatternsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        Self::parse("Repositories", list)
    }
}

impl Repositories {
    /// Parses a parameter.
    ///
    /// # Errors
    /// An entry is not a valid glob, or there are too many.
    pub fn parse(parameter: &'static str, list: &str) -> Result<Self, PatternsError> {
        let exact = Patterns::parse(parameter, &with_folded_hosts(list))?;
        Ok(Self { globs: list.to_owned(), exact, folded: Patterns::parse(parameter, &list.to_lowercase())? })
    }

    /// The list as written.
    pub fn globs(&self) -> &str {
        &self.globs
    }

    /// Whether no glob includes anything.
    pub fn is_empty(&self) -> bool {
        self.exact.includes_nothing()
    }

    /// Whether a glob includes the repository, which is on `host`.
    pub fn includes(&self, repository: &Repository, host: &AllowedHost) -> bool {
        let name = repository.to_string();
        if host.ignores_case() { self.folded.includes(&name.to_lowercase()) } else { self.exact.includes(&name) }
    }

    /// Whether a glob excludes the repository.
    pub fn excludes(&self, repository: &Repository) -> bool {
        self.folded.excludes(&repository.to_string().to_lowercase())
    }

    /// Checks that a sender with a secret may request the repository, which is on `host`.
    ///
    /// # Errors
    /// Other repositories are included and this one isn't, or it is excluded.
    pub fn permit(&self, repository: &Repository, host: &AllowedHost) -> Result<(), NotPermitted> {
        let included = self.is_empty() || self.includes(repository, host);
        if included && !self.excludes(repository) { Ok(()) } else { Err(NotPermitted(repository.clone())) }
    }
}

/// The list with the host of each glob, the part before the first slash, in lower case.
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
        assert_eq!(error.to_string(), "Repositories doesn't include github.com/private/secret, or excludes it");
    }
}
