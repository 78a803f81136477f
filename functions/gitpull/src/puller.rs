//! One job, from the fetch to the stored zip: the steps in their order, and what is told of them.

use std::time::{Duration, Instant};

use archive::Summary;
use contract::Job;
use fetch::Fetched;
use store::{ArtifactMetadata, Object};
use tokio::time::timeout_at;

use crate::{
    error::GitPullError,
    files::Files,
    steps::{
        compare::{Due, compare},
        fetch::Source,
        keep::keep,
        store::{Artifact, Output},
        zip::contents,
    },
};

/// Everything that a job doesn't say.
#[derive(Debug)]
pub(crate) struct Puller {
    pub(crate) source: Source,
    pub(crate) files: Files,
    pub(crate) output: Output,
}

impl Puller {
    /// Does a job, or fails before the deadline.
    pub(crate) async fn deliver(&self, job: &Job, deadline: Instant) -> Result<(), GitPullError> {
        // On the heap: with the submodules in it, it is large.
        let work = Box::pin(self.work(job, deadline));
        timeout_at(deadline.into(), work).await.unwrap_or(Err(GitPullError::Deadline))
    }

    async fn work(&self, job: &Job, deadline: Instant) -> Result<(), GitPullError> {
        let started = Instant::now();
        let fetch = async { (self.source.fetch_job(job, deadline).await, started.elapsed()) };
        // To be told of the zip that is there takes a while, too. Meanwhile the host says which of
        // two keys it has.
        let ((fetched, fetch_time), looks) = tokio::join!(fetch, self.output.look(job));
        let (fetched, seed) = fetched?;
        let default_branch = fetched.default_branch.as_deref();
        let object = self.output.object(job, default_branch);
        let found = looks.of(job.reference.branch(), default_branch).map_err(GitPullError::Store)?;
        let metadata = metadata(job, &fetched)?;

        let due = compare(&fetched, &metadata, &found, &self.files).await?;
        let artifact = Artifact { object: object.clone(), metadata, found };
        let (summary, fetched) = match due {
            Due::Nothing => (Summary::default(), fetched),
            Due::Copy => {
                self.output.copy(&artifact).await?;
                (Summary::default(), fetched)
            }
            Due::Zip => Box::pin(self.zip_and_store(job, fetched, artifact, deadline)).await?,
        };
        tell(job, &fetched, &object, summary, due, [fetch_time, started.elapsed()]);

        let stale = seed.stale(fetched.origin, fetched.received);
        keep(&self.source.cache, &job.repository, fetched, stale, deadline).await;
        Ok(())
    }

    async fn zip_and_store(
        &self,
        job: &Job,
        fetched: Fetched,
        artifact: Artifact,
        deadline: Instant,
    ) -> Result<(Summary, Fetched), GitPullError> {
        let contents = Box::pin(contents(job, &fetched, &self.files, &self.source, deadline)).await?;
        let stored = self.output.store(fetched, artifact, contents).await;
        // A `.git` folder is made on the disk. The next try finds room for it.
        if stored.as_ref().is_err_and(|error| fetch::is_out_of_room(error)) {
            self.source.clones.remove_all_but(&job.repository);
        }
        stored
    }
}

/// What the zip of a job says of itself.
fn metadata(job: &Job, fetched: &Fetched) -> Result<ArtifactMetadata, GitPullError> {
    let commit = fetched.commit.to_string();
    Ok(ArtifactMetadata {
        repository: job.repository.clone(),
        commit: commit.parse().map_err(|source| GitPullError::Commit(commit, source))?,
        tree: Some(fetched.tree.to_string()),
        reference: job.reference.clone(),
        delivery_id: job.delivery.clone(),
        summary: fetched.summary.clone(),
    })
}

/// The line of the log that says that a job is done, and how.
fn tell(
    job: &Job,
    fetched: &Fetched,
    object: &Object,
    summary: Summary,
    due: Due,
    [fetch_time, total_time]: [Duration; 2],
) {
    tracing::info!(
        job = job.id(),
        delivery = %job.delivery,
        repository = %job.repository,
        reference = %job.reference,
        commit = fetched.commit.to_string(),
        superseded = fetched.superseded.as_ref().map(ToString::to_string),
        host_said = fetched.said,
        artifact = %object,
        clone = ?fetched.origin,
        bytes_received = fetched.received,
        entries = summary.entries,
        copied = summary.copied,
        compressed = summary.compressed,
        large = summary.large,
        zip_bytes = summary.bytes,
        fetch_ms = milliseconds(fetch_time),
        total_ms = milliseconds(total_time),
        "{}",
        due.told()
    );
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
