//! Which repository a clone URL names. Only its host and its path count: scheme, user and port come
//! from the configuration, never from a payload.

use std::cmp::Reverse;

use contract::{
    AllowedHost, AllowedHosts, HostKind, HostName, Location, PathSpelling, Repository, RepositoryPath,
    repository::{HostError, RepositoryPathError},
};
use gix_url::Scheme;
use percent_encoding::percent_decode_str;

/// Why a text isn't a clone URL. The error doesn't contain the URL, which may have a password in
/// it.
#[derive(Debug, thiserror::Error)]
pub enum CloneUrlError {
    /// Git wouldn't accept it as a URL.
    #[error("the clone URL is malformed")]
    Malformed,
    /// Its scheme is neither SSH nor HTTP.
    #[error("the clone URL is neither SSH nor HTTP")]
    Scheme,
    /// It has no valid host.
    #[error("the host of the clone URL is invalid")]
    Host(#[source] HostError),
    /// Its path isn't a repository path.
    #[error("the path of the clone URL is invalid")]
    Path(#[source] RepositoryPathError),
}

/// The repository that a URL such as `ssh://git@host:22/owner/name.git`, `git@host:owner/name.git`
/// or `https://host/owner/name.git` names: on the allowed host whose URLs have this form, else on
/// the host in the URL.
///
/// # Errors
/// It isn't such a URL, or names something that can't be a repository.
pub fn location(url: &str, hosts: &AllowedHosts) -> Result<Location, CloneUrlError> {
    let url = CloneUrl::parse(url)?;
    let allowed = url.on(hosts, None)?.into_iter().next();
    let repository = match allowed {
        Some((repository, _)) => repository,
        None => Repository::new(url.host.clone(), url.path.parse().map_err(CloneUrlError::Path)?),
    };
    Ok(Location { repository, spelling: url.spelling })
}

/// The parts of a clone URL that identify its repository.
#[derive(Debug)]
pub(crate) struct CloneUrl {
    /// The host name in the URL, which may be one of several names of the host.
    pub(crate) host: HostName,
    port: Option<u16>,
    is_web: bool,
    /// Without a leading slash and without `.git`.
    path: String,
    /// How the path is spelled, in an SSH URL.
    pub(crate) spelling: PathSpelling,
}

impl CloneUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, CloneUrlError> {
        let url = gix_url::parse(url).map_err(|_| CloneUrlError::Malformed)?;
        if !matches!(url.scheme, Scheme::Ssh | Scheme::Http | Scheme::Https) {
            return Err(CloneUrlError::Scheme);
        }
        let is_web = url.scheme != Scheme::Ssh;
        let host = url.host.unwrap_or_default().to_ascii_lowercase();
        let host = HostName::try_from(host).map_err(CloneUrlError::Host)?;
        let path = String::from_utf8(url.path.into()).map_err(|_| CloneUrlError::Malformed)?;
        let home = at_home(&path).filter(|_| !is_web);
        let (path, relative) = (home.unwrap_or(&path), home.is_some());
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let without = path.strip_suffix(".git");
        let spelling = PathSpelling { relative, without_git: without.is_none() };
        let path = without.unwrap_or(path);
        let (host, path) = of_azure(&host, path).unwrap_or_else(|| (host, path.to_owned()));
        Ok(Self { host, port: url.port, is_web, path, spelling })
    }

    /// The repositories that it may name, one for each host whose URLs may have this form, the
    /// likeliest first. A sender knows only hosts of its own `kind`.
    ///
    /// # Errors
    /// Its path isn't a repository path.
    pub(crate) fn on<'h>(
        &self,
        hosts: &'h AllowedHosts,
        kind: Option<HostKind>,
    ) -> Result<Vec<(Repository, &'h AllowedHost)>, CloneUrlError> {
        let mut found = Vec::new();
        for host in hosts.known_as(self.host.as_str()) {
            let path: RepositoryPath = host.path_in(&self.path, self.is_web).parse().map_err(CloneUrlError::Path)?;
            let port = if self.is_web { host.web.port } else { host.ssh.port };
            let likelihood = (host.kind == kind, Reverse(path.as_str().len()), self.port == Some(port));
            found.push((Reverse(likelihood), (Repository::new(host.host.clone(), path), host)));
        }
        found.sort_by_key(|(likelihood, _)| *likelihood);
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }
}

