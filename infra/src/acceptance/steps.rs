//! Tries each promise.

use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use aws_sdk_sqs::types::QueueAttributeName;
use tokio::sync::oneshot;

use super::artifact::{self, ArtifactError};
use super::promises::{Promise, Seen};
use super::record::{Answer, Kind};
use super::webhook::Webhook;
use super::{Acceptance, AcceptanceError, Branch, Private, Running, TAG, breather, until};
use deployment::call_error::CallError;
use deployment::deploy::{self, DeployError, Deployed, Deployment, DestroyError, Parameters, Plan, Template};
use deployment::render::progress::Progress;

/// How long a push may take to become a zip; it is tried three times in that time.
const ZIP: Duration = Duration::from_mins(5);
/// How long a person has to add the stack's key, or a record to the DNS.
const PERSON: Duration = Duration::from_mins(30);
/// How long a push without the key is waited for before the next one.
const KEY: Duration = Duration::from_secs(30);
/// How long an alarm may take: CloudWatch evaluates five minutes, and SQS publishes metrics once a
/// minute.
const ALARM: Duration = Duration::from_mins(20);
/// How long queues may take to be empty.
const QUIET: Duration = Duration::from_mins(3);
/// How often is pushed while the stack is updated.
const PUSH_EVERY: Duration = Duration::from_secs(5);
/// How many pushes are under way when the stack is deleted.
const DOWNLOADS: usize = 3;
/// Bodies on either side of the limit: API Gateway gives them to Lambda in base64, in an event of
/// at most 6,291,456 bytes.
const LARGE: usize = 4_600_000;
const TOO_LARGE: usize = 4_800_000;

/// The output that has the address of a path.
const PULL: &str = "GitPullWebHookApi";
const DOWNLOAD: &str = "ZipDownloadWebHookApi";

