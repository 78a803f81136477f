//! Where a host is reached, and as whom: the `AllowedGitHosts` parameter. A payload chooses among its
//! entries and can't add to them.

use std::str::FromStr;

use crate::repository::{Host, HostError};

/// A host that may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    /// The SSH user, `git` unless the entry says otherwise.
    pub user: String,
    /// The host's name.
    pub host: Host,
    /// The SSH port, 22 unless the entry says otherwise.
    pub port: u16,
}

/// Why a text is not a list of [`AllowedHosts`].
#[derive(Debug, thiserror::Error)]
pub enum AllowedHostsError {
    /// The host part of an entry.
    #[error("AllowedGitHosts has the entry {entry:?}, expected `[user@]host[:port]`")]
    Host {
        /// The entry.
        entry: String,
        /// What is wrong with it.
        source: HostError,
    },
    /// The port of an entry isn't a number from 1 to 65535.
    #[error("AllowedGitHosts has the entry {entry:?}, whose port is not a number from 1 to 65535")]
    Port {
        /// The entry.
        entry: String,
    },
    /// The user of an entry is empty or has characters that no login name has.
    #[error("AllowedGitHosts has the entry {entry:?}, whose user is not a login name")]
    User {
        /// The entry.
        entry: String,
    },
}

impl FromStr for AllowedHost {
    type Err = AllowedHostsError;

    fn from_str(entry: &str) -> Result<Self, Self::Err> {
        let (user, address) = entry.rsplit_once('@').unwrap_or(("git", entry));
        let login = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if user.is_empty() || user.starts_with('-') || !user.bytes().all(login) {
            return Err(AllowedHostsError::User { entry: entry.to_owned() });
        }
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)),
            None => (address, Some(22)),
        };
        Ok(Self {
            user: user.to_owned(),
            host: host
                .to_ascii_lowercase()
                .try_into()
                .map_err(|source| AllowedHostsError::Host { entry: entry.to_owned(), source })?,
            port: port.ok_or_else(|| AllowedHostsError::Port { entry: entry.to_owned() })?,
        })
    }
}

/// The hosts that may be fetched from: entries `[user@]host[:port]`, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedHosts(Vec<AllowedHost>);

impl FromStr for AllowedHosts {
    type Err = AllowedHostsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl AllowedHosts {
    /// The entry of a host, compared without regard to case.
    pub fn find(&self, host: &str) -> Option<&AllowedHost> {
        self.0.iter().find(|allowed| allowed.host.as_str().eq_ignore_ascii_case(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_supplies_user_and_port() {
        let hosts: AllowedHosts = "github.com, alice@Git.Example.com:7999".parse().unwrap();
        let github = hosts.find("GitHub.com").unwrap();
        assert_eq!((github.user.as_str(), github.port), ("git", 22));
        let own = hosts.find("git.example.com").unwrap();
        assert_eq!((own.user.as_str(), own.port), ("alice", 7999));
        assert!(hosts.find("evil.example").is_none());
        assert!(hosts.find("sub.github.com").is_none());
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        assert_eq!("".parse::<AllowedHosts>().unwrap(), AllowedHosts::default());
        assert!(AllowedHosts::default().find("").is_none());
    }

    #[test]
    fn bad_entries_are_named() {
        for (entry, message) in [
            ("-oX@github.com", "AllowedGitHosts has the entry \"-oX@github.com\", whose user is not a login name"),
            (
                "github.com:0",
                "AllowedGitHosts has the entry \"github.com:0\", whose port is not a number from 1 to 65535",
            ),
            ("*", "AllowedGitHosts has the entry \"*\", expected `[user@]host[:port]`"),
        ] {
            assert_eq!(entry.parse::<AllowedHosts>().unwrap_err().to_string(), message);
        }
    }
}
