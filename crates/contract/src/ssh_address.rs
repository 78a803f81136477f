//! How a repository is requested over SSH: with the same path that `git` would send for the URL
//! that the host shows, so that a host never sees a spelling that it doesn't know.

use serde::{Deserialize, Serialize};

use crate::{
    allowed_host::{AllowedHost, HostKind, SshAddress},
    repository::{Repository, RepositoryPath},
    url_path,
};

/// How a repository's path is spelled in its SSH URL. Known kinds of hosts accept all spellings. On
/// other servers, such as a plain `sshd`, they are different folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PathSpelling {
    /// It is relative to the home of the server's user, as in `git@host:owner/name.git`, and not to
    /// the server's root.
    pub relative: bool,
    /// It doesn't end in `.git`.
    pub without_git: bool,
}

impl PathSpelling {
    /// `/owner/name.git`, the spelling of nearly all hosts.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// A repository with its spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The repository.
    pub repository: Repository,
    /// The spelling, for hosts where it matters.
    pub spelling: PathSpelling,
}

impl AllowedHost {
    /// The path argument of `git-upload-pack`.
    pub fn ssh_path(&self, repository: &RepositoryPath, spelling: PathSpelling) -> String {
        let PathSpelling { relative, without_git } =
            if self.kind.is_some() { PathSpelling::default() } else { spelling };
        let git = if without_git { "" } else { ".git" };
        match self.ssh.folder.as_str() {
            // Its URLs have the short form, in which only the host decodes the path.
            _ if self.kind == Some(HostKind::Azure) => format!("v3/{}", url_path::encoded(repository.as_str())),
            // A personal repository of Bitbucket Data Center: Git removes the slash, as before
            // any home folder.
            "" if relative || repository.as_str().starts_with('~') => format!("{repository}{git}"),
            folder if folder.starts_with("/~") => format!("{}/{repository}{git}", &folder[1..]),
            folder => format!("{folder}/{repository}{git}"),
        }
    }

    /// The same as a quoted shell word, as [Git quotes
    /// it](https://git-scm.com/docs/git-upload-pack): every host understands that, and a shell
    /// parses it as one word.
    pub fn ssh_argument(&self, repository: &RepositoryPath, spelling: PathSpelling) -> String {
        quoted(&self.ssh_path(repository, spelling))
    }

    /// The spelling to try if the host refuses this one: with or without `.git`. Known kinds accept
    /// both.
    pub fn other_spelling(&self, spelling: PathSpelling) -> Option<PathSpelling> {
        self.kind.is_none().then_some(PathSpelling { without_git: !spelling.without_git, ..spelling })
    }

    /// The URL by which Git fetches a repository over SSH.
    pub fn ssh_url(&self, repository: &RepositoryPath, spelling: PathSpelling) -> String {
        let SshAddress { user, host, port, folder } = &self.ssh;
        let path = self.ssh_path(repository, spelling);
        let at_home = folder.is_empty() && !path.starts_with(['/', '~']);
        if at_home && *port == 22 {
            return format!("{user}@{host}:{path}");
        }
        let port = if *port == 22 { String::new() } else { format!(":{port}") };
        let home = if at_home && self.kind.is_none() { "~/" } else { "" };
        format!("ssh://{user}@{host}{port}/{home}{}", url_path::encoded(path.trim_start_matches('/')))
    }
}

fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(entry: &str, repository: &str, path: &str, url: &str) {
        let host: AllowedHost = entry.parse().unwrap();
        let repository = repository.parse().unwrap();
        let usual = PathSpelling::default();
        let (given, told) = (host.ssh_path(&repository, usual), host.ssh_url(&repository, usual));
        assert_eq!((given.as_str(), told.as_str()), (path, url));
    }

    #[test]
    fn every_host_has_its_own_addresses() {
        check("github.com", "octo/hello", "/octo/hello.git", "ssh://git@github.com/octo/hello.git");
        check("gitlab.com", "group/sub/hello", "/group/sub/hello.git", "ssh://git@gitlab.com/group/sub/hello.git");
        check("bitbucket.org", "team/hello", "/team/hello.git", "ssh://git@bitbucket.org/team/hello.git");
        check("codeberg.org", "octo/hello", "/octo/hello.git", "ssh://git@codeberg.org/octo/hello.git");
        let stash = "git.example:7999=bitbucket-dc";
        check(stash, "proj/hello", "/proj/hello.git", "ssh://git@git.example:7999/proj/hello.git");
        check(stash, "~alice/hello", "~alice/hello.git", "ssh://git@git.example:7999/~alice/hello.git");
        let azure = "git@ssh.dev.azure.com:v3/acme/Our%20Project/hello";
        check("dev.azure.com", "acme/Our Project/hello", "v3/acme/Our%20Project/hello", azure);
        check("alice@git.example", "a b/50%", "/a b/50%.git", "ssh://alice@git.example/a%20b/50%25.git");
        let elsewhere = "git.example=gitlab ssh=git@ssh.example:2222 web=https://git.example/gitlab";
        check(elsewhere, "group/hello", "/group/hello.git", "ssh://git@ssh.example:2222/group/hello.git");
        let folder = "git.example ssh=git@git.example/srv/git";
        check(folder, "hello", "/srv/git/hello.git", "ssh://git@git.example/srv/git/hello.git");
        let home = "git.example ssh=git@git.example/~/git";
        check(home, "hello", "~/git/hello.git", "ssh://git@git.example/~/git/hello.git");
    }

    #[test]
    fn unknown_host_kind_honors_path_spelling() {
        let check = |entry: &str, relative, without_git, path: &str, url: &str, other: bool| {
            let (host, repository): (AllowedHost, _) = (entry.parse().unwrap(), "octo/hello".parse().unwrap());
            let spelling = PathSpelling { relative, without_git };
            assert_eq!(host.ssh_argument(&repository, spelling), format!("'{path}'"), "{entry}");
            assert_eq!(host.ssh_url(&repository, spelling), url, "{entry}");
            let expected = PathSpelling { relative, without_git: !without_git };
            assert_eq!(host.other_spelling(spelling), other.then_some(expected), "{entry}");
        };
        let ssh = "ssh://git@git.example";
        check("git.example", false, false, "/octo/hello.git", &format!("{ssh}/octo/hello.git"), true);
        check("git.example", false, true, "/octo/hello", &format!("{ssh}/octo/hello"), true);
        check("git.example", true, false, "octo/hello.git", "git@git.example:octo/hello.git", true);
        check("git.example:2222", true, true, "octo/hello", &format!("{ssh}:2222/~/octo/hello"), true);
        let code_commit =
            "git-codecommit.eu-west-1.amazonaws.com ssh=KEY@git-codecommit.eu-west-1.amazonaws.com/v1/repos";
        let url = "ssh://KEY@git-codecommit.eu-west-1.amazonaws.com/v1/repos/octo/hello";
        check(code_commit, false, true, "/v1/repos/octo/hello", url, true);
        check("git.example=gitea", true, true, "/octo/hello.git", &format!("{ssh}/octo/hello.git"), false);
    }

    proptest! {
        #[test]
        fn every_path_is_one_word(path in "[a-z~/'\"$`\\\\ ;|&%\\n-]{1,20}", azure in any::<bool>()) {
            let host: AllowedHost = if azure { "dev.azure.com" } else { "git.example" }.parse().unwrap();
            if let Ok(repository) = path.parse() {
                let usual = PathSpelling::default();
                let (path, argument) = (host.ssh_path(&repository, usual), host.ssh_argument(&repository, usual));
                prop_assert!(!path.contains(['\\', '\n']) && !path.starts_with('-'), "{path}");
                prop_assert_eq!(argument, format!("'{}'", path.split('\'').collect::<Vec<_>>().join(r"'\''")));
            }
        }
    }
}
