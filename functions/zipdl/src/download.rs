//! One job, from the request to the stored zip. Nothing is kept on disk: what comes from the host goes through the copy
//! into the parts of the upload.

use std::time::{Duration, Instant};

use archive::provider::{ProviderError, ProviderSummary, ProviderZip, TopFolder, copy_zip};
use aws_names::BucketName;
use contract::{AllowedHosts, HostKind, Job};
use forge::{ArchiveApi, Revision};
use https::{Client, Credential, HttpsError, read_json};
use secret::{MAX_AGE, ROTATION_AGE, SecretSource};
use store::{ArtifactMetadata, Object, PartWriter, Upload};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout_at},
};

use crate::{credentials::Credentials, error::ZipDlError};

/// Everything that a job doesn't say.
#[derive(Debug)]
pub(crate) struct Downloader<S> {
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) http: Client,
    pub(crate) credentials: Credentials<S>,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) output_bucket: BucketName,
    /// How long an archive may be.
    pub(crate) max_bytes: u64,
    /// How long to wait after a first failure; after a second twice as long, and so on.
    pub(crate) patience: Duration,
}

/// How often a job is tried within one run.
const TRIES: u32 = 4;

impl<S: SecretSource> Downloader<S> {
    /// Does a job, or fails before the deadline. What may pass by itself is tried again while there is time.
    pub(crate) async fn deliver(&self, job: &Job, deadline: Instant) -> Result<(), ZipDlError> {
        // On the heap: the type of all these futures in one another is too deep for the compiler.
        let work = Box::pin(self.try_until(job, deadline));
        timeout_at(deadline.into(), work).await.unwrap_or(Err(ZipDlError::Deadline))
    }

    async fn try_until(&self, job: &Job, deadline: Instant) -> Result<(), ZipDlError> {
        let mut max_age = MAX_AGE;
        let mut tries = 0;
        loop {
            let Err(error) = self.once(job, max_age).await else { return Ok(()) };
            // The credential may have been rotated since it was read: once it is read again.
            if matches!(error, ZipDlError::Https(HttpsError::Unauthorized { .. })) && max_age == MAX_AGE {
                max_age = ROTATION_AGE;
                continue;
            }
            let wait = error.wait(self.patience * 2u32.pow(tries)).filter(|wait| Instant::now() + *wait < deadline);
            tries += 1;
            let Some(wait) = wait.filter(|_| tries < TRIES) else { return Err(error) };
            let chain = contract::error_chain(&error);
            tracing::warn!(job = job.id(), delivery = %job.delivery, error = chain, wait_seconds = wait.as_secs(), "trying again");
            sleep(wait).await;
        }
    }

    async fn once(&self, job: &Job, max_age: Duration) -> Result<(), ZipDlError> {
        let started = Instant::now();
        let host = self.allowed_hosts.find(job.repository.host.as_str());
        let host = host.ok_or_else(|| ZipDlError::HostNotAllowed(job.repository.host.clone()))?;
        let kind = host.kind.ok_or_else(|| ZipDlError::NoKind(host.host.clone()))?;
        let api = ArchiveApi { host, kind };
        let credential = self.credentials.of(&api, &self.allowed_hosts, &self.http, max_age).await?;
        let request = Request { job, api, credential };

        let default_branch = self.default_branch(&request).await?;
        let object = Object { bucket: self.output_bucket.clone(), key: job.artifact_key(&default_branch) };
        // What a sender says of a tag may be the tag's own id, and not its commit's.
        let commit = job.commit.as_ref().filter(|_| job.reference.branch().is_some());
        let metadata = ArtifactMetadata {
            commit: commit.cloned(),
            tree: None,
            reference: job.reference.clone(),
            delivery_id: job.delivery.clone(),
            summary: job.summary.clone().unwrap_or_default(),
        };
        let there = store::head(&self.s3, &object).await.map_err(ZipDlError::Store)?;
        let is_there = metadata.commit.is_some() && there.is_some_and(|there| there.commit == metadata.commit);
        let copied = if is_there { None } else { Some(self.download(&request, &object, &metadata).await?) };
        let said = if is_there { "unchanged: the bucket has a zip of this commit" } else { "stored" };
        tracing::info!(
            job = job.id(),
            delivery = %job.delivery,
            repository = %job.repository,
            reference = %job.reference,
            commit = copied.as_ref().and_then(|copied| copied.commit.as_ref()).or(commit).map(contract::CommitId::as_str),
            artifact = %object,
            bytes_received = copied.as_ref().map(|copied| copied.received),
            entries = copied.as_ref().map(|copied| copied.entries),
            zip_bytes = copied.as_ref().map(|copied| copied.bytes),
            total_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "{said}"
        );
        Ok(())
    }

