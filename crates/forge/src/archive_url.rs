//! The archive APIs of Git hosts, and the credentials for them. The repository's name comes from a
//! payload, the commit from the host itself (see [`crate::Tip`]), and everything else from the
//! configuration.
//!
//! - [GitHub](https://docs.github.com/en/rest/repos/contents#download-a-repository-archive-zip):
//!   `zipball`, redirected to another host
//! - [GitLab](https://docs.gitlab.com/api/repositories/#get-file-archive)
//! - [Bitbucket
//!   Cloud](https://support.atlassian.com/bitbucket-cloud/kb/how-to-download-repositories-using-the-api/):
//!   `get`
//! - [Bitbucket Data Center](https://developer.atlassian.com/server/bitbucket/rest/): `archive`
//! - [Gitea](https://docs.gitea.com/api/) and Forgejo
//! - [Azure DevOps](https://learn.microsoft.com/en-us/rest/api/azure/devops/git/items/get): `items`

use contract::{
    AllowedHost, CommitId, HostKind, RepositoryPath,
    url_path::{self, segment},
};

use crate::git_credential::basic;

/// The archive API of a host.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveApi<'a> {
    /// The host, as configured.
    pub host: &'a AllowedHost,
    /// The kind of the host.
    pub kind: HostKind,
}

