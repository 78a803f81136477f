//! A stack whose connections to AWS and the Git host can fail in any way, and the invariants to
//! check afterwards.

use std::io::ErrorKind;
use std::time::Duration;

use deployment::account::Account;
use deployment::deploy::Parameters;
use deployment::render::progress::Silent;
use infra::redrive;
use local::artifact::Artifact;
use local::event_source::{Delivered, EventSource};
use local::fault_proxy::FaultProxy;
use local::host::Clone;
use local::local::{Local, STACK};
use local::proxy::{Network, Proxy};
use local::tree::Tree;
use tempfile::TempDir;

use super::scratch;

/// The timeout of a function in tests with unanswered calls, in seconds: half of it remains after
/// the time reserved for its report. Other tests keep the template's timeout, because a machine can
/// be slow.
const PATIENCE_OF_A_FUNCTION: u16 = 12;
pub(super) const PATIENCE: Duration = Duration::from_mins(8);

pub(super) struct World {
    pub(super) local: Local,
    /// Between the functions and AWS.
    pub(super) aws: FaultProxy,
    /// Between gitpull and the Git host.
    pub(super) ssh: Proxy,
    pub(super) source: EventSource,
    pub(super) dead_letters: String,
    pub(super) bucket: String,
    dir: TempDir,
}

/// A push that was answered with 202.
pub(super) struct Accepted {
    pub(super) clone: Clone,
    pub(super) commit: String,
}

impl World {
    pub(super) async fn new() -> Self {
        let dir = scratch();
        let aws = FaultProxy::start().await.unwrap();
        let local = Local::behind(dir.path(), &aws).await.unwrap();
        let ssh = Proxy::start(local.sshd.port, Network::default()).await.unwrap();
        local.packaged().unwrap();
        let through = |parameters: Parameters| {
            let line = local.sshd.known_hosts_line().unwrap();
            let line = line.replace(&format!("]:{}", local.sshd.port), &format!("]:{}", ssh.port));
            let host = format!("{}@127.0.0.1:{}", local.sshd.user, ssh.port);
            parameters.with("AllowedGitHosts", host).with("KnownHosts", line)
        };
        let stack = local.deploy_with(&mut Silent, through).await.unwrap();
        let account = &local.cloud.account;
        let source = EventSource { hurries: true, ..EventSource::of_gitpull(account, STACK).await.unwrap() };
        let resources = account.resources(STACK).await.unwrap();
        let dead_letters = resources.id("GitPullDeadLetterQueue").unwrap().to_owned();
        let bucket = stack.output("OutputBucketName").unwrap().to_owned();
        Self { local, aws, ssh, source, dead_letters, bucket, dir }
    }

    /// Pushes a file of this size to a new repository.
    pub(super) async fn push(&self, path: &str, bytes: usize) -> Accepted {
        let clone = self.local.host.create(path).await.unwrap();
        self.push_again(clone, bytes).await
    }

    /// Pushes another file to it.
    pub(super) async fn push_again(&self, clone: Clone, bytes: usize) -> Accepted {
        let mut content = vec![0; bytes];
        rand::fill(&mut content[..]);
        std::fs::write(clone.dir().join("content.bin"), content).unwrap();
        let commit = clone.commit("Change").await.unwrap();
        let said = clone.push(&["main"]).await.unwrap();
        assert!(said.contains(": 202"), "{said}");
        Accepted { clone, commit }
    }

    /// Redrives the dead-letter messages. Returns how many there were.
    pub(super) async fn redrive(&self) -> usize {
        let account = Account::open(&self.source.account.config).await.unwrap();
        let moved = redrive::redrive(&account, STACK, &["GitPull"], &mut Silent).await.unwrap().unwrap();
        moved[0].count
    }

    /// Makes the next worker start with an empty memory and an empty disk.
    pub(super) async fn renew_workers(&self) {
        self.source.account.make_cold(&self.source.function).await.unwrap();
        let clones = self.dir.path().join("tmp/clones");
        std::fs::remove_dir_all(clones)
            .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
            .unwrap();
    }

    /// Shortens the functions' timeout from now on.
    pub(super) async fn hurry(&self) {
        self.source.account.limit(&self.source.function, PATIENCE_OF_A_FUNCTION).await.unwrap();
    }

    pub(super) async fn drain(&self) -> Vec<(String, Delivered)> {
        self.source.drain(PATIENCE).await.unwrap()
    }

    /// The object of a push to the default branch.
    pub(super) async fn zip_of(&self, accepted: &Accepted) -> Artifact {
        let path = &accepted.clone.path;
        let key = format!("{path}/{}.zip", path.replace('/', "_"));
        Artifact::get(&self.source.account, &self.bucket, &key).await.unwrap()
    }

    /// Checks that the object is the zip of the commit.
    pub(super) async fn is_stored(&self, accepted: &Accepted) {
        let zip = self.zip_of(accepted).await;
        assert_eq!(zip.metadata["commit"], accepted.commit, "{}", accepted.clone.path);
        zip.same_tree(&accepted.clone.archive(&accepted.commit).await.unwrap()).unwrap();
    }

    /// The reason of a repository's dead-letter message, if any.
    pub(super) async fn reason(&self, path: &str) -> Option<String> {
        let messages = self.source.account.dead_letters(&self.dead_letters).await.unwrap();
        let mut own = messages.into_iter().filter(|(job, _)| job["repository"]["path"] == path);
        own.next().map(|(_, reason)| reason.unwrap_or_default())
    }

    /// The invariants: every version of every object is a complete zip of a commit, and parts of
    /// uploads whose worker was killed remain for the bucket's rule, which removes them after a day
    /// (`policy/s3/bucket_aborts_uploads.guard`). Returns the key of each version.
    pub(super) async fn is_clean(&self, killed_amid_parts: usize) -> Vec<String> {
        let account = &self.source.account;
        let versions = account.versions(&self.bucket).await.unwrap();
        for (key, version) in &versions {
            let object =
                account.s3.get_object().bucket(&self.bucket).key(key).version_id(version).send().await.unwrap();
            assert!(object.metadata().unwrap().contains_key("commit"), "{key}");
            Tree::of_zip(&object.body.collect().await.unwrap().into_bytes()).unwrap();
        }
        let uploads = account.s3.list_multipart_uploads().bucket(&self.bucket).send().await.unwrap();
        assert_eq!(uploads.uploads().len(), killed_amid_parts, "{uploads:?}");
        versions.into_iter().map(|(key, _)| key).collect()
    }
}
