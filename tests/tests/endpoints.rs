//! Both endpoints with all kinds of Git hosts: a push in the host's format must give the same zip,
//! whether fetched over SSH or downloaded from its archive API. The payloads and API requirements
//! are the hosts'. The repositories and the SSH server are real.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::path::Path;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::HostKind;
use deployment::{deploy::Parameters, render::progress::Silent};
use local::archives::{Archives, CONSUMER, Seen, TOKEN, address};
use local::artifact::{Artifact, field};
use local::host::Clone;
use local::local::{Local, Stack};
use local::tree::Tree;
use local::webhook::{delivery_id, post, signature};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(1);

/// The sender of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    GitHub,
    GitLab,
    BitbucketCloud,
    BitbucketDataCenter,
    Gitea,
    Forgejo,
    Gogs,
    AzureDevOps,
    Generic,
}

impl Sender {
    const ALL: [Self; 9] = [
        Self::GitHub,
        Self::GitLab,
        Self::BitbucketCloud,
        Self::BitbucketDataCenter,
        Self::Gitea,
        Self::Forgejo,
        Self::Gogs,
        Self::AzureDevOps,
        Self::Generic,
    ];

    /// The kind of server with the repository. Gogs and custom senders have no archive API: theirs
    /// is on another kind.
    fn kind(self) -> HostKind {
        match self {
            Self::GitHub => HostKind::GitHub,
            Self::GitLab => HostKind::GitLab,
            Self::BitbucketCloud => HostKind::Bitbucket,
            Self::BitbucketDataCenter => HostKind::BitbucketDataCenter,
            Self::Gitea | Self::Forgejo | Self::Gogs | Self::Generic => HostKind::Gitea,
            Self::AzureDevOps => HostKind::Azure,
        }
    }

    /// Whether people host it themselves.
    fn is_self_hosted(self) -> bool {
        !matches!(self, Self::BitbucketCloud | Self::AzureDevOps)
    }

    fn has_archives(self) -> bool {
        !matches!(self, Self::Gogs | Self::Generic)
    }

    fn path(self) -> &'static str {
        match self {
            Self::GitHub => "octo/rocket",
            Self::GitLab => "group/sub/rocket",
            Self::BitbucketCloud => "team/rocket",
            Self::BitbucketDataCenter => "PROJ/rocket",
            Self::Gitea => "tea/rocket",
            Self::Forgejo => "forge/rocket",
            Self::Gogs => "gogs/rocket",
            Self::AzureDevOps => "acme/web/rocket",
            Self::Generic => "own/rocket",
        }
    }
}

/// How the hosts are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Installation {
    /// Each under its own name, for SSH and web.
    Usual,
    /// All with one SSH server of another name, and below a URL path if possible.
    BelowAPath,
}

const BELOW: &str = "/tools/git";

impl Installation {
    fn below(self, kind: HostKind) -> &'static str {
        if self == Self::Usual || kind == HostKind::GitHub { "" } else { BELOW }
    }

    fn has(self, sender: Sender) -> bool {
        self == Self::Usual || sender.is_self_hosted()
    }

    /// An entry of `AllowedGitHosts`.
    fn entry(self, kind: HostKind, local: &Local, archives: &Archives) -> String {
        let (host, user, ssh, https) = (address(kind), &local.sshd.user, local.sshd.port, archives.port);
        match self {
            Self::Usual => format!("{user}@{host}:{ssh}={kind}:{https}+private"),
            Self::BelowAPath => format!(
                "{host} kind={kind} ssh={user}@127.0.0.1:{ssh} web=https://{host}:{https}{} private",
                self.below(kind)
            ),
        }
    }
}

/// A sender's repository.
struct Repository {
    sender: Sender,
    path: &'static str,
    ssh_url: String,
    web_url: String,
    clone: Clone,
    commit: String,
}

impl Repository {
    async fn create(local: &Local, archives: &Archives, sender: Sender, installation: Installation) -> Self {
        let (path, host) = (sender.path(), address(sender.kind()));
        let ssh_url = match installation {
            Installation::Usual => format!("ssh://git@{host}/{path}.git"),
            Installation::BelowAPath => format!("ssh://git@127.0.0.1:{}/{path}.git", local.sshd.port),
        };
        let web_url = format!("https://{host}:{}{}/{path}.git", archives.port, installation.below(sender.kind()));
        let clone = local.host.create(path).await.unwrap();
        let write = |name: &str, content: &[u8]| {
            let file = clone.dir().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        };
        write("README.md", b"# Rocket\n");
        write("src/with space/\u{fc}ml\u{e4}ut 'quoted'.txt", "text, ".repeat(500).as_bytes());
        write("empty", b"");
        write("internal", b"no");
        write("dos.txt", b"one\ntwo\n");
        write(".gitattributes", b"internal export-ignore\ndos.txt eol=crlf\n");
        write("noise", &(0..100_000).map(|_| rand::random::<u8>()).collect::<Vec<_>>());
        std::os::unix::fs::symlink("src", clone.dir().join("link")).unwrap();
        let commit = clone.commit("Build a rocket").await.unwrap();
        clone.push(&["main"]).await.unwrap();
        Self { sender, path, ssh_url, web_url, clone, commit }
    }

