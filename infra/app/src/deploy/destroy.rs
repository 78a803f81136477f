//! The end of a stack: what will be lost, said before it is, and the events while it goes.

use std::collections::BTreeMap;

use super::change_set::unique_name;
use super::events::{Failure, Story};
use super::{DeployError, KeepError, keep, stack};
use crate::account::{Account, AccountError};
use crate::call_error::CallError;
use crate::render::progress::Progress;

/// Why a stack is still there.
#[derive(Debug, thiserror::Error)]
pub enum DestroyError {
    /// It is not known where the stack would be.
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
    /// The update after which the output bucket would survive failed.
    #[error("cannot keep the output bucket of stack {stack}; nothing was deleted")]
    Update {
        /// The stack's name.
        stack: String,
        /// What failed.
        source: Box<DeployError>,
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

/// What goes with a stack.
#[derive(Debug)]
pub struct Losses {
    account: Account,
    stack_name: String,
    stack_id: String,
    /// The stack's buckets, with every version of every object in them; sorted.
    pub buckets: Vec<String>,
    /// The bucket that the zips are in.
    pub output: Option<String>,
    /// What else holds something that can't be had back: the type, and how many.
    pub others: BTreeMap<String, usize>,
    /// The number of the stack's resources, buckets included.
    pub resources: usize,
}

/// Besides buckets, the types that hold something: jobs, secrets, the key without which the SSH key is lost, logs.
const HOLDERS: [&str; 4] = ["AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::SQS::Queue", "AWS::SecretsManager::Secret"];

/// What would go with the stack of that name; none if there is no such stack.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn losses(account: &Account, stack_name: &str) -> Result<Option<Losses>, DestroyError> {
    let call = |source| DestroyError::Call { stack: stack_name.to_owned(), source };
    let Some(stack) = stack::describe(account, stack_name).await.map_err(call)? else { return Ok(None) };
    let (mut buckets, mut others) = (Vec::new(), BTreeMap::new());
    let all = stack::resources(account, &stack.id).await.map_err(call)?;
    let resources = all.len();
    for resource in all {
        match resource.kind.as_str() {
            "AWS::S3::Bucket" => buckets.push(resource.physical_id),
            kind if HOLDERS.contains(&kind) => *others.entry(kind.to_owned()).or_default() += 1,
            _ => {}
        }
    }
    buckets.sort();
    let stack_name = stack_name.to_owned();
    let output = stack.outputs.get("OutputBucketName").cloned();
    Ok(Some(Losses { account: account.clone(), stack_name, stack_id: stack.id, buckets, output, others, resources }))
}

impl Losses {
    /// Takes the output bucket out of what will be lost, by an update of the stack.
    ///
    /// # Errors
    /// See [`DestroyError`].
    pub async fn keep_output(&mut self, progress: &mut dyn Progress) -> Result<String, DestroyError> {
        let stack = || self.stack_name.clone();
        let call = |source| DestroyError::Call { stack: stack(), source };
        let update = |source| DestroyError::Update { stack: stack(), source: Box::new(source) };
        let keep = |source| DestroyError::Keep { stack: stack(), source };
        let deployed = stack::template(&self.account, &self.stack_id).await.map_err(call)?.unwrap_or_default();
        let template = keep::keeping_output(&deployed).map_err(keep)?;
        let missing = || keep(KeepError::Missing { id: "OutputBucketName" });
        let bucket = self.output.clone().ok_or_else(missing)?;
        if let Some(planned) =
            super::replan(&self.account, &self.stack_name, template, progress).await.map_err(update)?
        {
            planned.execute(progress).await.map_err(update)?;
        }
        self.buckets.retain(|lost| *lost != bucket);
        Ok(bucket)
    }

    /// Deletes the stack and tells its events while it goes.
    ///
    /// # Errors
    /// See [`DestroyError`]: a resource that failed, foremost.
    pub async fn execute(self, progress: &mut dyn Progress) -> Result<(), DestroyError> {
        let call = |source| DestroyError::Call { stack: self.stack_name.clone(), source };
        let token = unique_name();
        let request = self.account.cloudformation.delete_stack().stack_name(&self.stack_id);
        let deleted = request.client_request_token(&token).send().await;
        deleted.map_err(|error| call(CallError::new("begin", error)))?;
        let end = Story::new(&self.stack_id, &token).follow(&self.account, progress).await.map_err(call)?;
        if end.status == "DELETE_COMPLETE" {
            return Ok(());
        }
        Err(DestroyError::Failed { stack: self.stack_name, status: end.status, failure: end.failure })
    }
}
