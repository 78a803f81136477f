//! How a repository is requested over HTTPS: by the URL that the host shows for cloning.

use crate::{
    allowed_host::{AllowedHost, HostKind},
    repository::RepositoryPath,
    ssh_address::PathSpelling,
    url_path,
};

impl AllowedHost {
    /// The URL by which Git fetches a repository over HTTPS, without a credential.
    pub fn https_url(&self, repository: &RepositoryPath, spelling: PathSpelling) -> String {
        let (web, path) = (&self.web, url_path::encoded(repository.as_str()));
        match self.kind {
            // <https://learn.microsoft.com/en-us/azure/devops/repos/git/clone>
            Some(HostKind::Azure) => {
                let owner = url_path::encoded(repository.owner().unwrap_or_default());
                format!("{web}/{owner}/_git/{}", url_path::encoded(repository.name()))
            }
            // <https://confluence.atlassian.com/bitbucketserver/clone-a-repository-790632786.html>
            Some(HostKind::BitbucketDataCenter) => format!("{web}/scm/{path}.git"),
            None if spelling.without_git => format!("{web}/{path}"),
            _ => format!("{web}/{path}.git"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_clone_urls() {
        let check = |entry: &str, repository: &str, without_git: bool, expected: &str| {
            let (host, repository): (AllowedHost, _) = (entry.parse().unwrap(), repository.parse().unwrap());
            let spelling = PathSpelling { relative: false, without_git };
            assert_eq!(host.https_url(&repository, spelling), expected);
        };
        check("github.com", "octo/hello", true, "https://github.com/octo/hello.git");
        check("gitlab.com", "group/sub/hello", false, "https://gitlab.com/group/sub/hello.git");
        check("bitbucket.org", "team/hello", false, "https://bitbucket.org/team/hello.git");
        check("dev.azure.com", "acme/Our Project/hello", false, "https://dev.azure.com/acme/Our%20Project/_git/hello");
        let stash = "git.example kind=bitbucket-dc web=https://git.example:8443/stash";
        check(stash, "proj/hello", false, "https://git.example:8443/stash/scm/proj/hello.git");
        check(stash, "~alice/hello", false, "https://git.example:8443/stash/scm/~alice/hello.git");
        check("git.example=gitea", "octo/hello", false, "https://git.example/octo/hello.git");
        check("git.example", "octo/hello", false, "https://git.example/octo/hello.git");
        check("git.example", "octo/hello", true, "https://git.example/octo/hello");
        check("git.example", "octo/r#x@y", true, "https://git.example/octo/r%23x%40y");
    }
}
