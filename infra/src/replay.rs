//! A job runs once more, after what made it fail was fixed. The job is the one that was queued: its
//! dead-letter message, or made again of what the webhook logged, or of the manifest beside its
//! zip. It is no way to make jobs of one's own: a push has to be on record, the stack has to serve
//! its repository and its reference now, and the job may fetch no more than its sender could
//! request. The worker checks the same, as for every job.
//!
//! The job keeps its delivery, so that the trace of the delivery goes on. Its message has a
//! deduplication ID of its own, by which the worker's log tells it apart.

use std::time::{Duration, Instant, SystemTime};

use aws_sdk_sqs::Client;
use contract::{
    AllowedHosts, AllowedHostsError, Job, PatternsError, PermitError, RefName, Refs, Repositories, Repository, Worker,
};
use deployment::call_error::CallError;
use deployment::deploy::Description;
use deployment::render::progress::Progress;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::redrive::{WORKERS, move_job};
use crate::trace::{Outcome, Push, Stack, repeated};

/// The pause between two looks at the logs: a line takes longer to reach its log, and CloudWatch
/// limits searches per second and account.
const PAUSE: Duration = Duration::from_secs(1);
/// How far the clocks of this machine and of AWS may differ.
const CLOCKS: Duration = Duration::from_mins(10);

/// Why a push can't be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// AWS couldn't be asked, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It never became a job.
    #[error("delivery {0} became no job: there is nothing to run again")]
    NoJob(String),
    /// Too little is known of it.
    #[error("it is not known {0}: neither the logs nor a manifest say so")]
    Unknown(&'static str),
    /// What is known of it isn't a job.
    #[error("what is known of delivery {delivery} isn't a job")]
    Malformed {
        /// The delivery.
        delivery: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The stack doesn't serve the host.
    #[error("the stack doesn't serve it")]
    Host(#[source] PermitError),
    /// The stack doesn't serve the repository.
    #[error("the stack's parameter Repositories does not include {0}")]
    Repository(Repository),
    /// The stack doesn't serve the reference.
    #[error("the stack's parameter Refs does not include {0}")]
    Reference(RefName),
    /// A parameter can't be understood.
    #[error("the stack's parameter can't be understood")]
    Hosts(#[from] AllowedHostsError),
    /// A parameter can't be understood.
    #[error("the stack's parameter can't be understood")]
    Patterns(#[from] PatternsError),
    /// The stack has no such queue.
    #[error("the stack has no {0}")]
    NoQueue(String),
}

impl ReplayError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Call(error) => error.hint(),
            Self::NoJob(_) => Some("let the host deliver it again, or push again".to_owned()),
            Self::Unknown(_) => Some("look further back: --since 30d; or push again".to_owned()),
            Self::Host(_) | Self::Repository(_) | Self::Reference(_) => {
                Some("deploy with it in AllowedGitHosts, Repositories or Refs, if it is to be fetched".to_owned())
            }
            Self::Malformed { .. } | Self::Hosts(_) | Self::Patterns(_) | Self::NoQueue(_) => None,
        }
    }

    /// Whether another push has to be named.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::NoJob(_) | Self::Unknown(_) | Self::Host(_) | Self::Repository(_) | Self::Reference(_))
    }
}

/// Where a job comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The dead-letter message, which goes back to its queue.
    DeadLetterMessage,
    /// What the webhook or the reconciler logged.
    Log,
    /// The manifest beside the zip.
    Manifest,
}

/// A job that is to run once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// The worker's queue, by its logical ID.
    pub queue: String,
    /// Where the job comes from. A dead-letter message that is gone by then is made again of the
    /// log.
    pub source: Source,
    /// The job.
    #[schemars(with = "serde_json::Map<String, Value>")]
    pub job: Job,
    /// The deduplication ID of its message, once it is sent.
    pub deduplication_id: Option<String>,
    /// What became of it, once it is known.
    pub result: Option<Push>,
}

/// The job of a push, if it may run again.
///
/// # Errors
/// See [`ReplayError`].
pub fn plan(stack: &Description, push: &Push) -> Result<Replay, ReplayError> {
    let delivery = push.delivery.clone().ok_or(ReplayError::Unknown("which delivery it was"))?;
    let (Some(repository), Some(reference)) = (&push.repository, &push.reference) else {
        return Err(ReplayError::NoJob(delivery));
    };
    let worker = push.worker.as_deref().and_then(|name| Worker::ALL.into_iter().find(|one| one.path_part() == name));
    let worker = worker.ok_or(ReplayError::Unknown("which worker it was for"))?;
    let job = job(push, [&delivery, repository, reference], parameter(stack, "Repositories"))
        .map_err(|source| ReplayError::Malformed { delivery, source })?;
    permit(stack, &job)?;
    let source = match (push.outcome, &push.job) {
        (Outcome::GivenUp, _) => Source::DeadLetterMessage,
        (_, Some(_)) => Source::Log,
        (_, None) => Source::Manifest,
    };
    Ok(Replay { queue: format!("{}Queue", prefix(worker)), source, job, deduplication_id: None, result: None })
}

