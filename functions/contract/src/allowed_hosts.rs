//! Where a host is reached, and as whom: the `AllowedGitHosts` parameter. A payload chooses among its
//! entries and can't add to them.

use std::{fmt, str::FromStr};

use crate::repository::{Host, HostError};

/// What a host runs, which says how its archives are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostKind {
    /// GitHub and GitHub Enterprise Server.
    GitHub,
    /// GitLab, gitlab.com or an instance of one's own.
    GitLab,
    /// Bitbucket Cloud.
    Bitbucket,
    /// Bitbucket Data Center.
    BitbucketDataCenter,
    /// Gitea and Forgejo.
    Gitea,
    /// Azure DevOps Services.
    Azure,
}

impl HostKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::GitHub, Self::GitLab, Self::Bitbucket, Self::BitbucketDataCenter, Self::Gitea, Self::Azure];

    /// Its name in `AllowedGitHosts`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Bitbucket => "bitbucket",
            Self::BitbucketDataCenter => "bitbucket-dc",
            Self::Gitea => "gitea",
            Self::Azure => "azure",
        }
    }

    /// What a public host is known to run.
    fn of(host: &Host) -> Option<Self> {
        Some(match host.as_str() {
            "github.com" => Self::GitHub,
            "gitlab.com" => Self::GitLab,
            "bitbucket.org" => Self::Bitbucket,
            "codeberg.org" => Self::Gitea,
            "dev.azure.com" => Self::Azure,
            // GitHub Enterprise Cloud with data residency: a name for each enterprise.
            name if name.ends_with(".ghe.com") => Self::GitHub,
            _ => return None,
        })
    }
}

impl fmt::Display for HostKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A host that may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    /// The SSH user, `git` unless the entry says otherwise.
    pub user: String,
    /// The host's name.
    pub host: Host,
    /// The SSH port, 22 unless the entry says otherwise.
    pub port: u16,
    /// What it runs, where the entry says so or everybody knows.
    pub kind: Option<HostKind>,
    /// The HTTPS port, 443 unless the entry says otherwise.
    pub https_port: u16,
    /// Whether archives may be downloaded from it although its address is a private one.
    pub is_private: bool,
}

impl AllowedHost {
    /// Whether the host takes `Acme/App` and `acme/app` for one repository. All kinds that are known do; of an unknown one
    /// nobody knows.
    pub fn ignores_case(&self) -> bool {
        self.kind.is_some()
    }
}

/// Why a text is not a list of [`AllowedHosts`].
#[derive(Debug, thiserror::Error)]
pub enum AllowedHostsError {
    /// The host part of an entry.
    #[error("AllowedGitHosts has the entry {entry:?}, expected `[user@]host[:port][=kind[:https-port]][+private]`")]
    Host {
        /// The entry.
        entry: String,
        /// What is wrong with it.
        source: HostError,
    },
    /// A port of an entry isn't a number from 1 to 65535.
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
    /// The kind of an entry isn't one that is known.
    #[error(
        "AllowedGitHosts has the entry {entry:?}, whose kind is none of {}",
        HostKind::ALL.map(HostKind::name).join(", ")
    )]
    Kind {
        /// The entry.
        entry: String,
    },
}

impl FromStr for AllowedHost {
    type Err = AllowedHostsError;

    fn from_str(entry: &str) -> Result<Self, Self::Err> {
        let port_error = || AllowedHostsError::Port { entry: entry.to_owned() };
        let (rest, is_private) = entry.strip_suffix("+private").map_or((entry, false), |rest| (rest, true));
        let (address, https) = rest.split_once('=').map_or((rest, None), |(address, https)| (address, Some(https)));
        let (user, address) = address.rsplit_once('@').unwrap_or(("git", address));
        let login = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if user.is_empty() || user.starts_with('-') || !user.bytes().all(login) {
            return Err(AllowedHostsError::User { entry: entry.to_owned() });
        }
        let (host, port) = with_port(address, 22).ok_or_else(port_error)?;
        let host = host.to_ascii_lowercase().try_into();
        let host = host.map_err(|source| AllowedHostsError::Host { entry: entry.to_owned(), source })?;
        let (kind, https_port) = match https.map(|https| with_port(https, 443).ok_or_else(port_error)).transpose()? {
            Some((name, port)) => {
                let kind = HostKind::ALL.into_iter().find(|kind| kind.name() == name);
                (Some(kind.ok_or_else(|| AllowedHostsError::Kind { entry: entry.to_owned() })?), port)
            }
            None => (HostKind::of(&host), 443),
        };
        Ok(Self { user: user.to_owned(), host, port, kind, https_port, is_private })
    }
}

