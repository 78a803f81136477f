//! Processes a job, from the request to the stored zip. Nothing is written to disk: the host's data
//! is streamed through the conversion into the upload.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use commit_status::{Statuses, Zip};
use contract::{AllowedHosts, CommitId, HostKind, Job, Worker, manifest::Subject};
use events::{Bus, Event};
use forge::{ArchiveApi, AuthorTime, Tip};
use host_credentials::HostCredentials;
use https::{Client, Credential, HttpsError, read_json};
use provider_zip::{ProviderError, ProviderSummary, ProviderZip, TopFolder, copy_zip};
use secrecy::ExposeSecret as _;
use secret::{MAX_AGE, ROTATION_AGE, SecretSource};
use store::{Artifact, ArtifactMetadata, Output, PartWriter, Placed, Provenance};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout_at},
};

use crate::error::{ZipDlError, public_reason};

/// Everything that isn't part of a job.
#[derive(Debug)]
pub(crate) struct Downloader<S> {
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) http: Client,
    pub(crate) credentials: Arc<HostCredentials<S>>,
    pub(crate) output: Output,
    pub(crate) bus: Bus,
    pub(crate) statuses: Statuses<S>,
    /// The largest archive, in bytes.
    pub(crate) max_bytes: u64,
    /// The pause after the first failure. It doubles each time.
    pub(crate) patience: Duration,
}

/// Whether the bucket has the zip of a commit at the key of its reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    /// It has none, or another commit's.
    No,
    /// It has it.
    Yes,
    /// It has it, marked as that of a deleted reference: it would expire.
    Marked,
}

impl There {
    /// What was done, for the log.
    fn told(self, copied: Option<&ProviderSummary>) -> &'static str {
        match (self, copied) {
            (Self::Marked, _) => "stored: the zip of this commit again, whose reference was deleted",
            (Self::Yes, _) => "unchanged: the bucket has the zip of this commit",
            (Self::No, None) => "stored: a copy of the zip that is kept of this commit",
            (Self::No, Some(_)) => "stored",
        }
    }
}

/// How often a job is tried within one run.
const TRIES: u32 = 4;

impl<S: SecretSource> Downloader<S> {
    /// Processes a job, or fails before the deadline. Errors that may pass are retried while there
    /// is time.
    pub(crate) async fn deliver(&self, job: &Job, deadline: Instant) -> Result<(), ZipDlError> {
        // On the heap: the type of the nested futures is too deep for the compiler.
        let work = Box::pin(self.try_until(job, deadline));
        timeout_at(deadline.into(), work).await.unwrap_or(Err(ZipDlError::Deadline))
    }

    /// Says at the host that a job was given up.
    pub(crate) async fn gave_up(&self, job: &Job, error: Option<&ZipDlError>, deadline: Instant) {
        self.statuses.failure(job, error.map(public_reason), deadline).await;
    }

    async fn try_until(&self, job: &Job, deadline: Instant) -> Result<(), ZipDlError> {
        let mut max_age = MAX_AGE;
        let mut tries = 0;
        loop {
            let Err(error) = self.once(job, max_age, deadline).await else { return Ok(()) };
            // The cached credential may have been rotated: read it again, once.
            if matches!(error, ZipDlError::Https(HttpsError::Unauthorized { .. })) && max_age == MAX_AGE {
                max_age = ROTATION_AGE;
                continue;
            }
            let wait = error.wait(self.patience * 2u32.pow(tries)).filter(|wait| Instant::now() + *wait < deadline);
            tries += 1;
            let chain = contract::error_chain(&error);
            let Some(wait) = wait.filter(|_| tries < TRIES) else {
                match &error {
                    ZipDlError::Behind { told, commit, .. } => tell_unchanged(job, commit, Some(told), &chain),
                    ZipDlError::NotDeleted { commit, .. } => tell_unchanged(job, commit, None, &chain),
                    _ => return Err(error),
                }
                return Ok(());
            };
            tracing::warn!(job = job.id(), delivery = %job.delivery, error = chain, wait_seconds = wait.as_secs(), "trying again");
            sleep(wait).await;
        }
    }

