//! Deletes a stack: first says what will be lost, then reports the events. A deletion that failed
//! for a temporary reason or one with a remedy is retried, and so is one that was started
//! elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use aws_names::BucketName;
use aws_sdk_cloudformation::types::StackStatus;
use tokio::time::{Instant, sleep};

use super::again::{PATIENCE, Pauses, Remedy, remedies};
use super::change_set::unique_name;
use super::events::{End, Story};
use super::failure::Failure;
use super::pace::Pace;
use super::service_role::ServiceRole;
use super::stack::Resource;
use super::stays::{self, Stay};
use super::{DeployError, KeepError, Template, keep, stack};
use crate::account::{Account, AccountError};
use crate::call_error::CallError;
use crate::render::progress::Progress;
use crate::typed::typed;

/// Why a stack is still there.
#[derive(Debug, thiserror::Error)]
pub enum DestroyError {
    /// The account can't be determined.
    #[error("cannot delete stack {stack}")]
    Account {
        /// The stack's name.
        stack: String,
        /// What is missing.
        source: AccountError,
    },
    /// AWS could not be asked, or refused.
    #[error("cannot delete stack {stack}")]
    Call {
        /// The stack's name.
        stack: String,
        /// What was tried, and what AWS answered.
        source: CallError,
    },
    /// The output bucket can't be kept.
    #[error("cannot keep the output bucket of stack {stack}")]
    Keep {
        /// The stack's name.
        stack: String,
        /// Why.
        source: KeepError,
    },
    /// The update that lets the output bucket survive failed.
    #[error("cannot keep the output bucket of stack {stack}; nothing was deleted")]
    Update {
        /// The stack's name.
        stack: String,
        /// What failed.
        source: Box<DeployError>,
    },
    /// A bucket that got an object late could not be emptied.
    #[error("cannot empty bucket {bucket} of stack {stack}")]
    Empty {
        /// The stack's name.
        stack: String,
        /// The bucket.
        bucket: String,
        /// What failed.
        source: Box<empty_bucket::EmptyError>,
    },
    /// A resource could not be deleted.
    #[error("{failure}; stack {stack} is now {status}")]
    Failed {
        /// The stack's name.
        stack: String,
        /// Its status.
        status: String,
        /// What failed first.
        failure: Failure,
    },
}

impl DestroyError {
    /// What to do about it, if known and not said by the error's source.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Empty { stack, .. } | Self::Failed { stack, .. } => {
                let again = typed(&format!("destroy --stack-name {stack}"));
                Some(format!("{again} can be repeated: it goes on with what is left"))
            }
            _ => None,
        }
    }
}

/// What is lost with a stack.
#[derive(Debug)]
pub struct Losses {
    account: Account,
    stack_name: String,
    stack_id: String,
    status: StackStatus,
    /// The role that CloudFormation assumes, if not the one that the stack remembers.
    role: Option<ServiceRole>,
    /// Logical IDs that a retried deletion leaves in the account.
    retained: Vec<String>,
    /// The stack's buckets, with every version of every object in them; sorted.
    pub buckets: Vec<String>,
    /// The bucket that the zips are in.
    pub output: Option<String>,
    /// Other resources with content that can't be restored: the type, and how many.
    pub others: BTreeMap<String, usize>,
    /// What outlives the stack.
    pub stays: Vec<Stay>,
    /// The number of the stack's resources, buckets included.
    pub resources: usize,
}

/// The types besides buckets that have content: jobs, secrets, the key without which the SSH key is
/// lost, logs.
const HOLDERS: [&str; 4] = ["AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::SQS::Queue", "AWS::SecretsManager::Secret"];

