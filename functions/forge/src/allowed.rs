//! Who may send without a secret, and what may be fetched: the `AllowedIps` and `Repositories` parameters.

use std::{net::IpAddr, str::FromStr};

use contract::Repository;
use globset::{GlobBuilder, GlobSet};
use ipnet::IpNet;

/// The addresses from which a delivery needs no secret, for repositories that [`Repositories`] names:
/// everybody at a public provider shares that provider's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedIps(Vec<IpNet>);

/// An entry of `AllowedIps` is neither an address nor a CIDR block.
#[derive(Debug, thiserror::Error)]
#[error("AllowedIps has the entry {entry:?}, expected a CIDR block such as 192.0.2.0/24")]
pub struct AllowedIpsError {
    /// The entry.
    entry: String,
    /// What is wrong with it.
    source: ipnet::AddrParseError,
}

impl FromStr for AllowedIps {
    type Err = AllowedIpsError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let block = |entry: &str| {
            let alone = entry.parse::<IpAddr>().map(IpNet::from);
            alone.or_else(|_| entry.parse()).map_err(|source| AllowedIpsError { entry: entry.to_owned(), source })
        };
        entries(list).map(block).collect::<Result<_, _>>().map(Self)
    }
}

impl AllowedIps {
    /// Whether the address lies in one of the blocks; an IPv4 address in IPv6's clothing counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|block| block.contains(&address))
    }
}

/// The repositories that may be fetched, as globs of `host/owner/name` in which `*` stays within one part
/// and `**` doesn't. None at all: any repository on an allowed host, for senders who know a secret.
#[derive(Debug, Clone, Default)]
pub struct Repositories(GlobSet);

/// Why a text isn't a list of [`Repositories`].
#[derive(Debug, thiserror::Error)]
pub enum RepositoriesError {
    /// An entry is not a glob.
    #[error("Repositories has the entry {entry:?}, expected a glob of host/owner/name")]
    Glob {
        /// The entry.
        entry: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// All of them together are too large for one automaton.
    #[error("Repositories is too large")]
    Set(#[source] globset::Error),
}

impl FromStr for Repositories {
    type Err = RepositoriesError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let glob = |entry: &str| {
            let glob = GlobBuilder::new(entry).literal_separator(true).build();
            glob.map_err(|source| RepositoriesError::Glob { entry: entry.to_owned(), source })
        };
        let globs = entries(list).map(glob).collect::<Result<Vec<_>, _>>()?;
        GlobSet::new(globs).map(Self).map_err(RepositoriesError::Set)
    }
}

impl Repositories {
    /// Whether the list names no repository.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of the globs is the repository's.
    pub fn names(&self, repository: &Repository) -> bool {
        self.0.is_match(repository.to_string())
    }
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_a_block_are_allowed() {
        let ips: AllowedIps = "18.205.93.0/25, 2001:db8::/32,192.0.2.7".parse().unwrap();
        for (address, allowed) in [
            ("18.205.93.127", true),
            ("18.205.93.128", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:192.0.2.7", true),
            ("::ffff:192.0.2.8", false),
        ] {
            assert_eq!(ips.contains(address.parse().unwrap()), allowed, "{address}");
        }
    }

    #[test]
    fn an_empty_list_allows_no_address() {
        assert!(!" ,".parse::<AllowedIps>().unwrap().contains("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_bad_block_is_named() {
        for entry in ["18.205.93.0/33", "github.com", "1.2.3"] {
            let error = format!("10.0.0.0/8,{entry}").parse::<AllowedIps>().unwrap_err().to_string();
            assert!(error.contains(&format!("{entry:?}")), "{error}");
        }
    }

    fn repository(name: &str) -> Repository {
        let (host, path) = name.split_once('/').unwrap();
        Repository::new(host.parse().unwrap(), path.parse().unwrap())
    }

    #[test]
    fn a_star_stays_within_one_part() {
        let check = |globs: &str, name: &str, expected: bool| {
            let named = globs.parse::<Repositories>().unwrap().names(&repository(name));
            assert_eq!(named, expected, "{globs} {name}");
        };
        check("github.com/octo/*", "github.com/octo/hello", true);
        check("github.com/octo/*", "github.com/octo/sub/hello", false);
        check("github.com/octo/**", "github.com/octo/sub/hello", true);
        check("github.com/octo/*", "github.com/octopus/hello", false);
        check("github.com/octo/*", "github.com.evil.example/octo/hello", false);
        check("*/octo/hello", "git.example/octo/hello", true);
        check("gitlab.com/x/y, github.com/octo/hel?o", "github.com/octo/hello", true);
        check("", "github.com/octo/hello", false);
    }

    #[test]
    fn a_bad_glob_is_named() {
        let error = "github.com/[".parse::<Repositories>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "Repositories has the entry \"github.com/[\", expected a glob of host/owner/name"
        );
    }
}