/// The text before a colon, and the port after it or else `default`; nothing when that is no port.
fn with_port(text: &str, default: u16) -> Option<(&str, u16)> {
    match text.rsplit_once(':') {
        Some((text, port)) => Some((text, port.parse().ok().filter(|port| *port != 0)?)),
        None => Some((text, default)),
    }
}

/// The hosts that may be fetched from: entries `[user@]host[:port][=kind[:https-port]][+private]`, separated by commas.
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

    /// All entries in their order.
    pub fn iter(&self) -> impl Iterator<Item = &AllowedHost> {
        self.0.iter()
    }

    /// The entry that stands first.
    pub fn first(&self) -> Option<&AllowedHost> {
        self.0.first()
    }

    /// The one entry of a kind; nothing where there are several.
    pub fn only(&self, kind: HostKind) -> Option<&AllowedHost> {
        let mut of_kind = self.0.iter().filter(|allowed| allowed.kind == Some(kind));
        of_kind.next().filter(|_| of_kind.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_supplies_user_and_ports() {
        let hosts: AllowedHosts = "github.com, alice@Git.Example.com:7999=bitbucket-dc:8443+private".parse().unwrap();
        let github = hosts.find("GitHub.com").unwrap();
        assert_eq!((github.user.as_str(), github.port, github.https_port), ("git", 22, 443));
        assert_eq!((github.kind, github.is_private), (Some(HostKind::GitHub), false));
        let own = hosts.find("git.example.com").unwrap();
        assert_eq!((own.user.as_str(), own.port, own.https_port), ("alice", 7999, 8443));
        assert_eq!((own.kind, own.is_private), (Some(HostKind::BitbucketDataCenter), true));
        assert!(hosts.find("evil.example").is_none());
        assert!(hosts.find("sub.github.com").is_none());
    }

    #[test]
    fn a_kind_is_known_or_said() {
        let kind = |entry: &str| entry.parse::<AllowedHost>().unwrap().kind;
        for (host, expected) in [
            ("github.com", HostKind::GitHub),
            ("acme.ghe.com", HostKind::GitHub),
            ("gitlab.com", HostKind::GitLab),
            ("bitbucket.org", HostKind::Bitbucket),
            ("codeberg.org", HostKind::Gitea),
            ("dev.azure.com", HostKind::Azure),
        ] {
            assert_eq!(kind(host), Some(expected), "{host}");
        }
        assert_eq!(kind("git.example"), None);
        for expected in HostKind::ALL {
            assert_eq!(kind(&format!("git.example={expected}")), Some(expected));
        }
    }

    #[test]
    fn the_only_one_of_a_kind() {
        let hosts: AllowedHosts = "a.example=gitlab,b.example=gitlab,c.example=gitea".parse().unwrap();
        assert_eq!(hosts.only(HostKind::Gitea).unwrap().host.as_str(), "c.example");
        assert!(hosts.only(HostKind::GitLab).is_none());
        assert!(hosts.only(HostKind::Azure).is_none());
        assert_eq!(hosts.first().unwrap().host.as_str(), "a.example");
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        assert_eq!("".parse::<AllowedHosts>().unwrap(), AllowedHosts::default());
        assert!(AllowedHosts::default().find("").is_none());
    }

    #[test]
    fn bad_entries_are_named() {
        let check = |entry: &str, expected: &str| {
            let error = entry.parse::<AllowedHosts>().unwrap_err().to_string();
            assert_eq!(error, format!("AllowedGitHosts has the entry {entry:?}, {expected}"));
        };
        let port = "whose port is not a number from 1 to 65535";
        let kind = "whose kind is none of github, gitlab, bitbucket, bitbucket-dc, gitea, azure";
        check("-oX@github.com", "whose user is not a login name");
        check("github.com:0", port);
        check("git.example=gitea:x", port);
        check("git.example=svn", kind);
        check("git.example=", kind);
        check("*", "expected `[user@]host[:port][=kind[:https-port]][+private]`");
        check("git.example+public", "expected `[user@]host[:port][=kind[:https-port]][+private]`");
    }
}
