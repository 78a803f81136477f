//! The third step: what goes into the zip, and the zip itself.

use std::{collections::HashMap, io::Write, sync::atomic::AtomicBool, time::Instant};

use archive::{ArchiveError, DotGit, Options, Pushed, Summary};
use contract::{Job, Location};
use fetch::{Fetched, Reading};
use gix::bstr::BString;
use store::PartWriter;
use tokio::runtime::Handle;

use super::fetch::Source;
use crate::{
    error::GitPullError,
    files::{Files, History, Submodules},
    lfs::Stores,
    submodules,
};

/// What goes into a zip, and where what Git LFS keeps of it comes from if it does.
pub(crate) struct Contents {
    options: Options,
    large: Option<Stores>,
    /// Keeps the clones of the submodules as they are.
    reading: Vec<Reading>,
}

/// What goes into the zip of a job. The submodules are fetched.
pub(crate) async fn contents(
    job: &Job,
    fetched: &Fetched,
    files: &Files,
    source: &Source,
    deadline: Instant,
) -> Result<Contents, GitPullError> {
    let url = source.url(job).filter(|_| files.history == History::Included);
    let dot_git = url.map(|url| DotGit { branch: job.reference.branch().map(|_| job.reference.to_string()), url });
    let pushed = Some(Pushed { reference: job.reference.clone(), target: fetched.target });
    let options = Options { paths: files.paths.clone(), pushed, dot_git, submodules: Vec::new() };
    let submodules = match files.submodules {
        Submodules::Excluded => Vec::new(),
        Submodules::Included => {
            let fetch = async |location: &Location, wanted| {
                source.fetch(job, location, wanted, deadline).await.map(|(fetched, _)| fetched)
            };
            Box::pin(submodules::fetch_all(job, &source.allowed_hosts, fetched, options.clone(), fetch)).await?
        }
    };
    let large = match &files.lfs {
        None => None,
        Some(client) => {
            let own = source.remote(job, &job.location(), deadline).await?;
            let mut remotes = HashMap::from([(BString::default(), own)]);
            for (location, submodule, _) in &submodules {
                remotes.insert(submodule.path.clone(), source.remote(job, location, deadline).await?);
            }
            Some(Stores { client: client.clone(), remotes })
        }
    };
    let (submodules, reading) = submodules.into_iter().map(|(_, submodule, reading)| (submodule, reading)).unzip();
    let options = Options { submodules, ..options };
    Ok(Contents { options, large, reading })
}

/// Zips a fetched commit. A clone in which an object is missing or damaged is thrown away, so that
/// the next try fetches it anew.
pub(crate) fn zip(
    fetched: Fetched,
    contents: Contents,
    runtime: Handle,
    mut writer: PartWriter,
    interrupt: &AtomicBool,
) -> Result<(Summary, Fetched), ArchiveError> {
    match write(&fetched.clone, fetched.commit, contents, runtime, &mut writer, interrupt) {
        Ok(summary) => writer.finish().map(|()| (summary, fetched)).map_err(ArchiveError::Write),
        Err(error) => {
            if is_damage(&error)
                && let Err(kept) = fetched.discard()
            {
                tracing::warn!(error = %kept, "could not throw the damaged clone away");
            }
            Err(error)
        }
    }
}

/// Whether the clone is to blame, and not what was pushed, what Git LFS keeps or where the zip
/// goes.
fn is_damage(error: &ArchiveError) -> bool {
    matches!(error, ArchiveError::Object { .. } | ArchiveError::Pack { .. } | ArchiveError::Damaged { .. })
}

fn write(
    clone: &gix::Repository,
    commit: gix::ObjectId,
    Contents { options, large, reading: _reading }: Contents,
    runtime: Handle,
    writer: &mut impl Write,
    interrupt: &AtomicBool,
) -> Result<Summary, ArchiveError> {
    let Some(stores) = large else { return archive::write_zip(clone, commit, &options, None, interrupt, writer) };
    let files = archive::large_files(clone, commit, &options, interrupt)?;
    let mut downloads = stores.download(files, runtime);
    archive::write_zip(clone, commit, &options, Some(&mut downloads), interrupt, writer)
}

#[cfg(test)]
mod tests {
    use gix::objs::tree::{Entry, EntryKind};

    use super::*;

    /// A repository with a commit of one file.
    fn repository(folder: &std::path::Path) -> (gix::Repository, gix::ObjectId) {
        let clone = gix::init_bare(folder).unwrap();
        let oid = clone.write_blob(b"content").unwrap().detach();
        let entries = vec![Entry { mode: EntryKind::Blob.into(), filename: "file".into(), oid }];
        let tree = clone.write_object(gix::objs::Tree { entries }).unwrap();
        let person = gix::actor::SignatureRef { name: "A".into(), email: "a@example.com".into(), time: "1 +0000" };
        let none: [gix::ObjectId; 0] = [];
        let commit = clone.new_commit_as(person, person, "x", tree, none).unwrap().id;
        (clone, commit)
    }

    fn nothing_large() -> Contents {
        Contents { options: Options::default(), large: None, reading: Vec::new() }
    }

    #[tokio::test]
    async fn zip_without_large_files_downloads_nothing() {
        let folder = tempfile::TempDir::new().unwrap();
        let (clone, commit) = repository(folder.path());
        let (never, mut zip) = (AtomicBool::new(false), Vec::new());
        let summary = write(&clone, commit, nothing_large(), Handle::current(), &mut zip, &never).unwrap();
        assert_eq!((summary.entries, summary.large, summary.bytes), (1, 0, zip.len() as u64));
    }

    #[tokio::test]
    async fn missing_commit_is_damage() {
        let folder = tempfile::TempDir::new().unwrap();
        let (clone, _) = repository(folder.path());
        let (never, absent) = (AtomicBool::new(false), gix::ObjectId::empty_blob(gix::hash::Kind::Sha1));
        let error = write(&clone, absent, nothing_large(), Handle::current(), &mut Vec::new(), &never).unwrap_err();
        assert!(is_damage(&error), "{error:?}");
    }

    #[test]
    fn interruption_is_no_damage() {
        let write = ArchiveError::Write(std::io::Error::other("the upload stopped"));
        for error in [ArchiveError::Interrupted, ArchiveError::Path { path: "..".into() }, write] {
            assert!(!is_damage(&error), "{error:?}");
        }
    }
}
