//! The `AllowedGitHosts` parameter: which hosts may be fetched from, and how each is reached. A
//! payload can choose among the entries, but not add one.

use std::{fmt, str::FromStr};

use crate::{host_entry::AllowedHostsError, repository::Host};

/// The software that a host runs. It determines the archive API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostKind {
    /// GitHub and GitHub Enterprise Server.
    GitHub,
    /// GitLab: gitlab.com or a self-hosted instance.
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
    /// All kinds.
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

    /// The product name, for display.
    pub const fn product(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Bitbucket => "Bitbucket Cloud",
            Self::BitbucketDataCenter => "Bitbucket Data Center",
            Self::Gitea => "Gitea or Forgejo",
            Self::Azure => "Azure DevOps",
        }
    }

    /// The kind of a public host, if known.
    pub(crate) fn of(host: &Host) -> Option<Self> {
        Some(match host.as_str() {
            "github.com" => Self::GitHub,
            "gitlab.com" => Self::GitLab,
            "bitbucket.org" => Self::Bitbucket,
            "codeberg.org" => Self::Gitea,
            "dev.azure.com" => Self::Azure,
            // GitHub Enterprise Cloud with data residency: each enterprise has its own subdomain.
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

/// Azure DevOps, and its SSH host.
const AZURE: (&str, &str) = ("dev.azure.com", "ssh.dev.azure.com");

/// Public hosts that are reached over SSH under another name: Azure DevOps always, the others on
/// port 443 [behind
/// firewalls](https://docs.github.com/en/authentication/troubleshooting-ssh/using-ssh-over-the-https-port).
const SSH_NAMES: [(&str, &str); 4] = [
    AZURE,
    ("github.com", "ssh.github.com"),
    ("gitlab.com", "altssh.gitlab.com"),
    ("bitbucket.org", "altssh.bitbucket.org"),
];

/// How a host is reached over SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAddress {
    /// The user to log in as.
    pub user: String,
    /// The server's name.
    pub host: Host,
    /// The server's port.
    pub port: u16,
    /// The folder on the server that repository paths are relative to, such as `/srv/git`, or `/~`
    /// for the user's home. Empty for the server's root.
    pub folder: String,
}

/// The prefix of HTTPS URLs: `https://host[:port][/path]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress {
    /// The server's name.
    pub host: Host,
    /// The server's port.
    pub port: u16,
    /// The common prefix of all paths, such as `/gitlab`, or empty.
    pub path: String,
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, path } = self;
        write!(f, "https://{host}")?;
        if *port != 443 {
            write!(f, ":{port}")?;
        }
        f.write_str(path)
    }
}

/// A host that may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    /// The host name, as used in repository names, in other parameters, and usually in URLs.
    pub host: Host,
    /// What it runs, if the entry says so or the host is a well-known public one.
    pub kind: Option<HostKind>,
    /// Its SSH address. By default, `git@` the host name, port 22.
    pub ssh: SshAddress,
    /// The base of its web pages. By default, the host name, port 443.
    pub web: WebAddress,
    /// The base of its API, if the entry sets one.
    pub(crate) api: Option<WebAddress>,
    /// Whether archives may be downloaded from a private address.
    pub is_private: bool,
}

impl AllowedHost {
    /// Whether the host treats `Acme/App` and `acme/app` as one repository. All known kinds do. For
    /// an unknown kind, assume not.
    pub fn ignores_case(&self) -> bool {
        self.kind.is_some()
    }

    /// The default SSH address.
    pub(crate) fn usual_ssh_name(host: &Host) -> Host {
        let (azure, ssh) = AZURE;
        if host.as_str() == azure { ssh.parse().unwrap_or_else(|_| host.clone()) } else { host.clone() }
    }

    /// Whether URLs of the host may use this name.
    pub fn is_known_as(&self, name: &str) -> bool {
        let own = [&self.host, &self.ssh.host, &self.web.host];
        own.iter().any(|own| own.as_str().eq_ignore_ascii_case(name))
            || SSH_NAMES.iter().any(|(host, ssh)| *host == self.host.as_str() && ssh.eq_ignore_ascii_case(name))
    }