/// Why a promise was broken.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error("there is no stack")]
    NoStack,
    #[error("the stack has no {0}")]
    Missing(&'static str),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Deploy(Box<DeployError>),
    #[error(transparent)]
    Destroy(Box<DestroyError>),
    #[error(transparent)]
    CleanUp(Box<AcceptanceError>),
    #[error(transparent)]
    Artifact(Box<ArtifactError>),
    #[error("a webhook of {bytes} bytes to {path} was answered {status}, expected {expected}: {body}")]
    Answered { path: String, bytes: usize, status: String, body: String, expected: &'static str },
    #[error("no {what} within {} s", patience.as_secs())]
    Late { what: &'static str, patience: Duration },
    #[error("still there: {0}")]
    Left(String),
    #[error("the second deletion found a stack")]
    Again,
}

impl From<DeployError> for StepError {
    fn from(error: DeployError) -> Self {
        Self::Deploy(Box::new(error))
    }
}

impl From<DestroyError> for StepError {
    fn from(error: DestroyError) -> Self {
        Self::Destroy(Box::new(error))
    }
}

impl From<AcceptanceError> for StepError {
    fn from(error: AcceptanceError) -> Self {
        Self::CleanUp(Box::new(error))
    }
}

impl From<ArtifactError> for StepError {
    fn from(error: ArtifactError) -> Self {
        Self::Artifact(Box::new(error))
    }
}

type Step = Result<Seen, StepError>;

impl Acceptance {
    /// Tries one promise.
    pub(super) async fn try_out(&mut self, promise: Promise, progress: &mut dyn Progress) -> Step {
        let needs_stack = !matches!(promise, Promise::Creation | Promise::SecondDeletion | Promise::NothingLeft);
        if needs_stack && self.running.is_none() {
            return Err(StepError::NoStack);
        }
        match promise {
            Promise::Creation => self.create(progress).await,
            Promise::Update => self.update(progress).await,
            Promise::Download => self.download(progress).await,
            Promise::Fetch => self.fetch(progress).await,
            Promise::LargeBody => self.large_body().await,
            Promise::TooLargeBody => self.too_large_body().await,
            Promise::Alarm => self.alarm(progress).await,
            Promise::VpcOn => self.vpc_on(progress).await,
            Promise::VpcOff => self.vpc_off(progress).await,
            Promise::Domain => self.domain(progress).await,
            Promise::Deletion => self.delete(progress).await,
            Promise::SecondDeletion => self.second_deletion(progress).await,
            Promise::NothingLeft => self.nothing_left(progress).await,
        }
    }

    async fn create(&mut self, progress: &mut dyn Progress) -> Step {
        // The remains of an earlier run that was killed.
        if self.destroy("the remains of an earlier run", progress).await? {
            self.stack_id = None;
        }
        let (template, dist) = match (&self.last_release, &self.options.from) {
            (Some(template), Some(from)) => (template.clone(), from.clone()),
            _ => (self.template.clone(), self.options.dist.clone()),
        };
        let deployed = self.deploy(Kind::Create, "a new stack", template, dist, self.parameters(), progress).await?;
        let output = |name: &'static str| deployed.outputs.get(name).cloned().ok_or(StepError::Missing(name));
        let urls = [PULL, DOWNLOAD].map(|name| Ok((name.to_owned(), output(name)?)));
        let urls = urls.into_iter().collect::<Result<_, StepError>>()?;
        let running = Running { bucket: output("OutputBucketName")?, urls, public_key: output("PublicSSHKey")? };
        if let Some(Private(branch)) = &self.options.private {
            progress.step(&format!("add this as a deploy key of {} that may read:", branch.repository));
            progress.step(running.public_key.trim());
        }
        self.running = Some(running);
        self.remember().await;
        Ok(Seen::Pass(format!("{} resources", self.made.len())))
    }

    /// The parameters for creating the stack. Given ones have precedence.
    fn parameters(&self) -> Parameters {
        let mut parameters = self.options.parameters.clone().with("ApiSecret", self.secret.clone());
        let private = self.options.private.as_ref().map(|Private(branch)| branch);
        let branches = || [Some(&self.options.public.0), private].into_iter().flatten();
        let joined = |of: fn(&Branch) -> String| {
            let mut all: Vec<_> = branches().map(of).collect();
            // Each host has one entry only; the more detailed one is right.
            let host = |entry: &str| entry.rsplit_once('@').map_or(entry, |(_, host)| host).to_owned();
            all = all
                .iter()
                .filter(|one| !all.iter().any(|other| other.len() > one.len() && host(other) == host(one)))
                .cloned()
                .collect();
            all.dedup();
            all.join(",")
        };
        if !parameters.gives("AllowedGitHosts") {
            parameters = parameters.with("AllowedGitHosts", joined(|branch| branch.entry.clone()));
        }
        if !parameters.gives("Repositories") {
            parameters = parameters.with("Repositories", joined(|branch| branch.repository.to_string()));
        }
        parameters
    }

    async fn update(&mut self, progress: &mut dyn Progress) -> Step {
        if self.last_release.is_none() {
            return Ok(Seen::Skipped("no release was given (--from)"));
        }
        let branch = self.options.public.0.clone();
        self.clear(&branch, progress).await?;
        let (sender, url) = (self.sender.clone(), self.url(DOWNLOAD)?);
        let (template, dist) = (self.template.clone(), self.options.dist.clone());
        let (stop, mut stopped) = oneshot::channel::<()>();
        let updating = async {
            let updated =
                self.deploy(Kind::Update, "this release", template, dist, Parameters::default(), progress).await;
            drop(stop);
            updated
        };
        let pushing = async {
            let mut answers = Vec::new();
            loop {
                answers.push(sender.send(&url, None, &Webhook::push(&branch.repository, &branch.name)).await);
                if tokio::time::timeout(PUSH_EVERY, &mut stopped).await.is_ok() {
                    return answers;
                }
            }
        };
        let (updated, answers) = tokio::join!(updating, pushing);
        self.record.answers.extend(answers.iter().cloned());
        updated?;
        for answer in &answers {
            accepted(answer)?;
        }
        self.zip(&branch, ZIP, progress).await?;
        Ok(Seen::Pass(format!("{} pushes meanwhile were accepted, and became a zip", answers.len())))
    }

    async fn download(&mut self, progress: &mut dyn Progress) -> Step {
        let branch = self.options.public.0.clone();
        Ok(Seen::Pass(self.push(DOWNLOAD, &branch, progress).await?))
    }

    async fn fetch(&mut self, progress: &mut dyn Progress) -> Step {
        let Some(Private(branch)) = self.options.private.clone() else {
            return Ok(Seen::Skipped("no repository was named (--repository)"));
        };
        self.clear(&branch, progress).await?;
        let deadline = std::time::Instant::now() + PERSON;
        loop {
            let answer = self.send(PULL, &Webhook::push(&branch.repository, &branch.name)).await?;
            accepted(&answer)?;
            match self.zip(&branch, KEY, progress).await {
                // The key may not be there yet.
                Err(StepError::Late { .. }) if std::time::Instant::now() < deadline => {
                    progress
                        .step(&format!("no zip yet: is the key a deploy key of {}? pushing again", branch.repository));
                    breather().await;
                }
                seen => return seen.map(Seen::Pass),
            }
        }
    }

    async fn large_body(&mut self) -> Step {
        let Branch { repository, name, .. } = self.options.public.0.clone();
        let answer = self.send(DOWNLOAD, &Webhook::push_of(&repository, &name, LARGE)).await?;
        accepted(&answer)?;
        Ok(Seen::Pass(format!("{LARGE} bytes: 202 after {} ms", answer.milliseconds)))
    }

    async fn too_large_body(&mut self) -> Step {
        let Branch { repository, name, .. } = self.options.public.0.clone();
        let answer = self.send(DOWNLOAD, &Webhook::push_of(&repository, &name, TOO_LARGE)).await?;
        match answer.status {
            // The function answers 413; a refusal before it may have another status, which is worth
            // recording.
            Some(status) if status >= 400 => {
                Ok(Seen::Pass(format!("{TOO_LARGE} bytes: {status} {}", answer.body.trim())))
            }
            _ => Err(unexpected(&answer, "413")),
        }
    }

    /// A job of a host that the stack doesn't know fails three times within half a minute.
    async fn alarm(&mut self, progress: &mut dyn Progress) -> Step {
        let queue = self.physical("ZipDlQueue")?;
        let messages = self.physical("ZipDlDeadLetterQueue")?;
        let alarm = self.physical("ZipDlDeadLettersAlarm")?;
        let id = hex::encode(rand::random::<[u8; 16]>());
        let job = serde_json::json!({
            "delivery": id, "repository": { "host": "absent.invalid", "path": "git2s3/acceptance" },
            "reference": "refs/heads/main",
        });
        let sqs = aws_sdk_sqs::Client::new(&self.account.config);
        let request = sqs.send_message().queue_url(&queue).message_body(job.to_string());
        let sent = request.message_group_id(&id).message_deduplication_id(&id).send().await;
        sent.map_err(|error| CallError::new("send a job that fails", error))?;
        self.saw("a job was sent that fails".to_owned());

        let what = "dead-letter message";
        let found = until(what, ALARM, progress, async || {
            let count = waiting(&sqs, &messages).await?;
            Ok::<_, StepError>((count > 0).then_some(()))
        });
        found.await?.ok_or(StepError::Late { what, patience: ALARM })?;
        self.saw("the job is a dead-letter message".to_owned());

        let what = "alarm";
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&self.account.config);
        let found = until(what, ALARM, progress, async || {
            let told = cloudwatch.describe_alarms().alarm_names(&alarm).send().await;
            let told = told.map_err(|error| CallError::new(format!("look at alarm {alarm}"), error))?;
            let state = told.metric_alarms().first().and_then(|alarm| alarm.state_value());
            Ok::<_, StepError>((state == Some(&StateValue::Alarm)).then_some(()))
        });
        found.await?.ok_or(StepError::Late { what, patience: ALARM })?;
        self.saw(format!("{alarm} is in ALARM"));
        Ok(Seen::Pass(format!("{alarm} is in ALARM")))
    }

    async fn vpc_on(&mut self, progress: &mut dyn Progress) -> Step {
        let Some((vpc, subnets)) = self.options.vpc.clone() else {
            return Ok(Seen::Skipped("no VPC was given (--vpc, --subnets)"));
        };
        self.change("into a VPC", [("VPCId", vpc), ("SubnetIds", subnets)], progress).await?;
        let branch = self.options.public.0.clone();
        Ok(Seen::Pass(self.push(DOWNLOAD, &branch, progress).await?))
    }

    async fn vpc_off(&mut self, progress: &mut dyn Progress) -> Step {
        if self.options.vpc.is_none() {
            return Ok(Seen::Skipped("no VPC was given (--vpc, --subnets)"));
        }
        self.change("out of the VPC", [("VPCId", String::new()), ("SubnetIds", String::new())], progress).await?;
        let branch = self.options.public.0.clone();
        Ok(Seen::Pass(self.push(DOWNLOAD, &branch, progress).await?))
    }

    async fn domain(&mut self, progress: &mut dyn Progress) -> Step {
        let Some(domain) = self.options.domain.clone() else {
            return Ok(Seen::Skipped("no domain was given (--domain)"));
        };
        progress.step(&format!("ACM waits for a record in the DNS of {domain}, which the certificate's event names"));
        let deployed = self.change("a domain", [("CustomDomainName", domain.clone())], progress).await?;
        let output = |name: &'static str| deployed.outputs.get(name).cloned().ok_or(StepError::Missing(name));
        let (target, url) = (output("CustomDomainNameTarget")?, output(PULL)?);
        progress.step(&format!("point {domain} to {target}"));

        // An emulator has no DNS, and selects domains by the `Host` header.
        let named = (!self.account.is_aws()).then_some(domain.as_str());
        let (url, sender) = (self.account.reachable(&url), self.sender.clone());
        let what = "answer under the domain";
        let answers = &mut self.record.answers;
        let found = until(what, PERSON, progress, async || {
            let answer = sender.send(&url, named, &Webhook::ping()).await;
            let is_answered = answer.status == Some(200);
            answers.push(answer);
            Ok::<_, StepError>(is_answered.then_some(()))
        });
        found.await?.ok_or(StepError::Late { what, patience: PERSON })?;
        Ok(Seen::Pass(format!("{domain} answers")))
    }

    async fn delete(&mut self, progress: &mut dyn Progress) -> Step {
        let Branch { repository, name, .. } = self.options.public.0.clone();
        self.clear(&self.options.public.0.clone(), progress).await?;
        for _ in 0..DOWNLOADS {
            accepted(&self.send(DOWNLOAD, &Webhook::push(&repository, &name)).await?)?;
        }
        let begun = std::time::Instant::now();
        self.destroy("with downloads under way", progress).await?;
        self.running = None;
        Ok(Seen::Pass(format!("gone after {:.0} s", begun.elapsed().as_secs_f64())))
    }

    async fn second_deletion(&mut self, progress: &mut dyn Progress) -> Step {
        if self.stack_id.is_none() {
            return Err(StepError::NoStack);
        }
        if self.destroy("a second deletion", progress).await? {
            return Err(StepError::Again);
        }
        Ok(Seen::Pass("there is no stack".to_owned()))
    }

    async fn nothing_left(&mut self, progress: &mut dyn Progress) -> Step {
        self.clean_up(progress).await?;
        let mut left = Vec::new();
        if deploy::identity(&self.account, &self.options.stack_name).await?.is_some() {
            left.push(format!("stack {}", self.options.stack_name));
        }
        let of = |kind: &str| {
            let all = self.made.iter().filter(|one| one.kind == kind);
            all.map(|one| one.physical_id.clone()).collect::<Vec<_>>()
        };
        let (buckets, logs) = (of("AWS::S3::Bucket"), of("AWS::Logs::LogGroup"));
        for bucket in &buckets {
            if self.account.s3.head_bucket().bucket(bucket).send().await.is_ok() {
                left.push(format!("bucket {bucket}"));
            }
        }
        let client = aws_sdk_cloudwatchlogs::Client::new(&self.account.config);
        for group in &logs {
            let told = client.describe_log_groups().log_group_name_prefix(group).send().await;
            let told = told.map_err(|error| CallError::new(format!("look for log group {group}"), error))?;
            let is_there = told.log_groups().iter().any(|one| one.log_group_name() == Some(group));
            left.extend(is_there.then(|| format!("log group {group}")));
        }
        if !left.is_empty() {
            return Err(StepError::Left(left.join(", ")));
        }
        let seen = format!(
            "no stack, none of {} buckets and {} log groups; API Gateway's role for logs stays, it serves the whole account",
            buckets.len(),
            logs.len()
        );
        Ok(Seen::Pass(seen))
    }

    /// Creates or updates the stack, and records what happened.
    async fn deploy(
        &mut self,
        kind: Kind,
        what: &'static str,
        template: Template,
        dist: std::path::PathBuf,
        parameters: Parameters,
        progress: &mut dyn Progress,
    ) -> Result<Deployed, StepError> {
        let mut deployment = Deployment {
            stack_name: self.options.stack_name.clone(),
            parameters: parameters.known_to(&template),
            template,
            dist,
            tags: [TAG].map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            role: None,
        };
        let standing = deploy::examine(&self.account, &deployment).await?;
        crate::concurrency::fit(&self.account, &mut deployment, &standing, progress).await;
        self.chosen.push(deployment.parameters.clone());
        self.deployed = Some(deployment.template.clone());
        self.begin(kind, what);
        let deployed = match deploy::plan(&self.account, &deployment, progress).await {
            Ok(Plan::Unchanged(deployed)) => Ok(deployed),
            Ok(Plan::Changes(planned)) => planned.execute(progress).await,
            Err(error) => Err(error),
        };
        self.note_operation().await?;
        Ok(deployed?)
    }

    /// Changes parameters of the stack.
    async fn change<const N: usize>(
        &mut self,
        what: &'static str,
        values: [(&str, String); N],
        progress: &mut dyn Progress,
    ) -> Result<Deployed, StepError> {
        let parameters =
            values.into_iter().fold(Parameters::default(), |parameters, (name, value)| parameters.with(name, value));
        let (template, dist) = (self.template.clone(), self.options.dist.clone());
        let deployed = self.deploy(Kind::Update, what, template, dist, parameters, progress).await;
        self.remember().await;
        deployed
    }

    /// Sends a push, and waits for its zip.
    async fn push(
        &mut self,
        path: &'static str,
        branch: &Branch,
        progress: &mut dyn Progress,
    ) -> Result<String, StepError> {
        self.clear(branch, progress).await?;
        accepted(&self.send(path, &Webhook::push(&branch.repository, &branch.name)).await?)?;
        self.zip(branch, ZIP, progress).await
    }

    /// Deletes what earlier pushes have stored, after the queues are empty.
    async fn clear(&mut self, branch: &Branch, progress: &mut dyn Progress) -> Result<(), StepError> {
        let queues = [self.physical("GitPullQueue")?, self.physical("ZipDlQueue")?];
        let sqs = aws_sdk_sqs::Client::new(&self.account.config);
        let quiet = until("the queues to be empty", QUIET, progress, async || {
            for queue in &queues {
                if waiting(&sqs, queue).await? > 0 {
                    return Ok(None);
                }
            }
            Ok::<_, StepError>(Some(()))
        });
        quiet.await?;
        let bucket = self.running.as_ref().ok_or(StepError::NoStack)?.bucket.clone();
        Ok(artifact::hide(&self.account, &bucket, &branch.repository).await?)
    }

    /// Waits for a branch's zip, and returns a summary.
    async fn zip(
        &mut self,
        branch: &Branch,
        patience: Duration,
        progress: &mut dyn Progress,
    ) -> Result<String, StepError> {
        let bucket = self.running.as_ref().ok_or(StepError::NoStack)?.bucket.clone();
        let (account, what) = (self.account.clone(), "zip");
        let found = until(what, patience, progress, async || {
            let keys = artifact::keys(&account, &bucket, &branch.repository).await?;
            Ok::<_, StepError>(keys.into_iter().next())
        });
        let key = found.await?.ok_or(StepError::Late { what, patience })?;
        let seen = artifact::look(&self.account, &bucket, &key, &branch.repository, &branch.name).await?;
        self.saw(seen.clone());
        Ok(seen)
    }

    async fn send(&mut self, path: &'static str, webhook: &Webhook) -> Result<Answer, StepError> {
        let answer = self.sender.send(&self.url(path)?, None, webhook).await;
        self.record.answers.push(answer.clone());
        Ok(answer)
    }

    /// The API's own address of a path, as this machine reaches it.
    fn url(&self, output: &'static str) -> Result<String, StepError> {
        let url = self.running.as_ref().and_then(|running| running.urls.get(output));
        Ok(self.account.reachable(url.ok_or(StepError::Missing(output))?))
    }

    fn physical(&self, id: &'static str) -> Result<String, StepError> {
        let found = self.made.iter().find(|one| one.logical_id == id);
        found.map(|one| one.physical_id.clone()).ok_or(StepError::Missing(id))
    }
}

/// How many messages wait in a queue or are being worked on.
async fn waiting(sqs: &aws_sdk_sqs::Client, queue: &str) -> Result<u64, CallError> {
    let request = sqs.get_queue_attributes().queue_url(queue).attribute_names(QueueAttributeName::All);
    let told = request.send().await.map_err(|error| CallError::new(format!("look at queue {queue}"), error))?;
    let attributes = told.attributes.unwrap_or_default();
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    ];
    Ok(names.iter().filter_map(|name| attributes.get(name)?.parse::<u64>().ok()).sum())
}

fn accepted(answer: &Answer) -> Result<(), StepError> {
    if answer.status == Some(202) { Ok(()) } else { Err(unexpected(answer, "202")) }
}

fn unexpected(answer: &Answer, expected: &'static str) -> StepError {
    let status = answer.status.map_or_else(|| "nothing".to_owned(), |status| status.to_string());
    let Answer { path, bytes, body, .. } = answer.clone();
    StepError::Answered { path, bytes, status, body, expected }
}
