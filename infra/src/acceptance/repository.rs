//! Parses the repositories for pushes, as given on the command line.

use std::str::FromStr;

use contract::Repository;

use super::webhook::is_branch;

/// A branch of a repository, with the host's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The repository.
    pub repository: Repository,
    /// The branch.
    pub name: String,
    /// The host's entry in `AllowedGitHosts`.
    pub entry: String,
}

/// A text that doesn't name a branch of a repository.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no repository, expected for example {1}")]
pub struct BranchError(String, &'static str);

/// A repository whose archives anybody may download: `host/owner/name#branch`, or its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public(pub Branch);

/// A repository that is fetched over SSH: `user@host:owner/name.git#branch`, or
/// `ssh://user@host:port/owner/name.git#branch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Private(pub Branch);

impl FromStr for Public {
    type Err = BranchError;

    fn from_str(text: &str) -> Result<Self, BranchError> {
        let wrong = || BranchError(text.to_owned(), "github.com/octocat/Hello-World#master");
        let (address, name) = branch(text).ok_or_else(wrong)?;
        let address = address.strip_prefix("https://").unwrap_or(address);
        let address = address.strip_suffix(".git").unwrap_or(address);
        let repository: Repository = address.parse().map_err(|_| wrong())?;
        let entry = repository.host.as_str().to_owned();
        Ok(Self(Branch { repository, name, entry }))
    }
}

impl FromStr for Private {
    type Err = BranchError;

    fn from_str(text: &str) -> Result<Self, BranchError> {
        let wrong = || BranchError(text.to_owned(), "git@github.com:acme/rocket.git#main");
        let (address, name) = branch(text).ok_or_else(wrong)?;
        let (entry, path) = match address.strip_prefix("ssh://") {
            Some(rest) => rest.split_once('/'),
            None => address.split_once(':').filter(|(_, path)| !path.starts_with("//")),
        }
        .ok_or_else(wrong)?;
        let host = entry.rsplit_once('@').map_or(entry, |(_, host)| host);
        let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let path = path.trim_start_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let repository = format!("{host}/{path}").parse().map_err(|_| wrong())?;
        Ok(Self(Branch { repository, name, entry: entry.to_owned() }))
    }
}

/// Splits off the branch; the default is `main`.
fn branch(text: &str) -> Option<(&str, String)> {
    let (address, name) = text.split_once('#').unwrap_or((text, "main"));
    is_branch(name).then(|| (address, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_repository_parses_web_addresses() {
        for text in ["github.com/acme/rocket", "https://github.com/acme/rocket.git#main"] {
            let Public(found) = text.parse().unwrap();
            assert_eq!(
                (found.repository.to_string().as_str(), &*found.name),
                ("github.com/acme/rocket", "main"),
                "{text}"
            );
            assert_eq!(found.entry, "github.com");
        }
        let Public(found) = "gitlab.com/a/b/c#release/1".parse().unwrap();
        assert_eq!((found.repository.to_string().as_str(), &*found.name), ("gitlab.com/a/b/c", "release/1"));
    }

    #[test]
    fn private_repository_parses_git_addresses() {
        for (text, repository, entry) in [
            ("git@github.com:acme/rocket.git", "github.com/acme/rocket", "git@github.com"),
            ("ssh://me@10.0.0.1:2222/acme/rocket.git#main", "10.0.0.1/acme/rocket", "me@10.0.0.1:2222"),
            ("Git.Example.com:/a/b", "git.example.com/a/b", "Git.Example.com"),
        ] {
            let Private(found) = text.parse().unwrap();
            assert_eq!((found.repository.to_string().as_str(), &*found.entry), (repository, entry), "{text}");
        }
    }

    #[test]
    fn invalid_repository_address_is_refused() {
        for text in ["", "github.com", "github.com/", "github.com/a/b#", "github.com/a/b#a..b", "http://a/b"] {
            assert!(text.parse::<Public>().is_err(), "{text}");
        }
        for text in ["", "github.com/a/b", "https://github.com/a/b", "git@github.com:", "ssh://host"] {
            assert!(text.parse::<Private>().is_err(), "{text}");
        }
    }
}
