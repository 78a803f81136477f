//! The environment of the scenarios: the deployed stack and its Git host. Functions are invoked
//! directly, in the format of the queue or CloudFormation, so that a scenario knows when they are
//! done and whether they succeeded.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use contract::{HostKind, Job, Repository};
use deployment::deploy::Parameters;
use deployment::render::progress::Silent;
use infra::github_app::{PrivateKey, import};
use local::archives::{Archives, TOKEN, address};
use local::artifact::Artifact;
use local::aws::{Account, Resources};
use local::host::Clone;
use local::host_api::HostApis;
use local::local::{Local, STACK, Stack};
use local::webhook::delivery_id;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// The account's default network.
const VPC: &str = "vpc-00000001";
const SUBNET: &str = "subnet-00000001";

/// The smallest multipart upload, in bytes, with a margin.
pub(crate) const SEVERAL_PARTS: usize = 18 << 20;
/// The smallest cached pack, in bytes, with a margin.
pub(crate) const WORTH_KEEPING: usize = 5 << 18;

/// The host whose repositories the GitHub App reads.
pub(crate) const APP_HOST: &str = "github-app.example";

/// The stack and its Git host.
pub(crate) struct Stage {
    pub(crate) local: Local,
    pub(crate) stack: Stack,
    pub(crate) resources: Resources,
    archives: Archives,
    apis: HostApis,
    /// The ARN of the GitHub App's key.
    pub(crate) app_key: String,
    dir: TempDir,
    /// How many runs of the reconciler have begun.
    runs: AtomicU32,
}

/// A worker's repository, and the commit of its `main`.
pub(crate) struct Repo {
    pub(crate) clone: Clone,
    pub(crate) commit: String,
}

/// The result of a job.
#[derive(Debug)]
pub(crate) struct Run {
    /// The delivery, which identifies it in the log.
    pub(crate) delivery: String,
    /// Whether the job is done.
    pub(crate) done: bool,
}

