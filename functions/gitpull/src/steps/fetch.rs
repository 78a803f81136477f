//! The first step: the commit that a job's reference names, in a clone on the disk.

use std::time::{Duration, Instant};

use contract::{AllowedHosts, Job, Location};
use fetch::{Clones, FetchError, FetchRequest, Fetched, Limits, Remote, Wanted};
use https::HttpsError;
use secret::{MAX_AGE, ROTATION_AGE};

use crate::{
    access::Access,
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
        let mut max_age = MAX_AGE;
        loop {
            let remote = self.remote_by(job, location, deadline, max_age).await?;
            let request = FetchRequest { remote, wanted: wanted.clone() };
            let mut found = Found::default();
            let seed = async || self.cache.open(&location.repository, &mut found).await;
            match fetch::fetch_seeded(&request, &self.clones, seed).await {
                Ok(fetched) => return Ok((fetched, found)),
                // The cached token may have been rotated: read it again, once.
                Err(FetchError::Https { source: HttpsError::Unauthorized { .. }, .. } | FetchError::NoToken { .. })
                    if max_age == MAX_AGE =>
                {
                    max_age = ROTATION_AGE;
                }
                Err(error) => return Err(GitPullError::Fetch(Box::new(error))),
            }
        }
    }

    /// How a repository is reached that a job may have fetched, its own or another one. Nothing is
    /// fetched without.
    pub(crate) async fn remote(
        &self,
        job: &Job,
        location: &Location,
        deadline: Instant,
    ) -> Result<Remote, GitPullError> {
        self.remote_by(job, location, deadline, MAX_AGE).await
    }

    async fn remote_by(
        &self,
        job: &Job,
        location: &Location,
        deadline: Instant,
        max_age: Duration,
    ) -> Result<Remote, GitPullError> {
        let host = job.permit(&location.repository, &self.allowed_hosts).map_err(GitPullError::Permit)?;
        Ok(Remote {
            host: host.clone(),
            repository: location.repository.clone(),
            spelling: location.spelling,
            access: self.access.to(host, &self.allowed_hosts, max_age).await?,
            limits: Limits::until(deadline),
        })
    }
}

impl Source {
    /// The URL of a job's repository, as a clone of the same kind would have it.
    pub(crate) fn url(&self, job: &Job) -> Option<String> {
        let host = self.allowed_hosts.find(job.repository.host.as_str())?;
        Some(match self.access {
            Access::Ssh { .. } => host.ssh_url(&job.repository.path, job.spelling),
            Access::Https { .. } => host.https_url(&job.repository.path, job.spelling),
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
