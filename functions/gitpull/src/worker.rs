//! One job, from the fetch to the stored zip.

use std::{
    collections::HashMap,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use archive::{ArchiveError, DotGit, Options, Paths, Pushed, Summary};
use aws_names::BucketName;
use contract::{AllowedHosts, Job, KeyLayout, Location};
use fetch::{Clones, FetchRequest, Fetched, KnownHosts, Limits, Reading, Remote, Wanted};
use gix::bstr::BString;
use https::Client;
use store::{ArtifactMetadata, Object, PartWriter, Upload};
use tokio::{runtime::Handle, time::timeout_at};

use crate::{
    cache::{Found, PackCache},
    error::GitPullError,
    lfs::Stores,
    private_key::StoredKey,
    submodules,
};

/// Everything that a job doesn't say.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) known_hosts: KnownHosts,
    pub(crate) key: StoredKey,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) output_bucket: BucketName,
    pub(crate) key_layout: KeyLayout,
    /// What a clone begins with where there is none.
    pub(crate) cache: PackCache,
    /// Where the clones stay between jobs.
    pub(crate) clones: Clones,
    /// Which files go into the zip.
    pub(crate) paths: Paths,
    /// Whether the zip has a `.git` folder.
    pub(crate) history: History,
    /// Whether the files of submodules go into the zip.
    pub(crate) submodules: Submodules,
    /// What downloads the files that Git LFS keeps; nothing where what stands for them goes into
    /// the zip: the `Lfs` parameter.
    pub(crate) lfs: Option<Client>,
}

/// What of Git a zip holds: the `ExcludeGit` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    /// The files alone.
    Excluded,
    /// A `.git` folder beside them.
    Included,
}

/// What becomes of submodules: the `Submodules` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Submodules {
    /// They are empty folders, as in `git archive`.
    Excluded,
    /// Their files are in them.
    Included,
}

/// What has to be done for a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// The bucket has its zip.
    Nothing,
    /// The bucket has a zip of another commit with the same files: it is copied, and names this
    /// one.
    Copy,
    /// A zip has to be made.
    Zip,
}

impl Due {
    /// What was done, for the log.
    fn told(self) -> &'static str {
        match self {
            Self::Nothing => "unchanged: the bucket has the zip of this commit",
            Self::Copy => "stored: a copy of another commit's zip with the same files",
            Self::Zip => "stored",
        }
    }
}

impl Worker {
    /// Does a job, or fails before the deadline.
    pub(crate) async fn deliver(&self, job: &Job, deadline: Instant) -> Result<(), GitPullError> {
        // On the heap: with the submodules in it, it is large.
        let work = Box::pin(self.fetch_and_store(job, deadline));
        timeout_at(deadline.into(), work).await.unwrap_or(Err(GitPullError::Deadline))
    }