    /// The repository's path for the path of a URL: strips the prefix that all URLs of the host
    /// share.
    pub fn path_in<'u>(&self, url_path: &'u str, is_web: bool) -> &'u str {
        let prefix = if is_web { &self.web.path } else { &self.ssh.folder };
        let path = url_path.strip_prefix('/').unwrap_or(url_path);
        let prefix = prefix.strip_prefix("/~/").or_else(|| prefix.strip_prefix('/'));
        let below = prefix.and_then(|prefix| path.strip_prefix(prefix)?.strip_prefix('/'));
        below.unwrap_or(path)
    }

    /// The base of its API URLs if it runs `kind`.
    ///
    /// GitHub's is on [another
    /// host](https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api),
    /// also with [data
    /// residency](https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom).
    pub fn api(&self, kind: HostKind) -> String {
        if let Some(api) = &self.api {
            return api.to_string();
        }
        let (web, host) = (&self.web, &self.host);
        match kind {
            HostKind::GitHub if host.as_str() == "github.com" || host.as_str().ends_with(".ghe.com") => {
                format!("https://api.{host}")
            }
            HostKind::GitHub => format!("{web}/api/v3"),
            HostKind::GitLab => format!("{web}/api/v4"),
            HostKind::Bitbucket | HostKind::Azure => web.to_string(),
            HostKind::BitbucketDataCenter => format!("{web}/rest/api/latest"),
            HostKind::Gitea => format!("{web}/api/v1"),
        }
    }

    /// Whether the entry allows downloads from a private address under this name. GitHub Enterprise
    /// Server gives its archives from [names below its
    /// own](https://docs.github.com/en/enterprise-server@latest/admin/configuring-settings/hardening-security-for-your-enterprise/enabling-subdomain-isolation).
    pub fn is_private_at(&self, name: &str) -> bool {
        let web = self.web.host.as_str();
        let is_below = || {
            let above = name.to_ascii_lowercase();
            above.strip_suffix(web).is_some_and(|label| label.ends_with('.'))
        };
        let api = self.api.as_ref().is_some_and(|api| api.host.as_str().eq_ignore_ascii_case(name));
        self.is_private && (web.eq_ignore_ascii_case(name) || api || self.kind == Some(HostKind::GitHub) && is_below())
    }
}

/// Describes an entry, for the person who deploys it.
impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SshAddress { user, host, port, folder } = &self.ssh;
        write!(f, "{}: /gitpull as {user}@{host}, port {port}", self.host)?;
        match folder.as_str() {
            "" => {}
            "/~" => write!(f, ", repositories in the home folder")?,
            folder => write!(f, ", repositories in {folder}")?,
        }
        match self.kind {
            Some(kind) => write!(f, "; /zipdl by the API of {} at {}", kind.product(), self.api(kind))?,
            None => write!(f, "; no /zipdl, since nothing says what the host runs")?,
        }
        if self.web.host != self.host || !self.web.path.is_empty() {
            write!(f, "; web pages at {}", self.web)?;
        }
        f.write_str(if self.is_private { "; private addresses allowed" } else { "" })
    }
}

