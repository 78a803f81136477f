//! Where a host is reached, and as whom: the `AllowedGitHosts` parameter. A payload chooses among
//! its entries and can't add to them.

use std::{fmt, str::FromStr};

use crate::{host_entry::AllowedHostsError, repository::HostName};

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

    /// Its name, as people write it.
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

    /// What a public host is known to run.
    pub(crate) fn of(host: &HostName) -> Option<Self> {
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

/// Azure DevOps, and where it is reached over SSH.
const AZURE: (&str, &str) = ("dev.azure.com", "ssh.dev.azure.com");

/// Where public hosts are reached over SSH under another name than their own: Azure DevOps always,
/// the others [through
/// firewalls](https://docs.github.com/en/authentication/troubleshooting-ssh/using-ssh-over-the-https-port),
/// on port 443.
const SSH_NAMES: [(&str, &str); 4] = [
    AZURE,
    ("github.com", "ssh.github.com"),
    ("gitlab.com", "altssh.gitlab.com"),
    ("bitbucket.org", "altssh.bitbucket.org"),
];

/// Where a host is reached over SSH, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAddress {
    /// The user to log in as.
    pub user: String,
    /// The server's name.
    pub host: HostName,
    /// The server's port.
    pub port: u16,
    /// The folder on the server that the repositories' paths begin in, such as `/srv/git`, or `/~`
    /// for the user's home; empty for the server's root.
    pub folder: String,
}

/// What HTTPS URLs begin with: `https://host[:port][/path]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress {
    /// The server's name.
    pub host: HostName,
    /// The server's port.
    pub port: u16,
    /// The path that everything lies under, such as `/gitlab`; empty for none.
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
    /// The host's name: in the names of repositories, in other parameters, and usually in its URLs.
    pub host: HostName,
    /// What it runs, where the entry says so or everybody knows.
    pub kind: Option<HostKind>,
    /// Where it is reached over SSH: `git@` its name, port 22, unless the entry says otherwise.
    pub ssh: SshAddress,
    /// Where its web pages are: its name, port 443, unless the entry says otherwise.
    pub web: WebAddress,
    /// Where its API is, if the entry says so.
    pub(crate) api: Option<WebAddress>,
    /// Whether archives may be downloaded from it although its address is a private one.
    pub is_private: bool,
}

impl AllowedHost {
    /// Whether the host takes `Acme/App` and `acme/app` for one repository. All kinds that are
    /// known do; of an unknown one nobody knows.
    pub fn ignores_case(&self) -> bool {
        self.kind.is_some()
    }

    /// Where it is reached over SSH if nothing is said of that.
    pub(crate) fn usual_ssh_name(host: &HostName) -> HostName {
        let (azure, ssh) = AZURE;
        if host.as_str() == azure { ssh.parse().unwrap_or_else(|_| host.clone()) } else { host.clone() }
    }

    /// Whether URLs of the host may name it so.
    pub fn is_known_as(&self, name: &str) -> bool {
        let own = [&self.host, &self.ssh.host, &self.web.host];
        own.iter().any(|own| own.as_str().eq_ignore_ascii_case(name))
            || SSH_NAMES.iter().any(|(host, ssh)| *host == self.host.as_str() && ssh.eq_ignore_ascii_case(name))
    }

    /// The repository's path on the host by the path of a URL: what all its URLs have before that
    /// is left out.
    pub fn path_in<'u>(&self, url_path: &'u str, is_web: bool) -> &'u str {
        let prefix = if is_web { &self.web.path } else { &self.ssh.folder };
        let path = url_path.strip_prefix('/').unwrap_or(url_path);
        let prefix = prefix.strip_prefix("/~/").or_else(|| prefix.strip_prefix('/'));
        let below = prefix.and_then(|prefix| path.strip_prefix(prefix)?.strip_prefix('/'));
        below.unwrap_or(path)
    }

    /// What all URLs of its API begin with if it runs this.
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

    /// Whether a download may go to a private address by this name, because the entry says so.
    /// GitHub Enterprise Server gives its archives from [names below its
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

/// What an entry means, in words for who deploys it.
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

/// The hosts that may be fetched from, [entries](crate::host_entry) separated by commas.
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

    /// The entries of hosts whose URLs may have this name in them, the host of this name first.
    pub fn known_as(&self, name: &str) -> impl Iterator<Item = &AllowedHost> {
        let own = self.find(name);
        let others = self.0.iter().filter(move |other| own != Some(*other) && other.is_known_as(name));
        own.into_iter().chain(others)
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
