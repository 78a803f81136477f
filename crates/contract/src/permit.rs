//! Which repositories a job may fetch: its own, and others that it refers to, such as submodules,
//! if the job's sender could request them as well. Anyone who can push can write `.gitmodules`.

use crate::{AllowedHost, AllowedHosts, Job, PatternsError, Repositories, Repository, repository::HostName};

/// Why a job may not fetch a repository.
#[derive(Debug, thiserror::Error)]
pub enum PermitError {
    /// Its host isn't allowed.
    #[error("{0} is not in AllowedGitHosts")]
    Host(HostName),
    /// It isn't the job's own repository, and the job's sender couldn't request it.
    #[error("a push to {own} may not fetch {repository}")]
    Scope {
        /// The repository.
        repository: Repository,
        /// The job's own repository.
        own: Repository,
    },
    /// The job's scope isn't a list of globs.
    #[error("the job has no valid list of globs that limits what it may fetch")]
    Globs(#[source] PatternsError),
}

impl Job {
    /// The host of a repository that this job may fetch.
    ///
    /// # Errors
    /// The job may not fetch it.
    pub fn permit<'h>(&self, repository: &Repository, hosts: &'h AllowedHosts) -> Result<&'h AllowedHost, PermitError> {
        let host = hosts.find(repository.host.as_str()).ok_or_else(|| PermitError::Host(repository.host.clone()))?;
        if *repository == self.repository {
            return Ok(host);
        }
        let refused = || PermitError::Scope { repository: repository.clone(), own: self.repository.clone() };
        for list in self.scope.as_ref().ok_or_else(refused)? {
            let list = Repositories::parse("Repositories", list).map_err(PermitError::Globs)?;
            list.permit(repository, host).map_err(|_| refused())?;
        }
        Ok(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a push to github.com/acme/app may fetch a repository.
    fn check(scope: Option<&[&str]>, repository: &str, expected: bool) {
        let job = serde_json::json!({
            "delivery": "d-1", "repository": { "host": "github.com", "path": "acme/app" }, "reference": "refs/heads/main",
            "scope": scope,
        });
        let job: Job = serde_json::from_value(job).unwrap();
        let hosts = "github.com,gitlab.com".parse().unwrap();
        assert_eq!(job.permit(&repository.parse().unwrap(), &hosts).is_ok(), expected, "{scope:?} {repository}");
    }

    #[test]
    fn push_reaches_only_permitted_repositories() {
        check(Some(&[]), "gitlab.com/private/secret", true);
        check(Some(&["github.com/acme/*"]), "github.com/acme/library", true);
        check(Some(&["github.com/acme/*"]), "github.com/ACME/library", true);
        check(Some(&["github.com/acme/*"]), "github.com/private/secret", false);
        check(Some(&["**,!github.com/private/*"]), "github.com/private/secret", false);
        check(Some(&["!github.com/private/*"]), "github.com/Private/secret", false);
        check(Some(&["**", "github.com/acme/*"]), "github.com/private/secret", false);
        check(Some(&["["]), "github.com/acme/library", false);
        check(Some(&[]), "evil.example/acme/app", false);
    }

    #[test]
    fn a_job_without_scope_leads_nowhere() {
        check(None, "github.com/acme/app", true);
        check(None, "github.com/acme/library", false);
    }
}
