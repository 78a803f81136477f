//! Errors that `CloudFormation` finds before it begins: a stack's events say only how many errors
//! [validation][aws] found; they are listed elsewhere.
//!
//! [aws]: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html

use aws_sdk_cloudformation::types::{EventFilter, EventType, OperationEvent};

use super::failure::Failure;
use crate::account::Account;

/// What was validated.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    /// A stack, by its ARN.
    Stack(&'a str),
    /// A change set, by its ARN.
    ChangeSet(&'a str),
}

/// The first error of the validation, or `None` without the right to read it: the failure itself is
/// known, and must not be hidden by another error.
pub(super) async fn first_error(account: &Account, subject: Subject<'_>) -> Option<Failure> {
    let request = account.cloudformation.describe_events().filters(EventFilter::builder().failed_events(true).build());
    let request = match subject {
        Subject::Stack(id) => request.stack_name(id),
        Subject::ChangeSet(id) => request.change_set_name(id),
    };
    let told = request.send().await.ok()?;
    earliest(told.operation_events())
}

/// The events are listed newest first.
fn earliest(events: &[OperationEvent]) -> Option<Failure> {
    let event = events.iter().rev().find(|event| event.event_type() == Some(&EventType::ValidationError))?;
    Some(Failure {
        logical_id: event.logical_resource_id().unwrap_or_default().to_owned(),
        resource_type: event.resource_type().unwrap_or_default().to_owned(),
        reason: event.validation_status_reason()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_validation_error_is_found() {
        let event = |kind: EventType, id: &str| {
            let event =
                OperationEvent::builder().event_type(kind).logical_resource_id(id).resource_type("AWS::S3::Bucket");
            event.validation_status_reason(format!("{id} exists")).build()
        };
        let events = [
            event(EventType::StackEvent, "git2s3"),
            event(EventType::ValidationError, "Second"),
            event(EventType::ValidationError, "First"),
            event(EventType::StackEvent, "git2s3"),
        ];
        let failure = earliest(&events).unwrap();
        assert_eq!(failure.to_string(), "First (AWS::S3::Bucket) failed: First exists");
        assert_eq!(earliest(&events[..1]), None);
    }
}
