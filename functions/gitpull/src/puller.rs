//! One job, from the fetch to the stored zip: the steps in their order, and what is told of them.

use std::time::{Duration, Instant};

use ::store::{Artifact, ArtifactMetadata, Output, Placed, Provenance};
use archive::Summary;
use commit_status::{Statuses, Zip};
use contract::{CommitId, Job, Worker, manifest::Subject};
use events::{Bus, Event};
use fetch::Fetched;
use secret::StoredSecret;
use tokio::time::timeout_at;

use crate::{
    error::{GitPullError, public_reason},
    files::Files,
    steps::{
        compare::{Due, compare},
        fetch::Source,
        keep::keep,
        store,
        zip::contents,
    },
};

/// Everything that a job doesn't say.
#[derive(Debug)]
pub(crate) struct Puller {
    pub(crate) source: Source,
    pub(crate) files: Files,
    pub(crate) output: Output,
    pub(crate) bus: Bus,
    pub(crate) statuses: Statuses<StoredSecret>,
}

impl Puller {
    /// Does a job, or fails before the deadline.
    pub(crate) async fn deliver(&self, job: &Job, deadline: Instant) -> Result<(), GitPullError> {
        // On the heap: with the submodules in it, it is large.
        let work = Box::pin(self.work(job, deadline));
        timeout_at(deadline.into(), work).await.unwrap_or(Err(GitPullError::Deadline))
    }

    /// Says at the host that a job was given up.
    pub(crate) async fn gave_up(&self, job: &Job, error: Option<&GitPullError>, deadline: Instant) {
        self.statuses.failure(job, error.map(public_reason), deadline).await;
    }

    async fn work(&self, job: &Job, deadline: Instant) -> Result<(), GitPullError> {
        let started = Instant::now();
        let fetch = async { (self.source.fetch_job(job, deadline).await, started.elapsed()) };
        // To be told of the zip that is there takes a while, too. Meanwhile the host says which of
        // two keys it has.
        let ((fetched, fetch_time), looks) = tokio::join!(fetch, store::look(&self.output, job));
        let (fetched, seed) = match fetched {
            Err(GitPullError::Fetch(error)) if job.deleted && error.is_gone() => return self.delete(job).await,
            fetched => fetched?,
        };
        let default_branch = fetched.default_branch.as_deref();
        let found = looks.of(job.reference.branch(), default_branch).map_err(GitPullError::Store)?;
        let artifact = self.output.artifact(job, default_branch, metadata(job, &fetched)?, found).await;
        let artifact = artifact.map_err(GitPullError::Store)?;

        let due = compare(&fetched, &artifact, &self.files).await?;
        let due = self.renewed(due, &artifact).await?;
        let commit = &artifact.metadata.commit;
        let pending = async {
            if due == Due::Zip {
                self.statuses.pending(job, commit, deadline).await;
            }
        };
        let stored = async {
            let (placed, summary, fetched) = Box::pin(self.put(job, due, fetched, &artifact, deadline)).await?;
            tell(job, &fetched, &artifact, placed.as_ref(), summary, due, [fetch_time, started.elapsed()]);
            if let Some(placed) = &placed {
                let manifest = placed.manifest(Subject::of(job, Worker::GitPull), provenance(&fetched)?);
                placed.put_manifests(&self.output.s3, &manifest).await.map_err(GitPullError::Store)?;
                self.bus.send(Event::Ready(&manifest)).await.map_err(GitPullError::Tell)?;
            }
            Ok::<_, GitPullError>((placed, fetched))
        };
        // A host that is slow to take a status delays neither the zip nor its event.
        let (stored, ()) = tokio::join!(stored, pending);
        let (placed, fetched) = stored?;
        let zip = Zip { commit, key: &artifact.object.key, version_id: version(&artifact, placed.as_ref()) };
        self.statuses.success(job, &zip, deadline).await;

        let stale = seed.stale(fetched.origin, fetched.received);
        keep(&self.source.cache, &job.repository, fetched, stale, deadline).await;
        Ok(())
    }

