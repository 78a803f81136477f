//! A host that may be fetched from: where it is reached, as whom, and what it runs.

use std::fmt;

use crate::repository::HostName;

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
    pub(crate) fn of(host: &HostName) -> Option<Self> {
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
    pub host: HostName,
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
    pub host: HostName,
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
    pub host: HostName,
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
    pub(crate) fn usual_ssh_name(host: &HostName) -> HostName {
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