    async fn once(&self, job: &Job, max_age: Duration, deadline: Instant) -> Result<(), ZipDlError> {
        let started = Instant::now();
        let host = job.permit(&job.repository, &self.allowed_hosts).map_err(ZipDlError::Permit)?;
        let kind = host.kind.ok_or_else(|| ZipDlError::NoKind(host.host.clone()))?;
        let api = ArchiveApi { host, kind };
        let credential = self.credential(&api, max_age).await?;
        let request = Request { job, api, credential };

        let (tip, default_branch) = match self.named(&request).await {
            Err(ZipDlError::NoSuchReference { .. }) if job.deleted => return self.delete(job).await,
            named => named?,
        };
        let default_branch = default_branch.as_deref();
        let found = self.output.find(job, default_branch).await.map_err(ZipDlError::Store)?;
        let (named, provenance) = (tip.commit.clone(), provenance(&tip));
        let artifact = self.output.artifact(job, default_branch, request.metadata(tip), found).await;
        let mut artifact = artifact.map_err(ZipDlError::Store)?;
        // For a tag, the sender may have sent the tag's own ID.
        let told = job.commit.as_ref().filter(|_| job.reference.branch().is_some());
        let superseded = told.filter(|told| **told != artifact.metadata.commit).cloned();
        let there = self.there(&artifact).await?;
        if let Some(told) = superseded.clone().filter(|_| there != There::No) {
            return Err(ZipDlError::Behind {
                reference: job.reference.clone(),
                told,
                commit: artifact.metadata.commit,
            });
        }
        if job.deleted && there == There::Yes {
            let (reference, commit) = (job.reference.clone(), artifact.metadata.commit);
            return Err(ZipDlError::NotDeleted { reference, commit });
        }
        let stored = async {
            let (placed, copied) = self.put(&request, default_branch, &mut artifact, there).await?;
            let version =
                placed.as_ref().map_or(artifact.found.version_id(), |placed| placed.zip.version_id.as_deref());
            tracing::info!(
                job = job.id(),
                delivery = %job.delivery,
                repository = %job.repository,
                reference = %job.reference,
                commit = %artifact.metadata.commit,
                moved_from = artifact.moved_from().map(CommitId::as_str),
                superseded = superseded.as_ref().map(CommitId::as_str),
                artifact = %artifact.object,
                version,
                kept = placed.as_ref().and_then(|placed| placed.kept.as_ref()).map(|kept| kept.object.key.as_str()),
                bytes_received = copied.as_ref().map(|copied| copied.received),
                entries = copied.as_ref().map(|copied| copied.entries),
                zip_bytes = copied.as_ref().map(|copied| copied.bytes),
                total_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                "{}",
                there.told(copied.as_ref())
            );
            let version_id = version.map(str::to_owned);
            let Some(placed) = placed else { return Ok(version_id) };
            // The archive may name another commit than the host did.
            let provenance = if artifact.metadata.commit == named { provenance } else { Provenance::default() };
            let manifest = placed.manifest(Subject::of(job, Worker::ZipDl), provenance);
            placed.put_manifests(&self.output.s3, &manifest).await.map_err(ZipDlError::Store)?;
            self.bus.send(Event::Ready(&manifest)).await.map_err(ZipDlError::Tell)?;
            Ok::<_, ZipDlError>(version_id)
        };
        let pending = async {
            if there == There::No {
                self.statuses.pending(job, &named, deadline).await;
            }
        };
        // A host that is slow to take a status delays neither the zip nor its event.
        let (stored, ()) = tokio::join!(stored, pending);
        let version_id = stored?;
        let (commit, key) = (&artifact.metadata.commit, artifact.object.key.as_str());
        self.statuses.success(job, &Zip { commit, key, version_id: version_id.as_deref() }, deadline).await;
        Ok(())
    }

    /// Whether the zip of the commit is there, and as what.
    async fn there(&self, artifact: &Artifact) -> Result<There, ZipDlError> {
        if !artifact.is_there() {
            return Ok(There::No);
        }
        let is_marked = self.output.is_marked(&artifact.object, &artifact.found).await.map_err(ZipDlError::Store)?;
        Ok(if is_marked { There::Marked } else { There::Yes })
    }

    /// Tells of a reference that is gone, unless that was done, and does with its zip what the
    /// parameter says.
    async fn delete(&self, job: &Job) -> Result<(), ZipDlError> {
        let deleted = self.output.deleted_reference(job).await.map_err(ZipDlError::Store)?;
        deleted.log(job);
        if deleted.is_told {
            return Ok(());
        }
        let event = deleted.event(Subject::of(job, Worker::ZipDl));
        self.bus.send(Event::Deleted(&event)).await.map_err(ZipDlError::TellDeletion)?;
        self.output.mark_deleted(job, deleted).await.map_err(ZipDlError::Store)
    }