impl Stage {
    /// Deploys the stack with the rights that it can have with this value of `FetchOver`: in a
    /// network, with tokens, with Git LFS, with a GitHub App at a host of its own.
    pub(crate) async fn set(way: &str) -> Result<Self> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let local = Local::tied(dir.path()).await?;
        let archives = Archives::start(local.host.root()).await?;
        local.packaged()?;
        let (user, ssh, https) = (&local.sshd.user, local.sshd.port, archives.port);
        let github = address(HostKind::GitHub);
        let apis = HostApis::start_with_git(local.host.root()).await?;
        let (app, pem) = apis.state(HostKind::GitHub).add_app("acme");
        let account = deployment::account::Account::open(&local.cloud.account.config).await?;
        let app_key = import(&account, STACK, &app.to_string(), &PrivateKey::parse(&pem.into())?).await?;
        let app_host = format!("{APP_HOST} kind=github web=https://{github}:{} private", apis.port);
        let hosts = format!(
            "{user}@127.0.0.1:{ssh},{user}@{github}:{ssh}=github:{https}+private,127.0.0.21+private,{app_host}"
        );
        let key = app_key.clone();
        let known_hosts = local.sshd.known_hosts_lines()?;
        let adapt = |parameters: Parameters| {
            parameters
                .with("AllowedGitHosts", hosts)
                .with("KnownHosts", known_hosts)
                .with("Repositories", format!("127.0.0.*/**,{APP_HOST}/**"))
                .with("GitHubAppId", app.to_string())
                .with("GitHubAppKey", key)
                .with("GitHubAppHost", APP_HOST)
                .with("GitToken", format!("{github}={TOKEN}"))
                .with("CaBundle", format!("{}\n{}", archives.ca, apis.ca))
                .with("MaxArchiveBytes", (SEVERAL_PARTS - (1 << 20)).to_string())
                .with("Lfs", "on")
                .with("DeletedReferences", "mark")
                .with("Submodules", "on")
                .with("FetchOver", way)
                .with("VPCId", VPC)
                .with("SubnetIds", SUBNET)
        };
        let stack = local.deploy_with(&mut Silent, adapt).await?;
        // Removed rights take effect immediately.
        local.cloud.turn("rights_spread", 0.0).await?;
        let resources = local.cloud.account.resources(STACK).await?;
        // With HTTPS, the functions have the rights for both ways: they reach hosts over SSH unless
        // a scenario says otherwise.
        for function in ["GitPullFunction", "ReconcilerFunction"] {
            local.cloud.account.set_variable(resources.id(function)?, "TOKENS", "").await?;
        }
        // They retry refused calls until their time runs out.
        for (function, seconds) in [("SshKeyFunction", 12), ("BucketCleanerFunction", 24)] {
            local.cloud.account.limit(resources.id(function)?, seconds).await?;
        }
        Ok(Self { local, stack, resources, archives, apis, app_key, dir, runs: AtomicU32::new(0) })
    }

    /// The template, without the separate policies that the stack doesn't have.
    pub(crate) fn template(&self) -> Result<Value> {
        let mut template = self.local.template()?.into_value();
        let resources = template["Resources"].as_object_mut().context("the template has no resources")?;
        resources.retain(|id, resource| resource["Type"] != "AWS::IAM::Policy" || self.id(id).is_ok());
        Ok(template)
    }

    pub(crate) fn account(&self) -> &Account {
        &self.local.cloud.account
    }

    /// The physical ID of a resource.
    pub(crate) fn id(&self, logical: &str) -> Result<&str> {
        self.resources.id(logical)
    }

    /// A new repository with one incompressible file of this size.
    pub(crate) async fn repository(&self, path: &str, bytes: usize) -> Result<Repo> {
        let clone = self.local.host.create(path).await?;
        clone.git(&["config", "core.compression", "0"]).await?;
        let mut content = vec![0; bytes];
        rand::fill(&mut content[..]);
        std::fs::write(clone.dir().join("a"), content)?;
        let commit = clone.commit("Build a rocket").await?;
        let repo = Repo { clone, commit };
        repo.push(self, "main").await?;
        Ok(repo)
    }

    /// Ends the processes of a function.
    pub(crate) async fn make_cold(&self, function: &str) -> Result<()> {
        self.account().make_cold(self.id(function)?).await
    }

    /// Removes everything stored for a repository: zip, pack and clone.
    pub(crate) async fn forget(&self, repo: &Repo) -> Result<()> {
        self.forget_clone(repo)?;
        let s3 = &self.account().s3;
        s3.delete_object().bucket(self.id("OutputBucket")?).key(repo.artifact()).send().await?;
        s3.delete_object().bucket(self.id("CacheBucket")?).key(repo.pack()).send().await?;
        Ok(())
    }

    /// Removes the clone from gitpull's disk.
    pub(crate) fn forget_clone(&self, repo: &Repo) -> Result<()> {
        let repository = format!("{}/{}", address(HostKind::GitHub), repo.clone.path);
        let clone = self.dir.path().join("tmp/clones").join(hex::encode(Sha256::digest(repository)));
        if clone.exists() {
            std::fs::remove_dir_all(&clone).with_context(|| format!("remove {}", clone.display()))?;
        }
        Ok(())
    }

    /// Invokes a worker with a job, like Lambda with a queue's messages.
    pub(crate) async fn work(&self, worker: &str, repo: &Repo, receipt: &str) -> Result<Run> {
        let job = repo.job("main", &repo.commit)?;
        self.deliver(worker, &job, receipt).await
    }

    /// The same with a job of another reference.
    pub(crate) async fn deliver(&self, worker: &str, job: &Job, receipt: &str) -> Result<Run> {
        self.deliver_again(worker, job, receipt, 1).await
    }

    /// The same with a job that was received this often.
    pub(crate) async fn deliver_again(&self, worker: &str, job: &Job, receipt: &str, receives: u16) -> Result<Run> {
        let event = json!({ "Records": [{
            "messageId": job.delivery,
            "receiptHandle": receipt,
            "body": serde_json::to_string(job)?,
            "attributes": { "ApproximateReceiveCount": receives.to_string() },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "awsRegion": local::aws::REGION,
        }] });
        let answer = self.account().invoke(self.id(&format!("{worker}Function"))?, &event).await?;
        let failures = answer["batchItemFailures"].as_array().with_context(|| format!("{worker} answered {answer}"))?;
        Ok(Run { delivery: job.delivery.to_string(), done: failures.is_empty() })
    }

    /// The functions' log lines of a run.
    pub(crate) async fn log_of(&self, run: &Run) -> Result<Vec<Value>> {
        let lines = self.account().log_lines().await?;
        Ok(lines.into_iter().filter(|line| line.to_string().contains(&run.delivery)).collect())
    }

    /// The unfinished uploads of a key.
    async fn uploads(&self, bucket: &str, key: &str) -> Result<Vec<String>> {
        let uploads = self.account().s3.list_multipart_uploads().bucket(self.id(bucket)?).send().await?;
        let of_key = uploads.uploads().iter().filter(|upload| upload.key() == Some(key));
        Ok(of_key.filter_map(|upload| upload.upload_id()).map(str::to_owned).collect())
    }

    /// Fails if an upload of a key was left unfinished. Aborts it.
    pub(crate) async fn has_no_upload(&self, bucket: &str, key: &str) -> Result<()> {
        let left = self.uploads(bucket, key).await?;
        for id in &left {
            let abort = self.account().s3.abort_multipart_upload().bucket(self.id(bucket)?).key(key);
            abort.upload_id(id).send().await?;
        }
        ensure!(left.is_empty(), "{} unfinished uploads of {key} were left in {bucket}", left.len());
        Ok(())
    }

    /// The zip of a repository.
    pub(crate) async fn artifact(&self, repo: &Repo) -> Result<Artifact> {
        let zip = Artifact::get(self.account(), self.id("OutputBucket")?, &repo.artifact()).await?;
        ensure!(zip.metadata["commit"] == repo.commit, "the zip is of {}", zip.metadata["commit"]);
        Ok(zip)
    }

    /// How often Git's own requests came over HTTPS.
    pub(crate) fn fetches(&self) -> usize {
        self.archives.seen().iter().filter(|seen| seen.target.ends_with("/git-upload-pack")).count()
    }

    /// Installs the GitHub App on a repository, and lets its host have it.
    pub(crate) fn install_app(&self, repo: &Repo) {
        let path = repo.clone.path.as_str();
        let mut state = self.apis.state(HostKind::GitHub);
        if state.find(path).is_none() {
            state.add(path);
            let app = state.apps[0].id;
            state.install(app, "acme", &[path]);
        }
    }

    /// The time of another run of the reconciler.
    pub(crate) fn next_run(&self) -> String {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        format!("2026-11-{:02}T{:02}:{:02}:00Z", 1 + run / 1440, run / 60 % 24, run % 60)
    }

    /// The jobs in a queue, which is empty then.
    pub(crate) async fn take_jobs(&self, queue: &str) -> Result<Vec<Job>> {
        let (sqs, queue) = (&self.account().sqs, self.id(queue)?);
        let mut jobs = Vec::new();
        loop {
            let found = sqs.receive_message().queue_url(queue).max_number_of_messages(10).send().await?;
            if found.messages().is_empty() {
                return Ok(jobs);
            }
            for message in found.messages() {
                jobs.push(serde_json::from_str(message.body().unwrap_or_default())?);
                let receipt = message.receipt_handle().unwrap_or_default();
                sqs.delete_message().queue_url(queue).receipt_handle(receipt).send().await?;
            }
        }
    }

    /// How often archives were requested.
    pub(crate) fn downloads(&self) -> usize {
        self.archives.seen().iter().filter(|seen| seen.target.starts_with("/codeload/")).count()
    }
}

