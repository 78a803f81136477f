//! No way out without an answer: the work runs as a task of its own, whose panic is an error here,
//! and it is given up while there is still time to say so.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime},
};

use contract::error_chain;
use serde_json::Value;
use tokio::{task::JoinError, time::Instant};

use crate::{
    Answer, CustomResource, Request,
    request::{RequestType, Sender},
    response::{Ending, RespondError, respond},
    rights::{RealTime, attempted},
};

/// What is kept for answering, as long as there is that much: a few attempts with their waits.
const TIME_TO_ANSWER: Duration = Duration::from_secs(15);

/// Why CloudFormation wasn't answered. Lambda then repeats the event.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The event isn't one of CloudFormation: there is nowhere to answer.
    #[error("the event has no ResponseURL to answer to")]
    NoSender(#[source] serde_json::Error),
    /// The answer didn't get through.
    #[error("could not answer for {logical_resource_id}")]
    Respond {
        /// The resource's name in the template.
        logical_resource_id: String,
        /// Why not.
        source: RespondError,
    },
}

/// Does what the event asks of the resource, and answers CloudFormation before `deadline`, when
/// Lambda ends the function.
///
/// # Errors
/// Only when there is no answer. A resource that failed and said so is a success here: Lambda must
/// not repeat it.
pub async fn run<R: CustomResource>(event: Value, deadline: SystemTime, resource: R) -> Result<(), RunError> {
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let end = Instant::now() + left;
    let sender = Sender::read(&event).map_err(RunError::NoSender)?;
    let outcome = work(event, &sender, end - TIME_TO_ANSWER.min(left / 2), resource).await;
    match &outcome {
        Ending::Success { physical_resource_id, .. } => tracing::info!(physical_resource_id, "succeeded"),
        Ending::Failed { reason } => tracing::error!(reason, "failed"),
    }
    let logical_resource_id = sender.logical_resource_id.clone();
    respond(&sender, &outcome, end).await.map_err(|source| RunError::Respond { logical_resource_id, source })
}

async fn work<R: CustomResource>(event: Value, sender: &Sender, deadline: Instant, resource: R) -> Ending {
    let kind = match RequestType::read(&event) {
        Ok(kind) => kind,
        Err(error) => return Ending::failed("could not understand the RequestType", &error),
    };
    let id = sender.physical_resource_id.clone().unwrap_or_default();
    tracing::info!(?kind, logical_resource_id = sender.logical_resource_id, physical_resource_id = id, "asked");
    if kind == RequestType::Delete && !resource.owns(&id) {
        return Ending::Success { physical_resource_id: id, data: None };
    }
    let request = match Request::read(&event, sender, deadline) {
        Ok(request) => request,
        Err(error) => return Ending::failed("could not understand the ResourceProperties", &error),
    };
    let started = Instant::now();
    let mut task = tokio::spawn(perform(Arc::new(resource), kind, id, request));
    match tokio::time::timeout_at(deadline, &mut task).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Ending::Failed { reason: panicked(error) },
        Err(_) => {
            task.abort();
            Ending::Failed { reason: format!("not done after {} s, the function's time", started.elapsed().as_secs()) }
        }
    }
}

async fn perform<R: CustomResource>(
    resource: Arc<R>,
    kind: RequestType,
    id: String,
    request: Request<R::Properties>,
) -> Ending {
    let (resource, request) = (&*resource, &request);
    let answer = attempted::<R, _, _>(&RealTime, request.deadline, move || async move {
        match kind {
            RequestType::Create => resource.create(request.clone()).await.map(Some),
            RequestType::Update => resource.update(request.clone()).await.map(Some),
            RequestType::Delete => resource.delete(request.clone()).await.map(|()| None),
        }
    });
    match answer.await {
        Ok(None) => Ending::Success { physical_resource_id: id, data: None },
        Ok(Some(Answer { physical_resource_id, data })) => match serde_json::to_value(data) {
            Ok(data) => {
                let data = Some(data).filter(|data| !data.is_null());
                Ending::Success { physical_resource_id, data }
            }
            Err(error) => Ending::failed("could not write the attributes", &error),
        },
        Err((error, None)) => Ending::Failed { reason: error_chain(&error) },
        Err((error, Some(missing))) => {
            let missing = missing.as_secs();
            Ending::failed(&format!("the right was missing the whole time, for {missing} s"), &error)
        }
    }
}

impl Ending {
    fn failed(what: &str, error: &(dyn Error + 'static)) -> Self {
        Self::Failed { reason: format!("{what}: {}", error_chain(error)) }
    }
}

fn panicked(error: JoinError) -> String {
    let cause = match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    format!("the function panicked: {cause}")
}

#[cfg(test)]
mod tests;