/// Makes the job again. Without the sender's scope on record, it fetches nothing but its own
/// repository.
fn job(push: &Push, [delivery, repository, reference]: [&str; 3], repositories: &str) -> serde_json::Result<Job> {
    let (host, path) = repository.split_once('/').unwrap_or((repository, ""));
    let mut job = json!({
        "delivery": delivery, "repository": { "host": host, "path": path }, "reference": reference, "commit": push.commit,
    });
    if let Some(scope) = &push.sender.scope {
        let mut scope: Vec<String> = serde_json::from_str(scope)?;
        scope.extend(Some(repositories.to_owned()).filter(|globs| !globs.is_empty()));
        job["scope"] = json!(scope);
    }
    if let Some(spelling) = &push.sender.spelling {
        job["spelling"] = serde_json::from_str(spelling)?;
    }
    if let Some(trigger) = &push.sender.trigger {
        job["trigger"] = json!(trigger);
    }
    if push.sender.deleted {
        // It named no commit. If the reference is there again, the worker asks which one it names.
        job["deleted"] = json!(true);
        job["commit"] = Value::Null;
    }
    serde_json::from_value(job)
}

/// Whether the stack serves the job now.
fn permit(stack: &Description, job: &Job) -> Result<(), ReplayError> {
    let hosts: AllowedHosts = parameter(stack, "AllowedGitHosts").parse()?;
    let host = job.permit(&job.repository, &hosts).map_err(ReplayError::Host)?;
    let repositories = Repositories::parse("Repositories", parameter(stack, "Repositories"))?;
    if repositories.permit(&job.repository, host).is_err() {
        return Err(ReplayError::Repository(job.repository.clone()));
    }
    let refs: Refs = parameter(stack, "Refs").parse()?;
    if refs.include(&job.reference) { Ok(()) } else { Err(ReplayError::Reference(job.reference.clone())) }
}

/// A parameter; empty if there is none.
fn parameter<'a>(stack: &'a Description, name: &str) -> &'a str {
    stack.parameters.get(name).map(String::as_str).unwrap_or_default()
}

fn prefix(worker: Worker) -> &'static str {
    let [gitpull, zipdl] = WORKERS;
    match worker {
        Worker::GitPull => gitpull,
        Worker::ZipDl => zipdl,
    }
}

impl Replay {
    /// Puts the job into its queue once more.
    ///
    /// # Errors
    /// AWS could not be asked, or refused.
    pub async fn send(&mut self, stack: Stack<'_>) -> Result<(), ReplayError> {
        let sqs = Client::new(&stack.account.config);
        let queue = self.queue.clone();
        let url = |id: &str| stack.resource(id).ok_or_else(|| ReplayError::NoQueue(id.to_owned()));
        let to = url(&queue)?;
        if self.source == Source::DeadLetterMessage {
            let from = url(&queue.replace("Queue", "DeadLetterQueue"))?;
            self.deduplication_id = move_job(&sqs, &queue, [from, to], &self.job.id()).await?;
            if self.deduplication_id.is_some() {
                return Ok(());
            }
            self.source = Source::Log;
        }
        let again = format!("replay-{}", hex::encode(rand::random::<[u8; 16]>()));
        let delivery = self.job.delivery.to_string();
        let body = serde_json::to_string(&self.job).map_err(|source| ReplayError::Malformed { delivery, source })?;
        let message = sqs.send_message().queue_url(to).message_body(body);
        let message = message.message_group_id(self.job.group_id()).message_deduplication_id(&again);
        message.send().await.map_err(|error| CallError::new(format!("send the job to {queue}"), error))?;
        self.deduplication_id = Some(again);
        Ok(())
    }

    /// Looks once what has become of it, if it isn't known yet.
    async fn look(&mut self, stack: Stack<'_>, since: SystemTime) -> Result<(), CallError> {
        let is_done = self.result.as_ref().is_some_and(|push| push.outcome.is_final());
        if let (false, Some(again)) = (is_done, &self.deduplication_id) {
            let (delivery, job) = (self.job.delivery.as_str(), self.job.id());
            self.result = repeated(stack, [again, delivery, &job], since).await?;
        }
        Ok(())
    }

    /// Whether nothing more happens by itself.
    fn is_done(&self) -> bool {
        self.result.as_ref().is_some_and(|push| push.outcome.is_final())
    }
}

