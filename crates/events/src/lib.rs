//! Tells EventBridge what became of a push, on the account's default event bus. A rule there starts
//! a pipeline for exactly the version that was stored, or tells a person that nothing was.
//!
//! EventBridge delivers [at least
//! once](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html), and so do the
//! workers: if sending fails, the job is tried again.

use std::time::Duration;

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_eventbridge::{
    Client,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use contract::{
    Manifest, Retry,
    events::{ARTIFACT_FAILED, ARTIFACT_READY, Deletion, Failure, REFERENCE_DELETED, SOURCE},
};

/// The time limit for an event with all its attempts. Without it, a subnet with no way to
/// EventBridge would take a worker's time.
const PATIENCE: Duration = Duration::from_secs(15);

/// The account's default event bus.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// An artifact was stored.
    Ready(&'a Manifest),
    /// A job was given up.
    Failed(&'a Failure),
    /// A reference was deleted.
    Deleted(&'a Deletion),
}

/// Why nobody was told.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The event can't be written as JSON.
    #[error("could not write the event {0:?} as JSON")]
    Text(&'static str, #[source] serde_json::Error),
    /// EventBridge refused the call, or can't be reached.
    #[error("could not send the event {0:?} to EventBridge")]
    Send(&'static str, #[source] Box<aws_sdk_eventbridge::Error>),
    /// EventBridge took the call, but not the event.
    #[error("EventBridge rejected the event {detail_type:?}: {code}: {message}")]
    Rejected {
        /// The event's type.
        detail_type: &'static str,
        /// EventBridge's code, such as `ThrottlingException`.
        code: String,
        /// Its message.
        message: String,
    },
}

impl EventError {
    /// Whether it may succeed later.
    pub fn retry(&self) -> Retry {
        Retry::Again
    }

    /// What a person can do about it, if known.
    pub fn hint(&self) -> Option<&'static str> {
        matches!(self, Self::Send(..)).then_some(
            "workers in a VPC need a way to EventBridge: a NAT gateway, or a VPC endpoint for the service events",
        )
    }
}

impl Event<'_> {
    fn detail_type(&self) -> &'static str {
        match self {
            Self::Ready(_) => ARTIFACT_READY,
            Self::Failed(_) => ARTIFACT_FAILED,
            Self::Deleted(_) => REFERENCE_DELETED,
        }
    }

    fn detail(&self) -> serde_json::Result<String> {
        match self {
            Self::Ready(manifest) => serde_json::to_string(manifest),
            Self::Failed(failure) => serde_json::to_string(failure),
            Self::Deleted(deletion) => serde_json::to_string(deletion),
        }
    }
}

impl Bus {
    /// The default event bus of the configuration's account.
    pub fn new(config: &SdkConfig) -> Self {
        let timeout = TimeoutConfig::builder().operation_timeout(PATIENCE).build();
        let config = aws_sdk_eventbridge::config::Builder::from(config).timeout_config(timeout).build();
        Self { client: Client::from_conf(config) }
    }

    /// Sends an event. The call succeeds even if the event [is
    /// rejected](https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html),
    /// so its entry is read, too.
    ///
    /// Requires `events:PutEvents`.
    ///
    /// # Errors
    /// See [`EventError`].
    pub async fn send(&self, event: Event<'_>) -> Result<(), EventError> {
        let detail_type = event.detail_type();
        let detail = event.detail().map_err(|source| EventError::Text(detail_type, source))?;
        let entry = PutEventsRequestEntry::builder().source(SOURCE).detail_type(detail_type).detail(detail).build();
        let sent = self.client.put_events().entries(entry).send().await;
        let answer = sent.map_err(|error| EventError::Send(detail_type, Box::new(error.into())))?;
        let rejected = answer.entries().iter().find(|entry| entry.error_code().is_some());
        if answer.failed_entry_count == 0 && rejected.is_none() {
            return Ok(());
        }
        let said =
            |read: fn(&PutEventsResultEntry) -> Option<&str>| rejected.and_then(read).unwrap_or("no reason").to_owned();
        let (code, message) = (said(PutEventsResultEntry::error_code), said(PutEventsResultEntry::error_message));
        Err(EventError::Rejected { detail_type, code, message })
    }
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};
    use aws_sdk_eventbridge::config::{Credentials, SharedCredentialsProvider, retry::RetryConfig};
    use contract::{Worker, manifest::Subject};
    use serde_json::{Value, json};
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

    use super::*;

    /// Sends a failure to an EventBridge with this answer, and returns what was sent.
    async fn send(answer: ResponseTemplate) -> (Result<(), EventError>, Value) {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .endpoint_url(server.uri())
            .retry_config(RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let job = json!({
            "delivery": "d-1", "repository": { "host": "github.com", "path": "o/r" }, "reference": "refs/heads/main",
            "commit": "a".repeat(40),
        });
        let job = serde_json::from_value(job).unwrap();
        let failure = Failure::of(&job, Worker::GitPull, &"zips".parse().unwrap(), "it failed");
        assert_eq!(failure.subject, Subject::of(&job, Worker::GitPull));
        let sent = Bus::new(&config).send(Event::Failed(&failure)).await;
        let request = server.received_requests().await.unwrap().remove(0);
        (sent, request.body_json().unwrap())
    }

    #[tokio::test]
    async fn event_names_source_and_type() {
        let ok =
            ResponseTemplate::new(200).set_body_json(json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] }));
        let (sent, request) = send(ok).await;
        sent.unwrap();
        let entry = &request["Entries"][0];
        assert_eq!((&entry["Source"], &entry["DetailType"]), (&"git2s3".into(), &"Artifact Failed".into()));
        // The default bus.
        assert!(entry.get("EventBusName").is_none());
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        assert_eq!((&detail["reason"], &detail["repository"]), (&"it failed".into(), &"github.com/o/r".into()));
        assert_eq!(detail["bucket"], "zips");
    }

    #[tokio::test]
    async fn rejected_entry_is_an_error() {
        let rejected = json!({
            "FailedEntryCount": 1, "Entries": [{ "ErrorCode": "ThrottlingException", "ErrorMessage": "slow down" }],
        });
        let (sent, _) = send(ResponseTemplate::new(200).set_body_json(rejected)).await;
        let error = sent.unwrap_err();
        let expected = "EventBridge rejected the event \"Artifact Failed\": ThrottlingException: slow down";
        assert_eq!((error.to_string().as_str(), error.retry()), (expected, Retry::Again));
    }

    #[tokio::test]
    async fn refused_call_is_an_error() {
        let refused = json!({ "__type": "AccessDeniedException", "message": "no" });
        let (sent, _) = send(ResponseTemplate::new(400).set_body_json(refused)).await;
        let error = sent.unwrap_err();
        assert!(matches!(error, EventError::Send(..)), "{error:?}");
        assert!(error.hint().unwrap().contains("VPC endpoint"));
    }
}
