//! The first step: the commit that a job's reference names, in a clone on the disk.

use std::time::Instant;

use contract::{AllowedHost, AllowedHosts, Job, Location};
use fetch::{Clones, FetchError, FetchRequest, Fetched, Limits, Remote, Wanted};
use host_access::{Access, ReachError};

use crate::{
    cache::{Found, PackCache},
    error::GitPullError,
};

/// Where repositories come from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) access: Access,
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
        let host = job.permit(&location.repository, &self.allowed_hosts).map_err(GitPullError::Permit)?;
        let mut found = Found::default();
        let fetched = self.access.reach(host, &location.repository, &self.allowed_hosts, async |way| {
            found = Found::default();
            self.fetch_by(way, host, location, &wanted, deadline, &mut found).await
        });
        let fetched = fetched.await?;
        Ok((fetched, found))
    }

    async fn fetch_by(
        &self,
        access: fetch::Access,
        host: &AllowedHost,
        location: &Location,
        wanted: &Wanted,
        deadline: Instant,
        found: &mut Found,
    ) -> Result<Fetched, FetchError> {
        let request = FetchRequest { remote: reached(access, host, location, deadline), wanted: wanted.clone() };
        let seed = async || self.cache.open(&location.repository, found).await;
        fetch::fetch_seeded(&request, &self.clones, seed).await
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
        let way = self.access.first_way(host, &location.repository, &self.allowed_hosts).await;
        Ok(reached(way.map_err(ReachError::from)?, host, location, deadline))
    }
}

fn reached(access: fetch::Access, host: &AllowedHost, location: &Location, deadline: Instant) -> Remote {
    Remote {
        host: host.clone(),
        repository: location.repository.clone(),
        spelling: location.spelling,
        access,
        limits: Limits::until(deadline),
    }
}

impl Source {
    /// The URL of a job's repository, as a clone of the same kind would have it.
    pub(crate) fn url(&self, job: &Job) -> Option<String> {
        let host = self.allowed_hosts.find(job.repository.host.as_str())?;
        let path = &job.repository.path;
        Some(if self.access.is_over_ssh(host) {
            host.ssh_url(path, job.spelling)
        } else {
            host.https_url(path, job.spelling)
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
