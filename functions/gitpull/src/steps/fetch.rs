//! The first step: the commit that a job's reference names, in a clone on the disk.

use std::time::Instant;

use contract::{AllowedHost, AllowedHosts, Job, Location};
use fetch::{Clones, FetchError, FetchRequest, Fetched, KnownHosts, Limits, PrivateKey, Remote, Wanted};

use crate::{
    cache::{Found, PackCache},
    error::GitPullError,
    ssh_keys::{KeysOf, SshKeys},
};

/// Where repositories come from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) known_hosts: KnownHosts,
    pub(crate) keys: SshKeys,
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
        let keys = self.keys.of(&location.repository).await?;
        let remote = |key: &PrivateKey| self.reached(host, location, key, deadline);
        let mut found = Found::default();
        let mut fetched = self.fetch_with(&keys, remote, &wanted, &mut found).await;
        if let Err(FetchError::KeyRefused { .. } | FetchError::Refused { .. }) = fetched {
            // Perhaps the repository has got a key of its own meanwhile.
            let now = self.keys.read_again(&location.repository).await?;
            if now != keys {
                fetched = self.fetch_with(&now, remote, &wanted, &mut found).await;
            }
        }
        Ok((fetched.map_err(|error| GitPullError::Fetch(Box::new(error)))?, found))
    }

    /// Fetches with the first of these keys that the host accepts. While one key replaces another,
    /// the host may have only the older one.
    async fn fetch_with(
        &self,
        keys: &KeysOf,
        remote: impl Fn(&PrivateKey) -> Remote,
        wanted: &Wanted,
        found: &mut Found,
    ) -> Result<Fetched, FetchError> {
        let mut tried = self.fetch_by(remote(&keys.newest), wanted, found).await;
        for key in &keys.older {
            if !matches!(tried, Err(FetchError::KeyRefused { .. })) {
                break;
            }
            tried = self.fetch_by(remote(key), wanted, found).await;
        }
        tried
    }

    async fn fetch_by(&self, remote: Remote, wanted: &Wanted, found: &mut Found) -> Result<Fetched, FetchError> {
        let request = FetchRequest { remote, wanted: wanted.clone() };
        let seed = async || self.cache.open(&request.remote.repository, found).await;
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
        let keys = self.keys.of(&location.repository).await?;
        Ok(self.reached(host, location, &keys.newest, deadline))
    }

    fn reached(&self, host: &AllowedHost, location: &Location, key: &PrivateKey, deadline: Instant) -> Remote {
        Remote {
            host: host.clone(),
            repository: location.repository.clone(),
            spelling: location.spelling,
            key: key.clone(),
            known_hosts: self.known_hosts.clone(),
            limits: Limits::until(deadline),
        }
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