impl ArchiveApi<'_> {
    /// The URL of a commit's zip.
    pub fn archive(&self, repository: &RepositoryPath, commit: &CommitId) -> String {
        let base = self.base();
        let repository = self.repository(repository);
        match self.kind {
            HostKind::GitHub => format!("{base}/repos/{repository}/zipball/{commit}"),
            HostKind::GitLab => format!("{base}/projects/{repository}/repository/archive.zip?sha={commit}"),
            HostKind::Bitbucket => format!("{base}/{repository}/get/{commit}.zip"),
            HostKind::BitbucketDataCenter => format!("{base}/{repository}/archive?at={commit}&format=zip"),
            HostKind::Gitea => format!("{base}/repos/{repository}/archive/{commit}.zip"),
            HostKind::Azure => format!(
                "{base}/{repository}/items?scopePath=/&recursionLevel=full&$format=zip&versionDescriptor.version={commit}\
                 &versionDescriptor.versionType=commit&zipForUnix=true&resolveLfs=true&api-version=7.1"
            ),
        }
    }

    /// The URL of a JSON document with the default branch, and the JSON pointer to it.
    pub fn default_branch(&self, repository: &RepositoryPath) -> (String, &'static str) {
        let base = self.base();
        let repository = self.repository(repository);
        match self.kind {
            HostKind::GitHub | HostKind::Gitea => (format!("{base}/repos/{repository}"), "/default_branch"),
            HostKind::GitLab => (format!("{base}/projects/{repository}"), "/default_branch"),
            HostKind::Bitbucket => (self.bitbucket(&repository), "/mainbranch/name"),
            HostKind::BitbucketDataCenter => (format!("{base}/{repository}/default-branch"), "/displayId"),
            HostKind::Azure => (format!("{base}/{repository}?api-version=7.1"), "/defaultBranch"),
        }
    }

    /// Where Bitbucket Cloud exchanges an OAuth consumer's key and secret for an access token.
    pub fn oauth_token(&self) -> String {
        format!("{}/site/oauth2/access_token", self.base())
    }

    /// The header for an access token, and its value.
    pub fn credential(&self, token: &str) -> (&'static str, String) {
        match self.kind {
            HostKind::GitHub | HostKind::Bitbucket | HostKind::BitbucketDataCenter => {
                ("authorization", format!("Bearer {token}"))
            }
            HostKind::GitLab => ("private-token", token.to_owned()),
            HostKind::Gitea => ("authorization", format!("token {token}")),
            HostKind::Azure => ("authorization", basic(&format!(":{token}"))),
        }
    }

    /// The base of Bitbucket Cloud's API URLs for a repository.
    pub(crate) fn bitbucket(&self, repository: &str) -> String {
        let base = self.base();
        let api = if self.host.host.as_str() == "bitbucket.org" { "https://api.bitbucket.org" } else { &base };
        format!("{api}/2.0/repositories/{repository}")
    }

    /// The base of the API's URLs.
    pub(crate) fn base(&self) -> String {
        self.host.api(self.kind)
    }

    /// The repository's name in the API.
    pub(crate) fn repository(&self, repository: &RepositoryPath) -> String {
        let (owner, name) = (repository.owner().unwrap_or_default(), repository.name());
        match self.kind {
            HostKind::GitHub | HostKind::Bitbucket | HostKind::Gitea => url_path::encoded(repository.as_str()),
            HostKind::GitLab => segment(repository.as_str()),
            HostKind::BitbucketDataCenter => {
                format!("projects/{}/repos/{}", segment(owner), segment(name))
            }
            HostKind::Azure => {
                format!("{}/_apis/git/repositories/{}", url_path::encoded(owner), segment(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(entry: &str) -> AllowedHost {
        entry.parse().unwrap()
    }

    fn check(entry: &str, repository: &str, expected: &str) {
        let host = api(entry);
        let api = ArchiveApi { host: &host, kind: host.kind.unwrap() };
        let commit = "a".repeat(40).parse().unwrap();
        let url = api.archive(&repository.parse().unwrap(), &commit);
        assert_eq!(url.replace(&"a".repeat(40), "{sha}"), expected);
    }

    #[test]
    fn every_hosts_url_of_a_commit() {
        check("github.com", "o/r", "https://api.github.com/repos/o/r/zipball/{sha}");
        check("acme.ghe.com", "o/r", "https://api.acme.ghe.com/repos/o/r/zipball/{sha}");
        check(
            "git.example=github api=https://api.git.example",
            "o/r",
            "https://api.git.example/repos/o/r/zipball/{sha}",
        );
        check(
            "git.example kind=gitlab web=https://git.example:8443/gitlab",
            "g/r",
            "https://git.example:8443/gitlab/api/v4/projects/g%2Fr/repository/archive.zip?sha={sha}",
        );
        check(
            "git.example kind=gitea web=https://git.example/gitea",
            "o/r",
            "https://git.example/gitea/api/v1/repos/o/r/archive/{sha}.zip",
        );
        check(
            "git.example kind=bitbucket-dc web=https://git.example/scm/stash",
            "PROJ/r",
            "https://git.example/scm/stash/rest/api/latest/projects/PROJ/repos/r/archive?at={sha}&format=zip",
        );
        check("git.example=github:8443", "o/r", "https://git.example:8443/api/v3/repos/o/r/zipball/{sha}");
        check("gitlab.com", "g/s/r", "https://gitlab.com/api/v4/projects/g%2Fs%2Fr/repository/archive.zip?sha={sha}");
        check("bitbucket.org", "w/r", "https://bitbucket.org/w/r/get/{sha}.zip");
        check(
            "git.example=bitbucket-dc",
            "~alice/r",
            "https://git.example/rest/api/latest/projects/~alice/repos/r/archive?at={sha}&format=zip",
        );
        check("codeberg.org", "o/r", "https://codeberg.org/api/v1/repos/o/r/archive/{sha}.zip");
        check(
            "dev.azure.com",
            "acme/Our Project/r",
            "https://dev.azure.com/acme/Our%20Project/_apis/git/repositories/r/items?scopePath=/&recursionLevel=full\
             &$format=zip&versionDescriptor.version={sha}&versionDescriptor.versionType=commit&zipForUnix=true\
             &resolveLfs=true&api-version=7.1",
        );
    }

    #[test]
    fn a_repository_can_not_lead_elsewhere() {
        let host = api("github.com");
        let api = ArchiveApi { host: &host, kind: HostKind::GitHub };
        let url = api.default_branch(&"o/r#y@evil.example".parse().unwrap()).0;
        assert_eq!(url, "https://api.github.com/repos/o/r%23y%40evil.example");
    }

    #[test]
    fn tokens_use_each_hosts_header() {
        let credential = |kind| {
            let host = api("git.example");
            ArchiveApi { host: &host, kind }.credential("t")
        };
        assert_eq!(credential(HostKind::GitHub), ("authorization", "Bearer t".to_owned()));
        assert_eq!(credential(HostKind::GitLab), ("private-token", "t".to_owned()));
        assert_eq!(credential(HostKind::Gitea), ("authorization", "token t".to_owned()));
        assert_eq!(credential(HostKind::Azure), ("authorization", "Basic OnQ=".to_owned()));
    }
}