impl Repo {
    /// Pushes a branch to the host. There is no webhook yet, so only the host knows.
    pub(crate) async fn push(&self, stage: &Stage, branch: &str) -> Result<()> {
        let url = format!("{}/_ministack/health", stage.account().endpoint);
        stage.local.host.report_to(&url, "nobody")?;
        self.clone.push(&[branch]).await?;
        stage.local.host.report_to(&stage.stack.webhook_url, &stage.stack.api_secret)
    }

    /// A job for a commit of a branch, as the webhook function queues it.
    pub(crate) fn job(&self, branch: &str, commit: &str) -> Result<Job> {
        Ok(Job {
            delivery: delivery_id().parse()?,
            repository: Repository::new(address(HostKind::GitHub).to_string().parse()?, self.clone.path.parse()?),
            reference: format!("refs/heads/{branch}").parse()?,
            commit: Some(commit.parse()?),
            trigger: contract::Trigger::Push,
            summary: None,
            scope: None,
            spelling: contract::PathSpelling::default(),
            deleted: false,
        })
    }

    /// The key of its zip.
    pub(crate) fn artifact(&self) -> String {
        format!("{}/{}.zip", self.clone.path, self.clone.path.replace('/', "_"))
    }

    /// The key of its pack.
    pub(crate) fn pack(&self) -> String {
        format!("packs/{}/{}.pack", address(HostKind::GitHub), self.clone.path)
    }
}

/// How long a scenario waits for what normally takes seconds, and otherwise minutes.
pub(crate) const SECONDS: Duration = Duration::from_secs(8);