    /// The repository's default branch, asked for only where the artifact's key depends on it and the sender didn't tell.
    async fn default_branch(&self, request: &Request<'_>) -> Result<String, ZipDlError> {
        let Request { job, api, credential } = request;
        if job.reference.branch().is_none() || job.default_branch.is_some() {
            return Ok(String::new());
        }
        let (url, pointer) = api.default_branch(&job.repository.path);
        let host = api.host.host.as_str();
        let answer = self.http.get(&url, host, credential).await?;
        let what = "the question for its default branch";
        let json: serde_json::Value = read_json(answer, what).await?;
        let name = json.pointer(pointer).and_then(serde_json::Value::as_str);
        let name = name.ok_or_else(|| HttpsError::Answer { host: host.to_owned(), what })?;
        Ok(name.strip_prefix("refs/heads/").unwrap_or(name).to_owned())
    }

    async fn download(
        &self,
        request: &Request<'_>,
        object: &Object,
        metadata: &ArtifactMetadata,
    ) -> Result<ProviderSummary, ZipDlError> {
        let top_folder = request.top_folder();
        let is_optional = matches!(top_folder, TopFolder::Named(_));
        match self.copy(request, top_folder, object, metadata).await {
            // It isn't the folder that everything lies in, but one of the repository's own.
            Err(ZipDlError::Archive { source: ProviderError::TopFolderNotShared { .. }, .. }) if is_optional => {
                self.copy(request, TopFolder::Never, object, metadata).await
            }
            result => result,
        }
    }

    async fn copy(
        &self,
        request: &Request<'_>,
        top_folder: TopFolder,
        object: &Object,
        metadata: &ArtifactMetadata,
    ) -> Result<ProviderSummary, ZipDlError> {
        let answer = self.http.get(&request.url(), request.api.host.host.as_str(), &request.credential).await?;
        let (writer, upload) = Upload::start(&self.s3, object.clone(), metadata);
        let (commit, max_bytes) = (metadata.commit.clone(), self.max_bytes);
        let input = https::reader(answer, Handle::current());
        let copying = tokio::task::spawn_blocking(move || {
            write(input, &ProviderZip { top_folder, commit: commit.as_ref(), max_bytes }, writer)
        });
        let stored = upload.finish().await;
        match (copying.await.map_err(ZipDlError::Interrupted)?, stored) {
            (Ok(copied), Ok(_)) => Ok(copied),
            // That the zip can't be written on is the upload's failure, and it knows why.
            (Ok(_) | Err(ProviderError::Write(_)), Err(error)) => Err(ZipDlError::Store(error)),
            (Err(source), _) => Err(ZipDlError::Archive { host: request.api.host.host.to_string(), source }),
        }
    }
}

/// Copies the zip and says that it is whole.
fn write(
    input: impl std::io::Read,
    expected: &ProviderZip<'_>,
    mut writer: PartWriter,
) -> Result<ProviderSummary, ProviderError> {
    let copied = copy_zip(input, expected, &mut writer)?;
    writer.finish().map_err(ProviderError::Write)?;
    Ok(copied)
}

/// What is asked for, of whom, as whom.
struct Request<'a> {
    job: &'a Job,
    api: ArchiveApi<'a>,
    credential: Credential,
}

impl Request<'_> {
    fn url(&self) -> String {
        let revision = match &self.job.commit {
            Some(commit) => Revision::Commit(commit),
            None => Revision::Reference(&self.job.reference),
        };
        self.api.archive(&self.job.repository.path, revision)
    }

    /// What the host's zips look like on top.
    fn top_folder(&self) -> TopFolder {
        match self.api.kind {
            HostKind::GitHub | HostKind::GitLab | HostKind::Bitbucket => TopFolder::Always,
            HostKind::Gitea => TopFolder::Named(self.job.repository.path.name().to_owned()),
            HostKind::BitbucketDataCenter | HostKind::Azure => TopFolder::Never,
        }
    }
}