/// What would be lost with the stack of that name; `None` if there is no such stack.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn losses(account: &Account, stack_name: &str) -> Result<Option<Losses>, DestroyError> {
    let call = |source| DestroyError::Call { stack: stack_name.to_owned(), source };
    let Some(stack) = stack::describe(account, stack_name).await.map_err(call)? else { return Ok(None) };
    let (mut buckets, mut others) = (Vec::new(), BTreeMap::new());
    let mut all = stack::resources(account, &stack.id).await.map_err(call)?;
    all.retain(|one| !one.is_gone());
    let resources = all.len();
    let template = stack::template(account, &stack.id).await.map_err(call)?.unwrap_or_default();
    let stays = stays::of(&all, &Template::parse(template).unwrap_or_default());
    let named = all.iter().find(|one| one.logical_id == keep::KEPT[0]).map(|one| one.physical_id.clone());
    for resource in all {
        match resource.kind.as_str() {
            "AWS::S3::Bucket" => buckets.push(resource.physical_id),
            kind if HOLDERS.contains(&kind) => *others.entry(kind.to_owned()).or_default() += 1,
            _ => {}
        }
    }
    // Resources that the template retains are not lost.
    buckets.retain(|bucket| !stays.iter().any(|stay| stay.id == *bucket));
    buckets.sort();
    let stack_name = stack_name.to_owned();
    let output = stack.outputs.get("OutputBucketName").cloned().or(named);
    Ok(Some(Losses {
        account: account.clone(),
        stack_name,
        stack_id: stack.id,
        status: stack.status,
        role: None,
        retained: Vec::new(),
        buckets,
        output,
        others,
        stays,
        resources,
    }))
}

impl Losses {
    /// The stack's name.
    pub fn stack_name(&self) -> &str {
        &self.stack_name
    }

    /// Sets the role that CloudFormation assumes; without one, it is the one that the stack
    /// remembers.
    #[must_use]
    pub fn acting_as(self, role: Option<ServiceRole>) -> Self {
        Self { role, ..self }
    }

    /// Excludes the output bucket from the deletion: by an update of the stack, or, if an earlier
    /// deletion failed and no update is possible any more, by leaving it out of the next deletion.
    ///
    /// # Errors
    /// See [`DestroyError`].
    pub async fn keep_output(&mut self, progress: &mut dyn Progress) -> Result<String, DestroyError> {
        if self.status == StackStatus::DeleteFailed {
            return self.retain_output().await;
        }
        let stack = || self.stack_name.clone();
        let call = |source| DestroyError::Call { stack: stack(), source };
        let update = |source| DestroyError::Update { stack: stack(), source: Box::new(source) };
        let keep = |source| DestroyError::Keep { stack: stack(), source };
        let deployed = stack::template(&self.account, &self.stack_id).await.map_err(call)?.unwrap_or_default();
        let deployed = Template::parse(deployed).map_err(|error| keep(KeepError::Template(error)))?;
        let template = keep::keeping_output(&deployed).map_err(keep)?;
        let missing = || keep(KeepError::Missing { id: "OutputBucketName" });
        let bucket = self.output.clone().ok_or_else(missing)?;
        let role = self.role.clone();
        match super::replan(&self.account, &self.stack_name, template, role, progress).await.map_err(update)? {
            Some(planned) => drop(planned.execute(progress).await.map_err(update)?),
            // An earlier call did this already.
            None if keep::keeps_output(&deployed) => {}
            None => return Err(keep(KeepError::Unchanged)),
        }
        self.buckets.retain(|lost| *lost != bucket);
        Ok(bucket)
    }

    async fn retain_output(&mut self) -> Result<String, DestroyError> {
        let stack = || self.stack_name.clone();
        let keep = |source| DestroyError::Keep { stack: stack(), source };
        let bucket = self.output.clone().ok_or_else(|| keep(KeepError::Missing { id: keep::KEPT[0] }))?;
        let left = stack::resources(&self.account, &self.stack_id).await;
        let left = left.map_err(|source| DestroyError::Call { stack: stack(), source })?;
        let kept = left.into_iter().filter(|one| keep::KEPT.contains(&one.logical_id.as_str()) && !one.is_gone());
        self.retained = kept.map(|one| one.logical_id).collect();
        self.buckets.retain(|lost| *lost != bucket);
        Ok(bucket)
    }

