//! The first step: the commit that a job's reference names, in a clone on the disk.

use std::time::Instant;

use contract::{AllowedHosts, Job, Location};
use fetch::{Access, Clones, FetchRequest, Fetched, KnownHosts, Limits, Remote, SshAccess, Wanted};

use crate::{
    cache::{Found, PackCache},
    error::GitPullError,
    private_key::StoredKey,
};

/// Where repositories come from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) known_hosts: KnownHosts,
    pub(crate) key: StoredKey,
    /// What a clone begins with where there is none.
    pub(crate) cache: PackCache,
    /// Where the clones stay between jobs.
    pub(crate) clones: Clones,
}

impl Source {
    /// Fetches what the reference of a job names, and says what the cache had of it.
    pub(crate) async fn fetch_job(&self, job: &Job, deadline: Instant) -> Result<(Fetched, Found), GitPullError> {
        self.fetch(job, &job.location(), of_job(job), deadline).await
    }

    /// Fetches from a repository that the job may have fetched, its own or another one.
    pub(crate) async fn fetch(
        &self,
        job: &Job,
        location: &Location,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<(Fetched, Found), GitPullError> {
        let request = FetchRequest { remote: self.remote(job, location, deadline).await?, wanted };
        let mut found = Found::default();
        let seed = async || self.cache.open(&location.repository, &mut found).await;
        let fetched = fetch::fetch_seeded(&request, &self.clones, seed).await;
        Ok((fetched.map_err(|error| GitPullError::Fetch(Box::new(error)))?, found))
    }

    /// How a repository is reached that a job may have fetched, its own or another one. Nothing is
    /// fetched without.
    pub(crate) async fn remote(
        &self,
        job: &Job,
        location: &Location,
        deadline: Instant,
    ) -> Result<Remote, GitPullError> {
        let host = job.permit(&location.repository, &self.allowed_hosts).map_err(GitPullError::Permit)?;
        Ok(Remote {
            host: host.clone(),
            repository: location.repository.clone(),
            spelling: location.spelling,
            access: Access::Ssh(SshAccess {
                key: self.key.get().await?.clone(),
                known_hosts: self.known_hosts.clone(),
            }),
            limits: Limits::until(deadline),
        })
    }
}

/// What a job wants: what its reference names now. The commit is a hint.
fn of_job(job: &Job) -> Wanted {
    Wanted::Reference { name: job.reference.clone(), expected: job.commit.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_is_wanted_commit_expected() {
        let job: Job = serde_json::from_value(serde_json::json!({
            "delivery": "d-1",
            "repository": { "host": "github.com", "path": "octo/hello" },
            "reference": "refs/heads/main",
            "commit": "a".repeat(40),
        }))
        .unwrap();
        let Wanted::Reference { name, expected } = of_job(&job) else { panic!("not a reference") };
        assert_eq!((name, expected), (job.reference, job.commit));
    }
}