/// Strips the home folder of the SSH user: `git@host:path` and `ssh://host/~/path`.
fn at_home(path: &str) -> Option<&str> {
    let home = path.strip_prefix("/~/").or_else(|| path.strip_prefix("~/"));
    home.or_else(|| Some(path).filter(|path| !path.starts_with('/')))
}

/// All URLs of an Azure DevOps repository contain `organisation/project/name`, but never in exactly
/// this form.
fn of_azure(host: &HostName, path: &str) -> Option<(HostName, String)> {
    let path = match host.as_str() {
        "ssh.dev.azure.com" => percent_decode_str(path.strip_prefix("v3/")?).decode_utf8().ok()?.into_owned(),
        "dev.azure.com" => match path.split_once("/_git/")? {
            // A project's first repository has the project's name.
            (organisation, name) if !organisation.contains('/') => format!("{organisation}/{name}/{name}"),
            (project, name) => format!("{project}/{name}"),
        },
        _ => return None,
    };
    Some(("dev.azure.com".parse().ok()?, path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The repository of a URL if no host is allowed.
    fn repository(url: &str) -> String {
        location(url, &AllowedHosts::default())
            .map_or_else(|error| error.to_string(), |found| found.repository.to_string())
    }

    /// The repository of a URL with these entries of `AllowedGitHosts`.
    fn repository_on(entries: &str, url: &str) -> String {
        location(url, &entries.parse().unwrap()).unwrap().repository.to_string()
    }

    #[test]
    fn host_below_path_is_recognized() {
        let check = |url: &str, name: &str| {
            let entries = "git.example kind=gitlab ssh=git@ssh.example:2222 web=https://www.example/tools/gitlab";
            assert_eq!(repository_on(entries, url), name, "{url}");
        };
        check("https://www.example/tools/gitlab/group/sub/hello.git", "git.example/group/sub/hello");
        check("https://git.example/tools/gitlab/group/hello", "git.example/group/hello");
        check("git@ssh.example:group/hello.git", "git.example/group/hello");
        check("ssh://git@ssh.example:2222/group/hello.git", "git.example/group/hello");
        check("git@git.example:group/hello.git", "git.example/group/hello");
        check("git@git.example:tools/gitlab/hello.git", "git.example/tools/gitlab/hello");
        check("https://other.example/tools/gitlab/group/hello.git", "other.example/tools/gitlab/group/hello");
    }

    #[test]
    fn hosts_sharing_name_are_distinguished() {
        let entries = "tools.example,gitlab.example ssh=tools.example:2222 web=https://tools.example/gitlab,\
            gitea.example ssh=tools.example:2223 web=https://tools.example/gitea";
        let check = |url: &str, name: &str| assert_eq!(repository_on(entries, url), name, "{url}");
        check("https://tools.example/gitlab/octo/hello.git", "gitlab.example/octo/hello");
        check("https://tools.example/gitea/octo/hello.git", "gitea.example/octo/hello");
        check("https://tools.example/octo/hello.git", "tools.example/octo/hello");
        check("ssh://git@tools.example:2222/octo/hello.git", "gitlab.example/octo/hello");
        check("ssh://git@tools.example:2223/octo/hello.git", "gitea.example/octo/hello");
        check("git@tools.example:octo/hello.git", "tools.example/octo/hello");
    }

    #[test]
    fn firewall_port_names_same_host() {
        let hosts = "github.com,gitlab.com,bitbucket.org";
        let check = |url: &str, name: &str| assert_eq!(repository_on(hosts, url), name, "{url}");
        check("ssh://git@ssh.github.com:443/octo/hello.git", "github.com/octo/hello");
        check("ssh://git@altssh.gitlab.com:443/octo/hello.git", "gitlab.com/octo/hello");
        check("ssh://git@altssh.bitbucket.org:443/octo/hello.git", "bitbucket.org/octo/hello");
    }

    #[test]
    fn server_folder_is_removed_from_path() {
        let code_commit = "git-codecommit.eu-west-1.amazonaws.com \
            ssh=KEY@git-codecommit.eu-west-1.amazonaws.com/v1/repos web=https://git-codecommit.eu-west-1.amazonaws.com/v1/repos";
        for scheme in ["ssh", "https"] {
            let url = format!("{scheme}://git-codecommit.eu-west-1.amazonaws.com/v1/repos/hello");
            assert_eq!(repository_on(code_commit, &url), "git-codecommit.eu-west-1.amazonaws.com/hello");
        }
    }

    #[test]
    fn the_spelling_is_the_urls() {
        let check = |url: &str, relative: bool, without_git: bool| {
            let found = location(url, &AllowedHosts::default()).unwrap();
            assert_eq!(found.repository.to_string(), "git.example/octo/hello", "{url}");
            assert_eq!(found.spelling, PathSpelling { relative, without_git }, "{url}");
        };
        check("git@git.example:octo/hello.git", true, false);
        check("git@git.example:octo/hello", true, true);
        check("git@git.example:/octo/hello.git", false, false);
        check("ssh://git@git.example/octo/hello.git", false, false);
        check("ssh://git@git.example:2222/octo/hello", false, true);
        check("ssh://git@git.example/~/octo/hello", true, true);
        check("https://git.example/octo/hello.git", false, false);
    }

    #[test]
    fn url_yields_only_host_and_path() {
        let check = |url: &str, name: &str| assert_eq!(repository(url), name, "{url}");
        check("git@github.com:octo/hello.git", "github.com/octo/hello");
        check("ssh://git@GitHub.com:2222/octo/hello.git", "github.com/octo/hello");
        check("https://user:token@github.com/octo/hello.git", "github.com/octo/hello");
        check("http://127.0.0.1:3000/octo/hello", "127.0.0.1/octo/hello");
        check("https://bitbucket.org/team/hello/", "bitbucket.org/team/hello");
        check("git@gitlab.com:group/sub/name.git", "gitlab.com/group/sub/name");
        check("ssh://git@git.example:7999/~alice/hello.git", "git.example/~alice/hello");
        check("ssh://git@git.example/hello.git", "git.example/hello");
        check("github.com:octo/hello.git", "github.com/octo/hello");
        check("git@github.com:octo/-hello", "github.com/octo/-hello");
        check("git@git.example:octo/it's.git", "git.example/octo/it's");
        check("git@ssh.dev.azure.com:v3/acme/Bob%27s/hello", "dev.azure.com/acme/Bob's/hello");
    }

    #[test]
    fn azure_urls_name_same_repository() {
        let check = |url: &str, name: &str| assert_eq!(repository(url), name, "{url}");
        let hello = "dev.azure.com/acme/Our Project/hello";
        check("git@ssh.dev.azure.com:v3/acme/Our%20Project/hello", hello);
        check("ssh://git@ssh.dev.azure.com/v3/acme/Our%20Project/hello", hello);
        check("https://acme@dev.azure.com/acme/Our%20Project/_git/hello", hello);
        check("https://dev.azure.com/acme/_git/hello", "dev.azure.com/acme/hello/hello");
    }

    #[test]
    fn anything_else_is_refused() {
        for url in [
            "",
            "hello",
            "/srv/git/hello.git",
            "file:///srv/git/hello.git",
            "git://github.com/octo/hello.git",
            "ext::sh -c id",
            "ext://sh",
            "foo::https://github.com/octo/hello",
            "https:///octo/hello",
            "https://github.com",
            "https://github.com/",
            "https://github.com/octo/../victim/hello",
            "https://github.com/octo/..%2f..%2fvictim/hello",
            "ssh://git@-oProxyCommand=id/octo/hello",
            "git@github.com:-octo/hello",
            "git@github.com:octo/he`llo",
            "https://[::1]/octo/hello",
            "https://github.com/octo/hello?x=1",
            "git@ssh.dev.azure.com:v3/acme/%2e%2e/hello",
            "git@ssh.dev.azure.com:v3/acme/x%22/hello",
        ] {
            assert!(location(url, &AllowedHosts::default()).is_err(), "{url}: {}", repository(url));
        }
    }

    #[test]
    fn error_does_not_repeat_url() {
        let error = location("https://user:hunter2@github.com:port/octo/hello", &AllowedHosts::default()).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_text_panics(url in "\\PC{0,60}") {
            drop(location(&url, &AllowedHosts::default()));
        }

        #[test]
        fn no_url_escapes(url in "(ssh|https|git)(://|@)[a-z.@:/%~-]{0,40}") {
            let hosts = "a.b ssh=c.d/e web=https://a.b/c".parse().unwrap();
            if let Ok(Location { repository, .. }) = location(&url, &hosts) {
                prop_assert!(repository.path.as_str().split('/').all(|part| !matches!(part, "" | "." | "..")));
            }
        }
    }
}