    async fn fetch_and_store(&self, job: &Job, deadline: Instant) -> Result<(), GitPullError> {
        let started = Instant::now();
        let wanted = Wanted::Reference { name: job.reference.clone(), expected: job.commit.clone() };
        let fetch = async {
            let fetched = self.fetch(job, &job.location(), wanted, deadline).await;
            (fetched, started.elapsed())
        };
        // To be told of the zip that is there takes a while, too. Meanwhile the host says which of
        // two keys it has.
        let branch = job.reference.branch();
        let look =
            async |default_branch| store::find(&self.s3, &self.artifact(job, default_branch), &job.repository).await;
        let as_default = async { if branch.is_some() { Some(look(branch).await) } else { None } };
        let ((fetched, fetch_time), as_default, as_other) = tokio::join!(fetch, as_default, look(None));
        let (fetched, seed) = fetched?;
        let commit = fetched.commit.to_string();
        let default_branch = fetched.default_branch.as_deref();
        let object = self.artifact(job, default_branch);
        let found = as_default.filter(|_| default_branch == branch).unwrap_or(as_other).map_err(GitPullError::Store)?;
        let metadata = ArtifactMetadata {
            repository: job.repository.clone(),
            commit: commit.parse().map_err(|source| GitPullError::Commit(commit.clone(), source))?,
            tree: Some(fetched.tree.to_string()),
            reference: job.reference.clone(),
            delivery_id: job.delivery.clone(),
            summary: fetched.summary.clone(),
        };
        let (received, superseded) = (fetched.received, fetched.superseded.as_ref().map(ToString::to_string));
        let host_said = fetched.said.clone();
        let (origin, stale) = (fetched.origin, seed.stale(fetched.origin, received));
        let due = self.due(&fetched, &metadata, &found).await?;
        let (summary, fetched) = match due {
            Due::Nothing => (Summary::default(), fetched),
            Due::Copy => {
                store::copy(&self.s3, &object, &metadata, &found).await.map_err(GitPullError::Store)?;
                (Summary::default(), fetched)
            }
            Due::Zip => {
                let contents = self.contents(job, &fetched, deadline).await?;
                let artifact = Artifact { object: object.clone(), metadata, found };
                let stored = self.store(fetched, artifact, contents).await;
                // A `.git` folder is made on the disk. The next try finds room for it.
                if stored.as_ref().is_err_and(|error| fetch::is_out_of_room(error)) {
                    self.clones.remove_all_but(&job.repository);
                }
                stored?
            }
        };
        tracing::info!(
            job = job.id(),
            delivery = %job.delivery,
            repository = %job.repository,
            reference = %job.reference,
            commit,
            superseded,
            host_said,
            artifact = %object,
            clone = ?origin,
            bytes_received = received,
            entries = summary.entries,
            copied = summary.copied,
            compressed = summary.compressed,
            large = summary.large,
            zip_bytes = summary.bytes,
            fetch_ms = milliseconds(fetch_time),
            total_ms = milliseconds(started.elapsed()),
            "{}",
            due.told()
        );
        if let Some(stale) = stale {
            // The zip is there: what there is no time left for is left to the next function.
            let kept = self.cache.keep(&job.repository, fetched, stale);
            timeout_at(deadline.into(), kept)
                .await
                .unwrap_or_else(|_| tracing::warn!("no time was left to keep the pack"));
        }
        Ok(())
    }

    /// What has to be done for a commit, where this was found. Another commit is another version,
    /// even with the same tree: an object isn't to name a commit that the branch has left.
    async fn due(
        &self,
        fetched: &Fetched,
        metadata: &ArtifactMetadata,
        found: &store::Found,
    ) -> Result<Due, GitPullError> {
        let Some(there) = found.metadata.as_ref().filter(|there| there.tree == metadata.tree) else {
            return Ok(Due::Zip);
        };
        if there.commit == metadata.commit {
            return Ok(Due::Nothing);
        }
        if self.history == History::Included || !found.can_be_copied() {
            return Ok(Due::Zip);
        }
        let options = Options { paths: self.paths.clone(), ..Options::default() };
        let (clone, commit) = (fetched.clone.clone(), fetched.commit);
        let look = move |interrupt: &AtomicBool| archive::names_its_commit(&clone, commit, &options, interrupt);
        let names_it = blocking::spawn(look).await.map_err(GitPullError::Interrupted)?;
        let names_it = names_it.map_err(|source| GitPullError::Archive { commit: commit.to_string(), source })?;
        Ok(if names_it { Due::Zip } else { Due::Copy })
    }

    fn artifact(&self, job: &Job, default_branch: Option<&str>) -> Object {
        Object { bucket: self.output_bucket.clone(), key: job.artifact_key(self.key_layout, default_branch) }
    }

