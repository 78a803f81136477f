//! Names of repositories. A payload may choose the host and the path, and both are checked here.
//! How the host is reached is determined only by the configuration ([`crate::AllowedHost`]).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::text::checked_text;

/// A Git host's name in lower case, without a port: a DNS name or an IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// Why a text is not a [`HostName`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a host name in lower case, without a port")]
pub struct HostError(String);

checked_text!(HostName, HostError, check_host);

fn check_host(host: &str) -> Result<(), HostError> {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if host.len() <= 253 && host.split('.').all(label) { Ok(()) } else { Err(HostError(host.to_owned())) }
}

/// A repository's path on its host, such as `owner/name` or `group/subgroup/name`, without a
/// leading slash and without `.git`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryPath(String);

/// Why a text is not a [`RepositoryPath`].
#[derive(Debug, thiserror::Error)]
pub enum RepositoryPathError {
    /// A part between slashes is empty, `.`, `..` or `~`, which is somebody's home folder.
    #[error("{0:?} is not a repository's path: a part is empty, `.`, `..` or `~`")]
    Part(String),
    /// It starts with a dash: a program on the host would parse it as an option.
    #[error("{0:?} is not a repository's path: it begins with `-`")]
    Dash(String),
    /// A character that no provider allows in a repository's path.
    #[error("{path:?} is not a repository's path: it has the character {character:?}")]
    Character {
        /// The text.
        path: String,
        /// The first such character.
        character: char,
    },
    /// It ends in `.git`, which is part of a URL and not of the name.
    #[error("{0:?} is not a repository's path: it ends in `.git`")]
    Suffix(String),
    /// It is too long for an S3 key, which contains it twice.
    #[error("the repository's path has {0} bytes, at most {max} are supported", max = RepositoryPath::MAX_BYTES)]
    TooLong(usize),
}

checked_text!(RepositoryPath, RepositoryPathError, check_path);

fn check_path(path: &str) -> Result<(), RepositoryPathError> {
    if path.len() > RepositoryPath::MAX_BYTES {
        return Err(RepositoryPathError::TooLong(path.len()));
    }
    let unsupported = |c: &char| c.is_control() || "\\\"`*?[]{}<>|:".contains(*c);
    if let Some(character) = path.chars().find(unsupported) {
        return Err(RepositoryPathError::Character { path: path.to_owned(), character });
    }
    if path.split('/').any(|part| matches!(part, "" | "." | ".." | "~")) {
        return Err(RepositoryPathError::Part(path.to_owned()));
    }
    if path.starts_with('-') {
        return Err(RepositoryPathError::Dash(path.to_owned()));
    }
    if path.to_ascii_lowercase().ends_with(".git") {
        return Err(RepositoryPathError::Suffix(path.to_owned()));
    }
    Ok(())
}

impl RepositoryPath {
    /// The longest supported path: the artifact's key contains it twice, with the reference, in the
    /// 1,024 bytes of an S3 key.
    pub const MAX_BYTES: usize = 300;

    /// All but the last part: `group/subgroup` of `group/subgroup/name`.
    pub fn owner(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(owner, _)| owner)
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

/// A repository on a Git host. Its `Display` is `host/owner/name`, which the patterns of
/// `Repositories` match.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Repository {
    /// The host that serves it.
    pub host: HostName,
    /// Its path there.
    pub path: RepositoryPath,
}

impl Repository {
    /// The repository at `path` on `host`.
    pub fn new(host: HostName, path: RepositoryPath) -> Self {
        Self { host, path }
    }
}

/// Why a text is not a [`Repository`].
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// There is no slash between host and path.
    #[error("{0:?} is not host/owner/name")]
    NoPath(String),
    /// The host is invalid.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The path is invalid.
    #[error(transparent)]
    Path(#[from] RepositoryPathError),
}

impl FromStr for Repository {
    type Err = RepositoryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, path) = text.split_once('/').ok_or_else(|| RepositoryError::NoPath(text.to_owned()))?;
        Ok(Self::new(host.parse()?, path.parse()?))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_and_name() {
        let check = |path: &str, owner, name| {
            let path: RepositoryPath = path.parse().unwrap();
            assert_eq!((path.owner(), path.name()), (owner, name));
        };
        check("octo-org/hello", Some("octo-org"), "hello");
        check("group/sub/name", Some("group/sub"), "name");
        check("alone", None, "alone");
        check("~user/my repo", Some("~user"), "my repo");
        check("owner/.github", Some("owner"), ".github");
        check("owner/-", Some("owner"), "-");
        check("acme/Bob's Project/it's", Some("acme/Bob's Project"), "it's");
    }

    #[test]
    fn unsafe_repository_paths_are_refused() {
        for path in [
            "",
            "/",
            "/owner/name",
            "owner/",
            "owner//name",
            "../name",
            "owner/..",
            "owner/.",
            "~/name",
            "-x/name",
            "owner/name.git",
            "owner/`id`",
            "owner/name\"",
            "owner/na\nme",
            "owner/na\0me",
            "owner\\name",
        ] {
            assert!(path.parse::<RepositoryPath>().is_err(), "{path:?}");
        }
    }

    #[test]
    fn repository_survives_text_round_trip() {
        let repository: Repository = "gitlab.com/group/sub/name".parse().unwrap();
        assert_eq!((repository.host.as_str(), repository.path.as_str()), ("gitlab.com", "group/sub/name"));
        assert_eq!(repository.to_string(), "gitlab.com/group/sub/name");
        for text in ["gitlab.com", "", "GitLab.com/a", "gitlab.com/../a"] {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
    }

    #[test]
    fn host_is_bare_lowercase_name() {
        for host in ["github.com", "127.0.0.1", "git", "xn--bcher-kva.example"] {
            assert!(host.parse::<HostName>().is_ok(), "{host}");
        }
        for host in ["", "GitHub.com", "git@github.com", "github.com:22", "a..b", "-oProxyCommand=x", "a/b", "a b"] {
            assert!(host.parse::<HostName>().is_err(), "{host:?}");
        }
    }
}
