//! The end of a stack: what will be lost, said before it is, and the events while it goes.

use super::change_set::unique_name;
use super::events::{Failure, Story};
use super::stack;
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
    /// The number of the stack's resources, buckets included.
    pub resources: usize,
}

/// What would go with the stack of that name; none if there is no such stack.
///
/// # Errors
/// AWS could not be asked, or refused.
pub async fn losses(account: &Account, stack_name: &str) -> Result<Option<Losses>, DestroyError> {
    let call = |source| DestroyError::Call { stack: stack_name.to_owned(), source };
    let Some(stack) = stack::describe(account, stack_name).await.map_err(call)? else { return Ok(None) };
    let (mut buckets, mut resources) = (Vec::new(), 0);
    let mut pages = account.cloudformation.list_stack_resources().stack_name(&stack.id).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| call(CallError::new("list its resources", error)))?;
        for resource in page.stack_resource_summaries.unwrap_or_default() {
            resources += 1;
            if resource.resource_type() == Some("AWS::S3::Bucket") {
                buckets.extend(resource.physical_resource_id);
            }
        }
    }
    buckets.sort();
    let stack_name = stack_name.to_owned();
    Ok(Some(Losses { account: account.clone(), stack_name, stack_id: stack.id, buckets, resources }))
}

impl Losses {
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