    /// What is due, if the reference was deleted meanwhile and is there again: what is marked then
    /// would expire, and whoever heard of the deletion has to hear of this.
    async fn renewed(&self, due: Due, artifact: &Artifact) -> Result<Due, GitPullError> {
        let is_marked = due == Due::Nothing
            && self.output.is_marked(&artifact.object, &artifact.found).await.map_err(GitPullError::Store)?;
        Ok(if is_marked { Due::Renewal } else { due })
    }

    /// Tells of a reference that is gone, unless that was done, and does with its zip what the
    /// parameter says.
    async fn delete(&self, job: &Job) -> Result<(), GitPullError> {
        let deleted = self.output.deleted_reference(job).await.map_err(GitPullError::Store)?;
        deleted.log(job);
        if deleted.is_told {
            return Ok(());
        }
        let event = deleted.event(Subject::of(job, Worker::GitPull));
        self.bus.send(Event::Deleted(&event)).await.map_err(GitPullError::TellDeletion)?;
        self.output.mark_deleted(job, deleted).await.map_err(GitPullError::Store)
    }

    /// Does what is due. Nothing is placed if nothing is to be said of what is there.
    async fn put(
        &self,
        job: &Job,
        due: Due,
        fetched: Fetched,
        artifact: &Artifact,
        deadline: Instant,
    ) -> Result<(Option<Placed>, Summary, Fetched), GitPullError> {
        let s3 = &self.output.s3;
        let placed = match due {
            Due::Nothing if artifact.is_of_delivery() => Some(artifact.there(s3).await),
            Due::Nothing => None,
            Due::Renewal => Some(artifact.renew(s3).await),
            Due::Copy => Some(artifact.copy_found(s3).await),
            Due::Kept => Some(artifact.copy_kept(s3).await),
            Due::Zip => {
                let (placed, summary, fetched) = Box::pin(self.zip_and_store(job, fetched, artifact, deadline)).await?;
                return Ok((Some(placed), summary, fetched));
            }
        };
        Ok((placed.transpose().map_err(GitPullError::Store)?, Summary::default(), fetched))
    }

    async fn zip_and_store(
        &self,
        job: &Job,
        fetched: Fetched,
        artifact: &Artifact,
        deadline: Instant,
    ) -> Result<(Placed, Summary, Fetched), GitPullError> {
        let contents = Box::pin(contents(job, &fetched, &self.files, &self.source, deadline)).await?;
        let stored = store::store(&self.output, fetched, artifact, contents, &self.files).await;
        // A `.git` folder is made on the disk. The next try finds room for it.
        if stored.as_ref().is_err_and(|error| fetch::is_out_of_room(error)) {
            self.source.clones.remove_all_but(&job.repository);
        }
        stored
    }
}

/// The version of the zip at the reference's key.
fn version<'a>(artifact: &'a Artifact, placed: Option<&'a Placed>) -> Option<&'a str> {
    placed.map_or(artifact.found.version_id(), |placed| placed.zip.version_id.as_deref())
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
        previous: None,
        worker: Some(Worker::GitPull),
        sha256: None,
    })
}

/// What the commit says of its origin.
fn provenance(fetched: &Fetched) -> Result<Provenance, GitPullError> {
    let read = archive::provenance(&fetched.clone, fetched.commit);
    let archive::Provenance { parents, author_time } =
        read.map_err(|source| GitPullError::Archive { commit: fetched.commit.to_string(), source })?;
    Ok(Provenance { parents: Some(parents), author_time })
}

/// The line of the log that says that a job is done, and how.
fn tell(
    job: &Job,
    fetched: &Fetched,
    artifact: &Artifact,
    placed: Option<&Placed>,
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
        ssh_key = fetched.ssh_key,
        host_said = fetched.said,
        moved_from = artifact.moved_from().map(CommitId::as_str),
        artifact = %artifact.object,
        version = version(artifact, placed),
        kept = placed.and_then(|placed| placed.kept.as_ref()).map(|kept| kept.object.key.as_str()),
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