    async fn fetch(
        &self,
        job: &Job,
        location: &Location,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<(Fetched, Found), GitPullError> {
        let request = FetchRequest { remote: self.remote(job, location, deadline).await?, wanted };
        let mut found = Found::default();
        let seed = async || self.cache.open(&location.repository, &mut found).await;
        let fetched = fetch::fetch_seeded(&request, &self.clones, seed).await.map_err(GitPullError::Fetch)?;
        Ok((fetched, found))
    }

    /// How a repository is reached that a job may have fetched, its own or another one. Nothing is
    /// fetched without.
    async fn remote(&self, job: &Job, location: &Location, deadline: Instant) -> Result<Remote, GitPullError> {
        let host = job.permit(&location.repository, &self.allowed_hosts).map_err(GitPullError::Permit)?;
        Ok(Remote {
            host: host.clone(),
            repository: location.repository.clone(),
            spelling: location.spelling,
            key: self.key.get().await?.clone(),
            known_hosts: self.known_hosts.clone(),
            limits: Limits::until(deadline),
        })
    }

    /// What goes into the zip of a job.
    async fn contents(&self, job: &Job, fetched: &Fetched, deadline: Instant) -> Result<Contents, GitPullError> {
        let host = self.allowed_hosts.find(job.repository.host.as_str());
        let dot_git = host.filter(|_| self.history == History::Included).map(|host| DotGit {
            branch: job.reference.branch().map(|_| job.reference.to_string()),
            url: host.ssh_url(&job.repository.path, job.spelling),
        });
        let pushed = Some(Pushed { reference: job.reference.clone(), target: fetched.target });
        let options = Options { paths: self.paths.clone(), pushed, dot_git, submodules: Vec::new() };
        let submodules = match self.submodules {
            Submodules::Excluded => Vec::new(),
            Submodules::Included => {
                let fetch = async |location: &Location, wanted| {
                    self.fetch(job, location, wanted, deadline).await.map(|(fetched, _)| fetched)
                };
                submodules::fetch_all(job, &self.allowed_hosts, fetched, options.clone(), fetch).await?
            }
        };
        let large = match &self.lfs {
            None => None,
            Some(client) => {
                let own = self.remote(job, &job.location(), deadline).await?;
                let mut remotes = HashMap::from([(BString::default(), own)]);
                for (location, submodule, _) in &submodules {
                    remotes.insert(submodule.path.clone(), self.remote(job, location, deadline).await?);
                }
                Some(Stores { client: client.clone(), remotes })
            }
        };
        let (submodules, reading) = submodules.into_iter().map(|(_, submodule, reading)| (submodule, reading)).unzip();
        let options = Options { submodules, ..options };
        Ok(Contents { options, large, reading })
    }

    async fn store(
        &self,
        fetched: Fetched,
        Artifact { object, metadata, found }: Artifact,
        contents: Contents,
    ) -> Result<(Summary, Fetched), GitPullError> {
        let commit = fetched.commit.to_string();
        let (writer, upload) = Upload::start(&self.s3, object, &metadata, &found);
        let runtime = Handle::current();
        let zipping = blocking::spawn(move |interrupt| zip(fetched, contents, runtime, writer, interrupt));
        let stored = upload.finish().await;
        match zipping.await.map_err(GitPullError::Interrupted)? {
            Ok(zipped) => stored.map(|_| zipped).map_err(GitPullError::Store),
            // That the zip can't be written on is the upload's failure, and it knows why.
            Err(ArchiveError::Write(source)) => {
                stored.map_err(GitPullError::Store)?;
                Err(GitPullError::Archive { commit, source: ArchiveError::Write(source) })
            }
            Err(source) => Err(GitPullError::Archive { commit, source }),
        }
    }
}

/// What is stored, and in place of what.
struct Artifact {
    object: Object,
    metadata: ArtifactMetadata,
    found: store::Found,
}

/// What goes into a zip, and where what Git LFS keeps of it comes from if it does.
struct Contents {
    options: Options,
    large: Option<Stores>,
    /// Keeps the clones of the submodules as they are.
    reading: Vec<Reading>,
}

/// Zips a fetched commit. A clone in which an object is missing or damaged is thrown away, so that
/// the next try fetches it anew.
fn zip(
    fetched: Fetched,
    contents: Contents,
    runtime: Handle,
    mut writer: PartWriter,
    interrupt: &AtomicBool,
) -> Result<(Summary, Fetched), ArchiveError> {
    match write(&fetched, contents, runtime, &mut writer, interrupt) {
        Ok(summary) => writer.finish().map(|()| (summary, fetched)).map_err(ArchiveError::Write),
        Err(error) => {
            let damaged =
                matches!(error, ArchiveError::Object { .. } | ArchiveError::Pack { .. } | ArchiveError::Damaged { .. });
            if damaged && let Err(kept) = fetched.discard() {
                tracing::warn!(error = %kept, "could not throw the damaged clone away");
            }
            Err(error)
        }
    }
}

fn write(
    Fetched { clone, commit, .. }: &Fetched,
    Contents { options, large, reading: _reading }: Contents,
    runtime: Handle,
    writer: &mut PartWriter,
    interrupt: &AtomicBool,
) -> Result<Summary, ArchiveError> {
    let Some(stores) = large else { return archive::write_zip(clone, *commit, &options, None, interrupt, writer) };
    let files = archive::large_files(clone, *commit, &options, interrupt)?;
    let mut downloads = stores.download(files, runtime);
    archive::write_zip(clone, *commit, &options, Some(&mut downloads), interrupt, writer)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
