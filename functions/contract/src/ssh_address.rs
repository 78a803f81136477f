//! Where a repository is found over SSH: by the words that `git` itself says to the host for the URL that the host shows, so
//! that a host never meets a spelling that it doesn't know.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    allowed_hosts::{AllowedHost, HostKind},
    repository::RepositoryPath,
};

/// Everything but slashes and what [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-2.3) calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

impl AllowedHost {
    /// The name under which it is reached over SSH, which Azure DevOps has another one for.
    pub fn ssh_name(&self) -> &str {
        match self.host.as_str() {
            "dev.azure.com" => "ssh.dev.azure.com",
            name => name,
        }
    }

    /// What `git-upload-pack` is given for a repository.
    pub fn ssh_path(&self, repository: &RepositoryPath) -> String {
        match self.kind {
            // Its URLs are of the short form, in which nobody decodes the path before the host does.
            Some(HostKind::Azure) => format!("v3/{}", encoded(repository.as_str())),
            // A personal repository of Bitbucket Data Center: Git takes the slash off, as before any home directory.
            _ if repository.as_str().starts_with('~') => format!("{repository}.git"),
            _ => format!("/{repository}.git"),
        }
    }

    /// The same as a word of a command, as
    /// [Git quotes it](https://git-scm.com/docs/git-upload-pack): every host understands that, and a shell takes it for one word.
    pub fn ssh_argument(&self, repository: &RepositoryPath) -> String {
        quoted(&self.ssh_path(repository))
    }

    /// The same without `.git` at the end, for when the host refuses the usual. Kinds that are known take it; of other servers, such as a
    /// plain `sshd` with a folder for each repository, one may have it and another not.
    pub fn ssh_argument_without_git(&self, repository: &RepositoryPath) -> Option<String> {
        self.ssh_path(repository).strip_suffix(".git").filter(|_| self.kind.is_none()).map(quoted)
    }

    /// The URL by which Git fetches a repository over SSH.
    pub fn ssh_url(&self, repository: &RepositoryPath) -> String {
        let (user, name, path) = (&self.user, self.ssh_name(), self.ssh_path(repository));
        if self.kind == Some(HostKind::Azure) && self.port == 22 {
            return format!("{user}@{name}:{path}");
        }
        let port = if self.port == 22 { String::new() } else { format!(":{}", self.port) };
        format!("ssh://{user}@{name}{port}/{}", encoded(path.trim_start_matches('/')))
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
        assert_eq!((host.ssh_path(&repository).as_str(), host.ssh_url(&repository).as_str()), (path, url));
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
    }

    #[test]
    fn only_unknown_servers_may_have_it_without_git() {
        let repository = "octo/hello".parse().unwrap();
        let arguments = |entry: &str| {
            let host: AllowedHost = entry.parse().unwrap();
            [Some(host.ssh_argument(&repository)), host.ssh_argument_without_git(&repository)]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
        };
        assert_eq!(arguments("github.com"), ["'/octo/hello.git'"]);
        assert_eq!(arguments("git.example=gitea"), ["'/octo/hello.git'"]);
        assert_eq!(arguments("git.example"), ["'/octo/hello.git'", "'/octo/hello'"]);
        assert_eq!(arguments("dev.azure.com"), ["'v3/octo/hello'"]);
    }

    proptest! {
        #[test]
        fn every_path_is_one_word(path in "[a-z~/'\"$`\\\\ ;|&%\\n-]{1,20}", azure in any::<bool>()) {
            let host: AllowedHost = if azure { "dev.azure.com" } else { "git.example" }.parse().unwrap();
            if let Ok(repository) = path.parse() {
                let (path, argument) = (host.ssh_path(&repository), host.ssh_argument(&repository));
                prop_assert!(!path.contains(['\\', '\n']) && !path.starts_with('-'), "{path}");
                prop_assert_eq!(argument, format!("'{}'", path.split('\'').collect::<Vec<_>>().join(r"'\''")));
            }
        }
    }
}
