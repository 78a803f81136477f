//! The hosts that may be fetched from: the `AllowedGitHosts` parameter. A payload chooses among its
//! entries and can't add to them.

use std::str::FromStr;

use crate::{
    allowed_host::{AllowedHost, HostKind},
    host_entry::AllowedHostsError,
};

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

    /// The entry of a host, if it runs this software.
    pub fn find_of(&self, kind: HostKind, host: &str) -> Option<&AllowedHost> {
        self.find(host).filter(|allowed| allowed.kind == Some(kind))
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
        assert!(hosts.find_of(HostKind::GitHub, "github.com").is_some());
        assert!(hosts.find_of(HostKind::GitHub, "git.example.com").is_none());
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
