//! Guarantees a response: the work runs in its own task, whose panic becomes an error, and it is
//! cancelled while there is still time to respond.

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

/// The time reserved for the response: a few attempts with their pauses.
const TIME_TO_ANSWER: Duration = Duration::from_secs(15);

/// Why CloudFormation got no response. Lambda then repeats the event.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The event isn't one of CloudFormation: there is nowhere to respond to.
    #[error("the event has no ResponseURL")]
    NoSender(#[source] serde_json::Error),
    /// The response didn't get through.
    #[error("could not respond for {logical_resource_id}")]
    Respond {
        /// The resource's name in the template.
        logical_resource_id: String,
        /// The cause.
        source: RespondError,
    },
}

/// Handles the event and responds to CloudFormation before `deadline`, when Lambda ends the
/// function.
///
/// # Errors
/// There was no response. A resource that failed and reported it is a success here: Lambda must not
/// repeat it.
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
        Err(error) => return Ending::failed("could not parse the RequestType", &error),
    };
    let id = sender.physical_resource_id.clone().unwrap_or_default();
    tracing::info!(?kind, logical_resource_id = sender.logical_resource_id, physical_resource_id = id, "asked");
    if kind == RequestType::Delete && !resource.owns(&id) {
        return Ending::Success { physical_resource_id: id, data: None };
    }
    let request = match Request::read(&event, sender, deadline) {
        Ok(request) => request,
        Err(error) => return Ending::failed("could not parse the ResourceProperties", &error),
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
            Err(error) => Ending::failed("could not serialize the attributes", &error),
        },
        Err((error, None)) => Ending::Failed { reason: error_chain(&error) },
        Err((error, Some(missing))) => {
            let missing = missing.as_secs();
            Ending::failed(&format!("the permission was missing for {missing} s"), &error)
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
