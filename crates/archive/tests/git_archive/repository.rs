//! A repository made by real git, with our zip and git's.

use std::{ops::Deref, sync::atomic::AtomicBool};

use archive::{ArchiveError, LargeFiles, Options, Summary, write_zip};
use git_repository::{check_same, names, tree};
use provider_zip::{ProviderZip, TopFolder, copy_zip};

/// A repository for one test.
pub(crate) struct Repository(git_repository::Repository);

impl Deref for Repository {
    type Target = git_repository::Repository;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Repository {
    pub(crate) fn new() -> Self {
        Self(git_repository::Repository::init())
    }

    pub(crate) fn zip(&self) -> Result<(Vec<u8>, Summary), ArchiveError> {
        self.zip_with(&Options::default())
    }

    pub(crate) fn zip_with(&self, options: &Options) -> Result<(Vec<u8>, Summary), ArchiveError> {
        self.zip_with_large(options, None)
    }

    pub(crate) fn zip_with_large(
        &self,
        options: &Options,
        large: Option<&mut dyn LargeFiles>,
    ) -> Result<(Vec<u8>, Summary), ArchiveError> {
        let (repository, head) = self.open();
        let mut zip = Vec::new();
        let summary = write_zip(&repository, head, options, large, &AtomicBool::new(false), &mut zip)?;
        Ok((zip, summary))
    }

    /// The repository and its `HEAD`.
    pub(crate) fn open(&self) -> (gix::Repository, gix::ObjectId) {
        let repository = gix::open_opts(self.path(), gix::open::Options::isolated()).unwrap();
        // Not resolved further: the commit may be damaged.
        let head = repository.head().unwrap().id().unwrap().detach();
        (repository, head)
    }

    /// Compares our zip with git's, and returns the statistics.
    pub(crate) fn check(&self) -> Summary {
        let (ours, summary) = self.zip().unwrap();
        let gits = self.git(&["archive", "--format=zip", "HEAD"]);
        assert_eq!(ours.len() as u64, summary.bytes);
        let (our_tree, git_tree) = (tree(&ours), tree(&gits));
        assert_eq!(names(&ours), names(&gits));
        check_same(&our_tree, &git_tree);
        let folders = git_tree.values().filter(|(mode, _)| *mode == 0o040_000).count() as u64;
        assert_eq!(summary.entries, git_tree.len() as u64);
        assert_eq!(summary.entries, folders + summary.copied + summary.compressed + summary.stored);
        assert_eq!(tree(&self.provided()), git_tree);
        summary
    }

    /// Converts the zip that a provider would create.
    fn provided(&self) -> Vec<u8> {
        let zip = self.git(&["archive", "--format=zip", "--prefix=owner-name-1a2b3c4/", "HEAD"]);
        let head = String::from_utf8(self.git(&["rev-parse", "HEAD"])).unwrap().trim().parse().unwrap();
        let expected = ProviderZip { top_folder: TopFolder::Always, commit: Some(&head), max_bytes: 1 << 40 };
        let mut ours = Vec::new();
        let summary = copy_zip(&zip[..], &expected, &mut ours).unwrap();
        assert_eq!((summary.commit.as_ref(), summary.received), (Some(&head), zip.len() as u64));
        ours
    }
}

/// The repository in a bundle of this folder.
pub(crate) fn bundle(name: &str) -> Repository {
    let repository = Repository::new();
    let path = format!("{}/tests/git_archive/bundles/{name}", env!("CARGO_MANIFEST_DIR"));
    repository.git(&["fetch", "-q", "-u", &path, "main:main"]);
    repository
}