/// The `AllowedGitHosts` parameter: [entries](crate::host_entry) separated by commas.
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
    /// The entry of a host. Case doesn't matter.
    pub fn find(&self, host: &str) -> Option<&AllowedHost> {
        self.0.iter().find(|allowed| allowed.host.as_str().eq_ignore_ascii_case(host))
    }

    /// The entries whose URLs may use this name. The host of that name comes first.
    pub fn known_as(&self, name: &str) -> impl Iterator<Item = &AllowedHost> {
        let own = self.find(name);
        let others = self.0.iter().filter(move |other| own != Some(*other) && other.is_known_as(name));
        own.into_iter().chain(others)
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = &AllowedHost> {
        self.0.iter()
    }

    /// The first entry.
    pub fn first(&self) -> Option<&AllowedHost> {
        self.0.first()
    }

    /// The only entry of a kind. `None` if there are several.
    pub fn only(&self, kind: HostKind) -> Option<&AllowedHost> {
        let mut of_kind = self.0.iter().filter(|allowed| allowed.kind == Some(kind));
        of_kind.next().filter(|_| of_kind.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_hosts_are_found() {
        let hosts: AllowedHosts = "github.com, git.example.com=gitea".parse().unwrap();
        assert_eq!(hosts.find("GitHub.com").unwrap().host.as_str(), "github.com");
        assert!(hosts.find("evil.example").is_none());
        assert!(hosts.find("sub.github.com").is_none());
    }

    #[test]
    fn host_is_found_by_each_name() {
        let hosts: AllowedHosts = "github.com,gitlab.com,dev.azure.com,git.example=gitlab ssh=ssh.example \
            web=https://www.example/gitlab,ssh.example ssh=git.example"
            .parse()
            .unwrap();
        let check = |name: &str, expected: &[&str]| {
            let found: Vec<_> = hosts.known_as(name).map(|host| host.host.as_str()).collect();
            assert_eq!(found, expected, "{name}");
        };
        check("github.com", &["github.com"]);
        check("ssh.github.com", &["github.com"]);
        check("altssh.GitLab.com", &["gitlab.com"]);
        check("ssh.dev.azure.com", &["dev.azure.com"]);
        check("www.example", &["git.example"]);
        check("ssh.example", &["ssh.example", "git.example"]);
        check("git.example", &["git.example", "ssh.example"]);
        check("altssh.bitbucket.org", &[]);
        check("evil.example", &[]);
    }

    #[test]
    fn common_url_prefix_is_removed() {
        let host: AllowedHost = "git.example ssh=git.example/srv/git web=https://git.example/a/b".parse().unwrap();
        let check = |path: &str, is_web: bool, expected: &str| {
            assert_eq!(host.path_in(path, is_web), expected, "{path}");
        };
        check("/a/b/octo/hello", true, "octo/hello");
        check("/srv/git/octo/hello", false, "octo/hello");
        check("srv/git/octo/hello", false, "octo/hello");
        check("/octo/hello", true, "octo/hello");
        check("/a/bc/octo/hello", true, "a/bc/octo/hello");
        check("/a/b/octo/hello", false, "a/b/octo/hello");
        let home: AllowedHost = "git.example ssh=git.example/~/git".parse().unwrap();
        assert_eq!(home.path_in("git/octo/hello", false), "octo/hello");
        let root: AllowedHost = "git.example".parse().unwrap();
        assert_eq!(root.path_in("/octo/hello", true), "octo/hello");
        assert_eq!(root.path_in("//octo/hello", true), "/octo/hello");
    }

    #[test]
    fn private_addresses_are_its_own() {
        let check = |entry: &str, name: &str, expected: bool| {
            assert_eq!(entry.parse::<AllowedHost>().unwrap().is_private_at(name), expected, "{entry} {name}");
        };
        check("git.example=gitea+private", "Git.Example", true);
        check("git.example=gitea", "git.example", false);
        check("git.example=gitea+private", "evil.example", false);
        check("git.example=gitea+private", "codeload.git.example", false);
        check("git.example=github+private", "codeload.git.example", true);
        check("git.example=github+private", "evilgit.example", false);
        check("git.example=github+private", ".git.example", true);
        check("git.example kind=gitlab web=https://www.example api=https://api.example private", "www.example", true);
        check("git.example kind=gitlab web=https://www.example api=https://api.example private", "api.example", true);
        check("git.example kind=gitlab web=https://www.example private", "git.example", false);
    }

    #[test]
    fn an_entry_is_explained_in_words() {
        let check =
            |entry: &str, expected: &str| assert_eq!(entry.parse::<AllowedHost>().unwrap().to_string(), expected);
        check(
            "github.com",
            "github.com: /gitpull as git@github.com, port 22; /zipdl by the API of GitHub at https://api.github.com",
        );
        check(
            "git.example kind=gitlab ssh=git@ssh.example:2222 web=https://git.example:8443/gitlab private",
            "git.example: /gitpull as git@ssh.example, port 2222; /zipdl by the API of GitLab at \
             https://git.example:8443/gitlab/api/v4; web pages at https://git.example:8443/gitlab; private addresses allowed",
        );
        check(
            "git.example ssh=alice@git.example/~",
            "git.example: /gitpull as alice@git.example, port 22, repositories in the home folder; no /zipdl, since nothing \
             says what the host runs",
        );
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
}
