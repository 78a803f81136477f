//! What a run needs of AWS and of the hosts, so that tests can lose, delay and kill anything.

use anyhow::Result;
use contract::{AllowedHost, Job, Repository, Worker};
use fetch::References;

use crate::{
    hosts::Failure,
    journal::Deliveries,
    memory::{Memory, SeenKeys, Zip},
};

/// An object, as a listing has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// What changes whenever it is written.
    pub seen: String,
    /// When it was written, in seconds since 1970.
    pub written: i64,
}

/// Everything around a run.
pub trait World {
    /// The GitHub App.
    type App: Deliveries;

    /// The App, if there is one.
    fn app(&self) -> Option<&Self::App>;

    /// The objects of the output bucket that may be zips of references.
    fn zips(&self) -> impl Future<Output = Result<Vec<Listed>>>;

    /// What the zip at a key says of itself. `None` if it is gone, or not one of ours.
    fn zip(&self, key: &str) -> impl Future<Output = Result<Option<Zip>>>;

    /// Whether the zip at a key says that the deletion of its reference was told. `None` if it is
    /// gone, too.
    fn is_deletion_told(&self, key: &str, repository: &Repository) -> impl Future<Output = Result<Option<bool>>>;

    /// The objects with the keys of repositories.
    fn keys(&self) -> impl Future<Output = Result<Vec<Listed>>>;

    /// Whose keys an object has.
    fn key(&self, listed: &Listed) -> impl Future<Output = Result<Option<SeenKeys>>>;

    /// Asks a host what the references of a repository name, as the worker would reach it. A
    /// failure comes with the number of requests that it took.
    fn references(
        &self,
        host: &AllowedHost,
        repository: &Repository,
        worker: Worker,
    ) -> impl Future<Output = Result<References, (Failure, u32)>>;

    /// What a job of this repository may fetch besides, see [`Job::scope`].
    fn scope(&self, host: &AllowedHost, repository: &Repository) -> impl Future<Output = Result<Option<Vec<String>>>>;

    /// Queues jobs for a worker.
    fn send(&self, worker: Worker, jobs: &[Job]) -> impl Future<Output = Result<()>>;

    /// What the last run has told.
    fn recall(&self) -> impl Future<Output = Result<Memory>>;

    /// Tells the next one.
    fn remember(&self, memory: &Memory) -> impl Future<Output = Result<()>>;

    /// Whether the run has to come to its end.
    fn is_over(&self) -> bool;
}