/// Waits up to `patience` until it is known what became of the jobs.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn wait(
    stack: Stack<'_>,
    all: &mut [Replay],
    patience: Duration,
    progress: &mut dyn Progress,
) -> Result<(), CallError> {
    let since = SystemTime::now().checked_sub(CLOCKS).unwrap_or(SystemTime::UNIX_EPOCH);
    let end = Instant::now() + patience;
    loop {
        for one in all.iter_mut() {
            one.look(stack, since).await?;
        }
        let open = all.iter().filter(|one| !one.is_done()).count();
        if open == 0 || Instant::now() >= end {
            return Ok(());
        }
        progress.waiting(&format!("{open} of {} jobs are under way", all.len()));
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::trace::recorded;

    /// The replay of a push in a stack with these parameters.
    fn check(parameters: &[(&str, &str)], push: &Push) -> Result<Replay, ReplayError> {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (outputs, tags) = (BTreeMap::new(), BTreeMap::new());
        plan(&Description { status: "CREATE_COMPLETE".to_owned(), parameters, outputs, tags }, push)
    }

    const HOSTS: (&str, &str) = ("AllowedGitHosts", "github.com");

    #[test]
    fn replayed_job_is_queued_one() {
        let push = recorded("d-failed");
        let parameters = [HOSTS, ("Repositories", "github.com/acme/**")];
        let replay = check(&parameters, &push).unwrap();
        assert_eq!((replay.queue.as_str(), replay.source), ("GitPullQueue", Source::DeadLetterMessage));
        assert_eq!(
            serde_json::to_value(&replay.job).unwrap(),
            json!({
                "delivery": "d-failed", "repository": { "host": "github.com", "path": "acme/rocket" },
                "reference": "refs/heads/broken", "commit": "4d".repeat(20), "scope": ["github.com/acme/**"],
            })
        );
        assert_eq!(check(&parameters, &recorded("d-reconciled")).unwrap().source, Source::Log);
    }

    #[test]
    fn replayed_deletion_stays_one() {
        let replay = check(&[HOSTS], &recorded("d-deleted")).unwrap();
        let expected = json!({
            "delivery": "d-deleted", "repository": { "host": "github.com", "path": "acme/rocket" },
            "reference": "refs/heads/old", "scope": [], "deleted": true,
        });
        assert_eq!(serde_json::to_value(&replay.job).unwrap(), expected);
        let found = check(&[HOSTS], &recorded("d-undeleted")).unwrap().job;
        assert_eq!((found.deleted, found.trigger, found.scope), (true, contract::Trigger::Reconciled, None));
        // Only what was queued as one is one: that the reference was gone says nothing.
        assert!(!check(&[HOSTS], &recorded("d-gone")).unwrap().job.deleted);
        // It is still limited to what the stack serves.
        let no = check(&[HOSTS, ("Refs", "main")], &recorded("d-deleted")).unwrap_err();
        assert!(matches!(no, ReplayError::Reference(_)), "{no}");
    }

    #[test]
    fn replay_never_widens_scope() {
        let mut push = recorded("d-failed");
        let scope = |push: &Push| check(&[HOSTS], push).unwrap().job.scope;
        assert_eq!(scope(&push), Some(Vec::new()));
        push.sender.scope = Some(r#"["github.com/acme/rocket"]"#.to_owned());
        assert_eq!(scope(&push), Some(vec!["github.com/acme/rocket".to_owned()]));
        push.sender.scope = None;
        assert_eq!(scope(&push), None, "it leads nowhere");
        push.sender.scope = Some("everything".to_owned());
        assert!(matches!(check(&[HOSTS], &push), Err(ReplayError::Malformed { .. })));
    }

    #[test]
    fn unserved_push_is_not_replayed() {
        let push = recorded("d-failed");
        let no = |parameters: &[(&str, &str)]| check(parameters, &push).unwrap_err();
        assert!(matches!(no(&[("AllowedGitHosts", "gitlab.com")]), ReplayError::Host(_)));
        assert!(matches!(no(&[HOSTS, ("Repositories", "github.com/other/**")]), ReplayError::Repository(_)));
        assert!(matches!(no(&[HOSTS, ("Refs", "main")]), ReplayError::Reference(_)));
        for (delivery, what) in [("d-refused", "became no job"), ("d-ignored", "became no job")] {
            let error = check(&[HOSTS], &recorded(delivery)).unwrap_err();
            assert!(error.to_string().contains(what) && error.is_usage(), "{error}");
        }
        let unknown = Push { worker: None, ..push.clone() };
        assert!(matches!(check(&[HOSTS], &unknown), Err(ReplayError::Unknown(_))));
        let other = Push { repository: Some("github.com/../rocket".to_owned()), ..push.clone() };
        assert!(matches!(check(&[HOSTS], &other), Err(ReplayError::Malformed { .. })));
    }
}