    /// Has the zip of a commit at its keys, downloaded if the bucket doesn't keep it. Nothing is
    /// placed if nothing is to be said of what is there.
    async fn put(
        &self,
        request: &Request<'_>,
        default_branch: Option<&str>,
        artifact: &mut Artifact,
        there: There,
    ) -> Result<(Option<Placed>, Option<ProviderSummary>), ZipDlError> {
        let s3 = &self.output.s3;
        let placed = if there == There::Marked {
            artifact.renew(s3).await
        } else if artifact.is_of_delivery() {
            artifact.there(s3).await
        } else if there == There::Yes {
            return Ok((None, None));
        } else if artifact.is_kept() {
            artifact.copy_kept(s3).await
        } else {
            let (placed, copied) = self.download(request, default_branch, artifact).await?;
            return Ok((Some(placed), Some(copied)));
        };
        Ok((Some(placed.map_err(ZipDlError::Store)?), None))
    }

    /// The credential for the API. Empty if there is no token for its host.
    async fn credential(&self, api: &ArchiveApi<'_>, max_age: Duration) -> Result<Credential, ZipDlError> {
        let token = self.credentials.token(api.host, &self.allowed_hosts, &self.http, max_age).await?;
        let Some(token) = token else { return Ok(Credential::default()) };
        let (header, value) = api.credential(token.expose_secret());
        Ok(host_credentials::credential(&api.host.host, header, value)?)
    }

    /// The current commit of the job's reference, and the repository's default branch if the
    /// artifact's key depends on it. If the host doesn't know the reference, the default branch is
    /// requested as well: the response shows whether the host knows the repository.
    async fn named(&self, request: &Request<'_>) -> Result<(Tip, Option<String>), ZipDlError> {
        let is_branch = request.job.reference.branch().is_some();
        let early = async { if is_branch { Some(self.default_branch(request).await) } else { None } };
        let (tip, early) = tokio::join!(self.tip(request), early);
        match (tip?, early) {
            // It may know the repository, but no existing default branch.
            (Some(tip), None | Some(Err(ZipDlError::Https(HttpsError::NotFound { .. })))) => Ok((tip, None)),
            (Some(tip), Some(default_branch)) => Ok((tip, default_branch?)),
            (None, early) => {
                match early {
                    Some(known) => known?,
                    None => self.default_branch(request).await?,
                };
                let Job { repository, reference, .. } = request.job.clone();
                Err(ZipDlError::NoSuchReference { repository, reference })
            }
        }
    }

    /// The current commit of the reference. `None` if the host doesn't know the reference.
    async fn tip(&self, request: &Request<'_>) -> Result<Option<Tip>, ZipDlError> {
        let Request { job, api, credential } = request;
        let (url, host) = (api.tip(&job.repository.path, &job.reference), api.host.host.as_str());
        let answer = match self.http.get(&url, host, credential).await {
            Ok(answer) => answer,
            // GitHub returns 422.
            Err(HttpsError::NotFound { .. } | HttpsError::Status { status: 422, .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let what = "the request for its reference";
        let json = read_json(answer, what).await?;
        Ok(api.read_tip(&job.reference, &json).map_err(|_| HttpsError::Answer { host: host.to_owned(), what })?)
    }

    /// The repository's default branch. `None` if it has none yet.
    async fn default_branch(&self, request: &Request<'_>) -> Result<Option<String>, ZipDlError> {
        let Request { job, api, credential } = request;
        let (url, pointer) = api.default_branch(&job.repository.path);
        let host = api.host.host.as_str();
        let answer = self.http.get(&url, host, credential).await?;
        let json: serde_json::Value = read_json(answer, "the request for its default branch").await?;
        let name = json.pointer(pointer).and_then(serde_json::Value::as_str);
        Ok(name.map(|name| name.strip_prefix("refs/heads/").unwrap_or(name).to_owned()))
    }

    /// Converts the archive. For a tag of a tag, a host may have returned the inner tag's ID. Then
    /// the archive names the commit, which is requested instead.
    async fn download(
        &self,
        request: &Request<'_>,
        default_branch: Option<&str>,
        artifact: &mut Artifact,
    ) -> Result<(Placed, ProviderSummary), ZipDlError> {
        let actual = match self.download_once(request, artifact).await {
            Err(ZipDlError::Archive { source: ProviderError::Commit { expected, actual }, host })
                if request.job.reference.tag().is_some() =>
            {
                let commit = actual.parse::<CommitId>();
                commit.map_err(|_| ZipDlError::Archive { source: ProviderError::Commit { expected, actual }, host })?
            }
            result => return result,
        };
        let metadata = ArtifactMetadata { commit: actual, ..artifact.metadata.clone() };
        let found = artifact.found.clone();
        let named = self.output.artifact(request.job, default_branch, metadata, found).await;
        *artifact = named.map_err(ZipDlError::Store)?;
        self.download_once(request, artifact).await
    }

    async fn download_once(
        &self,
        request: &Request<'_>,
        artifact: &Artifact,
    ) -> Result<(Placed, ProviderSummary), ZipDlError> {
        let top_folder = request.top_folder();
        let is_optional = matches!(top_folder, TopFolder::Named(_));
        match self.copy(request, top_folder, artifact).await {
            // This isn't the top folder, but one of the repository's own.
            Err(ZipDlError::Archive { source: ProviderError::TopFolderNotShared { .. }, .. }) if is_optional => {
                self.copy(request, TopFolder::Never, artifact).await
            }
            result => result,
        }
    }

    async fn copy(
        &self,
        Request { job, api, credential }: &Request<'_>,
        top_folder: TopFolder,
        artifact: &Artifact,
    ) -> Result<(Placed, ProviderSummary), ZipDlError> {
        let commit = artifact.metadata.commit.clone();
        let url = api.archive(&job.repository.path, &commit);
        let answer = self.http.get(&url, api.host.host.as_str(), credential).await?;
        let (writer, upload) = artifact.start(&self.output.s3);
        let max_bytes = self.max_bytes;
        let input = https::reader(answer, Handle::current());
        let copying = blocking::spawn(move |interrupt| {
            let input = Interruptible { input, interrupt };
            write(input, &ProviderZip { top_folder, commit: Some(&commit), max_bytes }, writer)
        });
        let stored = upload.finish().await;
        match (copying.await.map_err(ZipDlError::Interrupted)?, stored) {
            (Ok(copied), stored) => {
                let placed = artifact.place(&self.output.s3, stored).await.map_err(ZipDlError::Store)?;
                Ok((placed, copied))
            }
            // If the zip can't be written, the upload has failed, and its error says why.
            (Err(ProviderError::Write(_)), Err(error)) => Err(ZipDlError::Store(error)),
            (Err(source), _) => Err(ZipDlError::Archive { host: api.host.host.to_string(), source }),
        }
    }
}

/// What the host says of a commit's origin. A time that isn't one is none.
fn provenance(tip: &Tip) -> Provenance {
    let parents = tip.parents.as_ref().map(|parents| parents.iter().map(ToString::to_string).collect());
    let author_time = tip.author_time.as_ref().and_then(|time| match time {
        AuthorTime::Text(text) => text.parse::<jiff::Timestamp>().is_ok().then(|| text.clone()),
        AuthorTime::Milliseconds(time) => Some(jiff::Timestamp::from_millisecond(*time).ok()?.to_string()),
    });
    Provenance { parents, author_time }
}

/// A reader that fails once it is abandoned.
struct Interruptible<'a, R> {
    input: R,
    interrupt: &'a AtomicBool,
}

impl<R: Read> Read for Interruptible<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(io::Error::other("the download was abandoned"));
        }
        self.input.read(buffer)
    }
}