    /// Deletes the stack and reports its events. It waits for temporary failures to pass, empties a
    /// bucket that got an object late, and then retries the deletion, within 50 minutes in all. It
    /// can be called again in whatever state an earlier call has left the stack.
    ///
    /// # Errors
    /// See [`DestroyError`], mainly a failed resource.
    pub async fn execute(self, progress: &mut dyn Progress) -> Result<(), DestroyError> {
        let call = |source| DestroyError::Call { stack: self.stack_name.clone(), source };
        let deadline = Instant::now() + PATIENCE;
        let (mut pauses, mut told) = (Pauses::new(), BTreeSet::new());
        let Some(status) = self.settled(progress).await.map_err(call)? else { return Ok(()) };
        // It was created by a change set that was never executed: there are no resources, and no
        // events of its deletion.
        if status == StackStatus::ReviewInProgress {
            return stack::delete_remains(&self.account, &self.stack_id, self.role.as_ref(), progress)
                .await
                .map_err(call);
        }
        // Without this the next deletion would fail as the last one did: the cleaner is gone by
        // then.
        if status == StackStatus::DeleteFailed {
            let failed = self.failed().await.map_err(call)?;
            self.help(remedies(&failed).unwrap_or_default(), deadline, progress).await?;
        }
        loop {
            let end = self.delete(progress).await.map_err(call)?;
            if end.status == "DELETE_COMPLETE" {
                return Ok(());
            }
            let failed = self.failed().await.map_err(call)?;
            let pause = pauses.take();
            let helped = remedies(&failed).filter(|_| Instant::now() + pause < deadline);
            let Some(helped) = helped else {
                return Err(DestroyError::Failed { stack: self.stack_name, status: end.status, failure: end.failure });
            };
            for (resource, remedy) in &helped {
                let why = match remedy {
                    Remedy::Empty(_) => "it got an object while it was deleted, and is emptied",
                    Remedy::Wait(why) => why,
                };
                if told.insert(resource.logical_id.clone()) {
                    progress.step(&format!("{} is deleted again: {why}", resource.logical_id));
                }
            }
            let names: Vec<_> = helped.iter().map(|(resource, _)| resource.logical_id.as_str()).collect();
            progress.waiting(&format!("waiting to delete {} again", names.join(", ")));
            sleep(pause).await;
            self.help(helped, deadline, progress).await?;
        }
    }

    /// Applies the remedies other than waiting.
    async fn help(
        &self,
        remedies: Vec<(&Resource, Remedy)>,
        deadline: Instant,
        progress: &mut dyn Progress,
    ) -> Result<(), DestroyError> {
        for (_, remedy) in remedies {
            if let Remedy::Empty(bucket) = remedy {
                self.empty(&bucket, deadline, progress).await?;
            }
        }
        Ok(())
    }

    /// The stack's status after any other deletion has ended; `None` if it is gone.
    async fn settled(&self, progress: &mut dyn Progress) -> Result<Option<StackStatus>, CallError> {
        let mut pace = Pace::default();
        loop {
            match stack::describe(&self.account, &self.stack_id).await?.map(|stack| stack.status) {
                None | Some(StackStatus::DeleteComplete) => return Ok(None),
                Some(StackStatus::DeleteInProgress) => {
                    progress.waiting("waiting for a deletion that was begun before");
                    pace.pause().await;
                }
                status => return Ok(status),
            }
        }
    }

    async fn delete(&self, progress: &mut dyn Progress) -> Result<End, CallError> {
        let token = unique_name();
        let retained = (!self.retained.is_empty()).then(|| self.retained.clone());
        let request =
            self.account.cloudformation.delete_stack().stack_name(&self.stack_id).client_request_token(&token);
        let deleted =
            request.set_retain_resources(retained).set_role_arn(ServiceRole::arn_of(self.role.as_ref())).send().await;
        deleted.map_err(|error| CallError::new("begin", error))?;
        Story::new(&self.stack_id, &token).follow(&self.account, progress).await
    }

    /// The resources that the last deletion failed to delete.
    async fn failed(&self) -> Result<Vec<Resource>, CallError> {
        let all = stack::resources(&self.account, &self.stack_id).await?;
        Ok(all.into_iter().filter(|one| one.status == "DELETE_FAILED").collect())
    }

    /// Empties a bucket that is to be deleted, with the caller's rights: the stack's own cleaner
    /// may be gone already.
    async fn empty(&self, bucket: &str, deadline: Instant, progress: &mut dyn Progress) -> Result<(), DestroyError> {
        // A kept bucket must not be emptied, even if its deletion was tried.
        let Some(name) = Some(bucket).filter(|name| self.buckets.iter().any(|lost| lost == name)) else {
            return Ok(());
        };
        let Ok(name) = BucketName::try_from(name.to_owned()) else { return Ok(()) };
        progress.waiting(&format!("emptying bucket {bucket}"));
        let emptied = empty_bucket::empty(&self.account.s3, &name, deadline, |_| ()).await;
        let count = emptied.map_err(|source| DestroyError::Empty {
            stack: self.stack_name.clone(),
            bucket: bucket.to_owned(),
            source: Box::new(source),
        })?;
        progress.step(&format!("bucket {bucket} is empty: {count} versions were left in it"));
        Ok(())
    }
}