    fn key(&self) -> String {
        format!("{}/{}.zip", self.path, self.path.replace('/', "_"))
    }

    /// A push of `main` in the host's format: headers and body.
    fn push(&self, secret: &str) -> (Vec<(&'static str, String)>, Vec<u8>) {
        let (host, path, commit) = (address(self.sender.kind()), self.path, &self.commit);
        let (ssh, web) = (&self.ssh_url, &self.web_url);
        let github = json!({
            "ref": "refs/heads/main", "after": commit, "head_commit": { "id": commit, "message": "Build a rocket" },
            "repository": { "full_name": path, "ssh_url": ssh, "clone_url": web, "default_branch": "main" },
        });
        let body = match self.sender {
            Sender::GitHub | Sender::Gitea | Sender::Forgejo | Sender::Gogs | Sender::Generic => github,
            Sender::GitLab => json!({
                "object_kind": "push", "ref": "refs/heads/main", "after": commit, "checkout_sha": commit,
                "commits": [{ "id": commit, "message": "Build a rocket" }],
                "project": {
                    "path_with_namespace": path, "git_ssh_url": ssh, "git_http_url": web, "default_branch": "main",
                },
            }),
            Sender::BitbucketCloud => json!({
                "push": { "changes": [{ "old": null, "new": {
                    "type": "branch", "name": "main", "target": { "hash": commit, "message": "Build a rocket\n" },
                } }] },
                "repository": {
                    "full_name": path, "links": { "html": { "href": format!("https://{host}/{path}") } },
                },
            }),
            Sender::BitbucketDataCenter => json!({
                "repository": {
                    "slug": "rocket", "project": { "key": "PROJ" },
                    "links": { "clone": [{ "name": "ssh", "href": ssh.replace("PROJ", "proj") }] },
                },
                "changes": [{ "ref": { "id": "refs/heads/main" }, "toHash": commit, "type": "UPDATE" }],
                "toCommit": { "id": commit, "message": "Build a rocket" },
            }),
            Sender::AzureDevOps => json!({
                "id": delivery_id(), "eventType": "git.push", "publisherId": "tfs",
                "resource": {
                    "commits": [{ "commitId": commit, "comment": "Build a rocket" }],
                    "refUpdates": [{ "name": "refs/heads/main", "newObjectId": commit }],
                    "repository": {
                        "name": "rocket", "project": { "name": "web" },
                        "remoteUrl": format!("https://{host}/acme/web/_git/rocket"),
                    },
                },
            }),
        };
        let body = body.to_string().into_bytes();
        (self.headers(secret, &body), body)
    }

    fn headers(&self, secret: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        let signed = signature(secret, body);
        let digits = signed.trim_start_matches("sha256=").to_owned();
        let (event, kind, proof, value) = match self.sender {
            Sender::GitHub => ("x-github-event", "push", "x-hub-signature-256", signed),
            Sender::GitLab => ("x-gitlab-event", "Push Hook", "x-gitlab-token", secret.to_owned()),
            Sender::BitbucketCloud => ("x-event-key", "repo:push", "x-hub-signature", signed),
            Sender::BitbucketDataCenter => ("x-event-key", "repo:refs_changed", "x-hub-signature", signed),
            Sender::Gitea => ("x-gitea-event", "push", "x-gitea-signature", digits),
            Sender::Forgejo => ("x-forgejo-event", "push", "x-forgejo-signature", digits),
            Sender::Gogs => ("x-gogs-event", "push", "x-gogs-signature", digits),
            Sender::AzureDevOps => {
                let basic = format!("Basic {}", STANDARD.encode(format!("azure:{secret}")));
                ("x-vss-activityid", "1", "authorization", basic)
            }
            Sender::Generic => ("x-own", "1", "x-git-token", secret.to_owned()),
        };
        vec![(event, kind.to_owned()), (proof, value)]
    }
}

/// Starts everything, with a repository for each kind of host that can be installed this way, and a
/// stack that knows all hosts.
async fn start(dir: &Path, installation: Installation) -> (Local, Archives, Vec<Repository>, Stack) {
    start_with(dir, installation, "ssh").await
}

/// The same with this value of `FetchOver`.
async fn start_with(dir: &Path, installation: Installation, way: &str) -> (Local, Archives, Vec<Repository>, Stack) {
    let local = Local::tied(dir).await.unwrap();
    let archives = match installation {
        Installation::Usual => Archives::start(local.host.root()).await.unwrap(),
        Installation::BelowAPath => Archives::start_below(local.host.root(), BELOW).await.unwrap(),
    };
    let mut repositories = Vec::new();
    for sender in Sender::ALL.into_iter().filter(|sender| installation.has(*sender)) {
        repositories.push(Repository::create(&local, &archives, sender, installation).await);
    }
    local.packaged().unwrap();
    let kinds = Sender::ALL.into_iter().filter(|sender| installation.has(*sender)).map(Sender::kind);
    let kinds: Vec<_> = HostKind::ALL.into_iter().filter(|kind| kinds.clone().any(|own| own == *kind)).collect();
    let hosts: Vec<_> = kinds.iter().map(|kind| installation.entry(*kind, &local, &archives)).collect();
    let tokens = HostKind::ALL.map(|kind| format!("{}={TOKEN}", address(kind)));
    let known_hosts = local.sshd.known_hosts_lines().unwrap();
    let adapt = |parameters: Parameters| {
        parameters
            .with("AllowedGitHosts", format!("{},127.0.0.21+private", hosts.join(",")))
            .with("KnownHosts", known_hosts)
            .with("Repositories", "127.0.0.*/**,!*/forbidden/**")
            .with("Refs", "main,release/*")
            .with("MinimumSignature", "sha256")
            .with("GitToken", tokens.join(","))
            .with("OAuthKey", CONSUMER)
            .with("OAuthSecret", TOKEN)
            .with("CaBundle", archives.ca.clone())
            .with("FetchOver", way)
    };
    let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
    (local, archives, repositories, stack)
}

async fn send(url: &str, stack: &Stack, repository: &Repository) -> Value {
    let (headers, body) = repository.push(&stack.api_secret);
    let delivery = delivery_id();
    let mut headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let id = match repository.sender {
        Sender::GitHub => "x-github-delivery",
        Sender::GitLab => "webhook-id",
        Sender::BitbucketCloud => "x-request-uuid",
        Sender::BitbucketDataCenter => "x-request-id",
        Sender::Gitea => "x-gitea-delivery",
        Sender::Forgejo => "x-forgejo-delivery",
        Sender::Gogs => "x-gogs-delivery",
        Sender::AzureDevOps | Sender::Generic => "x-unused",
    };
    headers.push((id, &delivery));
    let answer = post(url, &headers, body).await.unwrap();
    assert_eq!(answer.status, 202, "{:?}: {}", repository.sender, answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Every repository with both endpoints, if its host supports them.
async fn both_endpoints(local: &Local, repositories: &[Repository], stack: &Stack) {
    let account = &local.cloud.account;
    let bucket = stack.output("OutputBucketName").unwrap();
    for repository in repositories {
        let expected = repository.clone.archive(&repository.commit).await.unwrap();
        let key = repository.key();
        if repository.sender.has_archives() {
            send(&stack.zip_download_url, stack, repository).await;
            let zip = Artifact::wait(account, bucket, &key, &repository.commit, PATIENCE).await.unwrap();
            zip.same_tree(&expected).unwrap();
            let summary = &zip.metadata["codepipeline-artifact-revision-summary"];
            assert_eq!(summary, "Build a rocket", "{:?}", repository.sender);
            let tells_tree = repository.sender == Sender::GitHub;
            assert_eq!(zip.metadata.contains_key("tree"), tells_tree, "{:?} wasn't downloaded", repository.sender);
            let of = format!("{}/{}", address(repository.sender.kind()), repository.path);
            assert_eq!(zip.metadata["repository"], of);
        }

        // The same over SSH: another worker, which knows the tree, and stores the zip again if the
        // existing one has no tree ID.
        send(&stack.webhook_url, stack, repository).await;
        let deadline = std::time::Instant::now() + PATIENCE;
        let zip = loop {
            match Artifact::get(account, bucket, &key).await {
                Ok(zip) if zip.metadata.contains_key("tree") => break zip,
                _ => assert!(
                    std::time::Instant::now() < deadline,
                    "{:?} wasn't fetched: {:?}",
                    repository.sender,
                    account.log_lines().await
                ),
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        };
        zip.same_tree(&expected).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_below_path_serve_both_endpoints() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, archives, repositories, stack) = start(dir.path(), Installation::BelowAPath).await;
    both_endpoints(&local, &repositories, &stack).await;
    for kind in [HostKind::GitLab, HostKind::BitbucketDataCenter, HostKind::Gitea] {
        let seen = archives.seen();
        let own: Vec<_> = seen.iter().filter(|seen| seen.address == address(kind)).collect();
        assert!(!own.is_empty() && own.iter().all(|seen| seen.target.starts_with(BELOW)), "{kind}: {own:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_host_on_both_endpoints() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, archives, repositories, stack) = start(dir.path(), Installation::Usual).await;
    let account = &local.cloud.account;
    both_endpoints(&local, &repositories, &stack).await;

    // Every API got its credential, but not the host that GitHub redirects to.
    let seen = archives.seen();
    for kind in HostKind::ALL {
        assert!(seen.iter().any(|seen| seen.address == address(kind) && seen.has_credential), "{kind:?}");
        assert!(seen.iter().all(|seen| seen.address != address(kind) || seen.has_credential), "{kind:?}");
    }
    let redirected: Vec<&Seen> = seen.iter().filter(|seen| seen.target.starts_with("/codeload/")).collect();
    assert_eq!(redirected.len(), 1);
    assert!(!redirected[0].has_credential, "the credential went to another host");
    assert!(seen.iter().all(|seen| !seen.target.contains(TOKEN)), "a token in a URL");

    // All requests of `infra` and of the functions were validated with AWS's models.
    let state = local.cloud.state().await.unwrap();
    for operation in [
        "cloudformation.CreateChangeSet",
        "cloudformation.DescribeStackEvents",
        "kms.Decrypt",
        "kms.Encrypt",
        "s3.GetObject",
        "s3.HeadObject",
        "s3.PutObject",
        "secretsmanager.GetSecretValue",
        "sqs.SendMessage",
    ] {
        assert!(state["validated"][operation].as_u64() > Some(0), "{operation}: {state}");
    }

    let lines = account.log_lines().await.unwrap();
    let stored = lines.iter().filter(|line| field(line, "message").is_some_and(|message| message == "stored")).count();
    let downloaded = Sender::ALL.iter().filter(|sender| sender.has_archives()).count();
    // GitHub returns the tree ID, so nothing was stored again.
    assert_eq!(stored, Sender::ALL.len() + downloaded - 1);
    let log = format!("{lines:?}");
    for secret in [&*stack.api_secret, TOKEN, "PRIVATE KEY", "stand-in-access"] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
    for queue in account.resources(&stack.name).await.unwrap().of_type("AWS::SQS::Queue") {
        assert_eq!(account.messages(&queue).await.unwrap(), 0, "{queue}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_host_is_fetched_over_https() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (local, archives, mut repositories, stack) = start_with(dir.path(), Installation::Usual, "https").await;
    let account = &local.cloud.account;
    let bucket = stack.output("OutputBucketName").unwrap();
    let check = async |repository: &Repository| {
        send(&stack.webhook_url, &stack, repository).await;
        let zip = Artifact::wait(account, bucket, &repository.key(), &repository.commit, PATIENCE).await.unwrap();
        zip.same_tree(&repository.clone.archive(&repository.commit).await.unwrap()).unwrap();
    };
    for repository in &mut repositories {
        check(repository).await;
        // Once more, with one file changed.
        std::fs::write(repository.clone.dir().join("README.md"), "# Another rocket\n").unwrap();
        repository.commit = repository.clone.commit("Change it").await.unwrap();
        repository.clone.push(&["main"]).await.unwrap();
        check(repository).await;
    }
    let lines = account.log_lines().await.unwrap();
    let received = lines.iter().filter_map(|line| field(line, "bytes_received")?.as_u64());
    let (large, small): (Vec<_>, Vec<_>) = received.partition(|bytes| *bytes > 100_000);
    assert_eq!((large.len(), small.len()), (repositories.len(), repositories.len()));
    assert!(small.iter().all(|bytes| *bytes < 3_000), "{small:?}");

    let seen = archives.seen();
    for kind in HostKind::ALL {
        let own: Vec<_> = seen.iter().filter(|seen| seen.address == address(kind)).collect();
        assert!(own.iter().any(|seen| seen.target.ends_with("/git-upload-pack")), "{kind:?}");
        assert!(own.iter().all(|seen| seen.has_credential), "{kind:?}");
    }
    let role = account.resources(&stack.name).await.unwrap().id("GitPullRole").unwrap().to_owned();
    let decisions = local.cloud.decisions().since(0).unwrap();
    let own: Vec<_> = decisions.iter().filter(|decision| decision.role == role).collect();
    assert!(own.iter().any(|decision| decision.action == "secretsmanager:GetSecretValue"));
    assert!(own.iter().all(|decision| decision.allowed && decision.action != "kms:Decrypt"), "the key was read");

    let log = format!("{lines:?}");
    let encoded = STANDARD.encode(format!("oauth2:{TOKEN}"));
    for secret in [&*stack.api_secret, TOKEN, "stand-in-access", &encoded] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
    assert!(seen.iter().all(|seen| !seen.target.contains(TOKEN)), "a token in a URL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_files_and_submodules_over_https() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let local = Local::tied(dir.path()).await.unwrap();
    let archives = Archives::start(local.host.root()).await.unwrap();
    let (host, port) = (address(HostKind::Gitea), archives.port);
    let mut repositories: Vec<Repository> = Vec::new();
    for path in ["acme/module", "acme/rocket"] {
        let clone = local.host.create(path).await.unwrap();
        // git-lfs's hook would upload the files. Here the test does.
        clone.git(&["config", "core.hooksPath", "/dev/null"]).await.unwrap();
        clone.git(&["config", "filter.lfs.process", "git-lfs filter-process"]).await.unwrap();
        clone.git(&["config", "filter.lfs.required", "true"]).await.unwrap();
        std::fs::write(clone.dir().join(".gitattributes"), "*.bin filter=lfs -text\n").unwrap();
        std::fs::write(clone.dir().join("small.bin"), format!("{path}\n")).unwrap();
        std::fs::write(clone.dir().join("large.bin"), path.repeat(1 << 18)).unwrap();
        clone.git(&["add", "--all", "."]).await.unwrap();
        if let Some(module) = repositories.last() {
            let modules = "[submodule \"m\"]\n\tpath = m\n\turl = ../module.git\n";
            std::fs::write(clone.dir().join(".gitmodules"), modules).unwrap();
            clone.git(&["add", ".gitmodules"]).await.unwrap();
            let link = format!("160000,{},m", module.commit);
            clone.git(&["update-index", "--add", "--cacheinfo", &link]).await.unwrap();
        }
        clone.git(&["commit", "--quiet", "--message", "Large"]).await.unwrap();
        let commit = clone.git(&["rev-parse", "HEAD"]).await.unwrap();
        archives.keep_large_files(&local.host.root().join(format!("{path}.git")), clone.dir(), path).unwrap();
        clone.push(&["main"]).await.unwrap();
        let (ssh_url, web_url) = (format!("ssh://git@{host}/{path}.git"), format!("https://{host}:{port}/{path}.git"));
        repositories.push(Repository { sender: Sender::Gitea, path, ssh_url, web_url, clone, commit });
    }
    local.packaged().unwrap();
    let ca = archives.ca.clone();
    let adapt = |parameters: Parameters| {
        parameters
            .with("AllowedGitHosts", format!("{host}=gitea:{port}+private,127.0.0.21=github:{port}+private"))
            .with("Repositories", "127.0.0.*/**")
            .with("GitToken", format!("{host}={TOKEN}"))
            .with("FetchOver", "https")
            .with("Submodules", "on")
            .with("Lfs", "on")
            .with("CaBundle", ca)
    };
    let stack = local.deploy_with(&mut Silent, adapt).await.unwrap();
    let [module, rocket] = &repositories[..] else { panic!("two repositories") };
    send(&stack.webhook_url, &stack, rocket).await;
    let (account, bucket) = (&local.cloud.account, stack.output("OutputBucketName").unwrap());
    let zip = Artifact::wait(account, bucket, &rocket.key(), &rocket.commit, PATIENCE).await.unwrap();
    let [own, inside] = [rocket, module].map(|repository| async {
        Tree::of_tar(&repository.clone.archive(&repository.commit).await.unwrap()).unwrap()
    });
    let expected = own.await.with("m/", inside.await);
    assert_eq!(Tree::of_zip(&zip.zip).unwrap().differences(&expected), [""; 0]);
    // The token went to its host, and not to the one that keeps the files.
    let seen = archives.seen();
    assert!(seen.iter().any(|seen| seen.target.ends_with("/info/lfs/objects/batch")), "{seen:?}");
    assert!(seen.iter().all(|seen| seen.has_credential == (seen.address == host)), "{seen:?}");
    assert!(!format!("{:?}", account.log_lines().await.unwrap()).contains(TOKEN), "a secret is in the log");
}