/// Converts the zip and marks it as complete.
fn write(
    input: impl Read,
    expected: &ProviderZip<'_>,
    mut writer: PartWriter,
) -> Result<ProviderSummary, ProviderError> {
    let copied = copy_zip(input, expected, &mut writer)?;
    writer.finish().map_err(ProviderError::Write)?;
    Ok(copied)
}

/// The host, the repository and the credential of a request.
struct Request<'a> {
    job: &'a Job,
    api: ArchiveApi<'a>,
    credential: Credential,
}

impl Request<'_> {
    /// The artifact's metadata, from what the host reports for the reference.
    fn metadata(&self, Tip { commit, tree, message, .. }: Tip) -> ArtifactMetadata {
        let Job { repository, reference, delivery, .. } = self.job;
        let told = || self.job.summary.clone().filter(|_| self.job.commit.as_ref() == Some(&commit));
        let summary = message.and_then(|message| message.lines().next().map(str::to_owned)).or_else(told);
        ArtifactMetadata {
            repository: repository.clone(),
            tree,
            reference: reference.clone(),
            delivery_id: delivery.clone(),
            summary: summary.unwrap_or_default(),
            previous: None,
            worker: Some(Worker::ZipDl),
            sha256: None,
            commit,
        }
    }

    /// The top folder in the host's zips.
    fn top_folder(&self) -> TopFolder {
        match self.api.kind {
            HostKind::GitHub | HostKind::GitLab | HostKind::Bitbucket => TopFolder::Always,
            HostKind::Gitea => TopFolder::Named(self.job.repository.path.name().to_owned()),
            HostKind::BitbucketDataCenter | HostKind::Azure => TopFolder::Never,
        }
    }
}

/// The line of the log that says that what the host has is stored already.
fn tell_unchanged(job: &Job, commit: &CommitId, superseded: Option<&CommitId>, reason: &str) {
    let (id, repository, reference) = (job.id(), &job.repository, &job.reference);
    let superseded = superseded.map(CommitId::as_str);
    tracing::info!(job = id, delivery = %job.delivery, %repository, %reference, %commit, superseded, reason, "unchanged");
}
